/**
 * How many links cross between neighbouring rows; all links of an element meet it at one point, or each at its own port.
 *
 * Example: the upper row is [a, b], the lower [c, d]; links are a ──▶ d, b ──▶ c, b ──▶ d. The lower ends in order of the
 * upper ones are 1; 0, 1. One pair stands in the wrong order, 1 before 0: one crossing.
 */

import { type Rows, SLOTS } from "./rows.ts";

/** Elements row by row, and the position of each in its row. */
export interface Arrangement {
  readonly elements: readonly (readonly number[])[];
  readonly position: Int32Array;
}

export function totalCrossings(rows: Rows, now: Arrangement): number {
  let sum = 0;
  for (let row = 0; row + 1 < rows.height; row++) sum += crossingsBelow(rows, now, row);
  return sum;
}

/** Crossings between a row and the next. */
export function crossingsBelow(rows: Rows, { elements, position }: Arrangement, row: number): number {
  const [upper, width] = [elements[row]!, elements[row + 1]!.length];
  if (rows.slots)
    return inversions(
      upper.flatMap((element) => ends(rows, element, position)),
      width * SLOTS,
    );
  if (upper.length < 2 || width < 2 || isUncrossed(rows, upper, position)) return 0;
  return inversions(
    upper.map((element) => rows.down[element]!.map((link) => position[rows.lower[link]!]!)),
    width,
  );
}

/** Is there no crossing at all? Most rows have none, and this is much faster than counting. */
function isUncrossed({ down, lower }: Rows, upper: readonly number[], position: Int32Array): boolean {
  let most = -1;
  for (let i = 0; i < upper.length; i++) {
    const links = down[upper[i]!]!;
    let reach = most;
    for (let j = 0; j < links.length; j++) {
      const end = position[lower[links[j]!]!]!;
      if (end < most) return false;
      if (end > reach) reach = end;
    }
    most = reach;
  }
  return true;
}

/**
 * Pairs of lower ends in the wrong order, not counting pairs within one batch; counted with a Fenwick tree.
 * Source: Barth, Jünger, Mutzel, Simple and Efficient Bilayer Cross Counting, 2002.
 */
function inversions(batches: readonly (readonly number[])[], width: number): number {
  const tree = new Int32Array(width + 1);
  let [sum, seen] = [0, 0];
  for (let batch = 0; batch < batches.length; batch++) {
    const ends = batches[batch]!;
    for (let j = 0; j < ends.length; j++) {
      sum += seen;
      for (let i = ends[j]! + 1; i > 0; i &= i - 1) sum -= tree[i]!;
    }
    for (let j = 0; j < ends.length; j++) {
      for (let i = ends[j]! + 1; i <= width; i += i & -i) tree[i] = tree[i]! + 1;
    }
    seen += ends.length;
  }
  return sum;
}

/** Lower ends of the links of an element, in batches that leave it at one point, from left to right. */
function ends({ down, lower, slots }: Rows, element: number, position: Int32Array): number[][] {
  const links = down[element]!;
  const at = [...new Set(links.map((link) => slots!.upper[link]!))].sort((a, b) => a - b);
  return at.map((slot) =>
    links
      .filter((link) => slots!.upper[link] === slot)
      .map((link) => position[lower[link]!]! * SLOTS + slots!.lower[link]!),
  );
}

/** How the number of crossings changes when `a` and its right neighbour `b` change places; below 0 where it falls. */
export function swapChange(
  { up, down, upper, lower, slots }: Rows,
  position: Int32Array,
  a: number,
  b: number,
): number {
  const above = changeOnOneSide(up[a]!, up[b]!, upper, position, slots?.upper);
  return above + changeOnOneSide(down[a]!, down[b]!, lower, position, slots?.lower);
}

/** The innermost loop of the whole layout, so it allocates nothing. */
function changeOnOneSide(
  left: readonly number[],
  right: readonly number[],
  far: Int32Array,
  position: Int32Array,
  slots: Int32Array | undefined,
): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) {
    const one = left[i]!;
    const end = position[far[one]!]!;
    for (let j = 0; j < right.length; j++) {
      const other = right[j]!;
      let step = end - position[far[other]!]!;
      if (step === 0 && slots) step = slots[one]! - slots[other]!;
      if (step > 0) sum -= 1;
      else if (step < 0) sum += 1;
    }
  }
  return sum;
}
