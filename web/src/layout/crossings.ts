/** How many links cross between neighbouring rows, for elements seen as points, or as ports in an order of their own. */

import { type Rows, SLOTS } from "./rows.ts";

/** Elements row by row, and the place of each in its row. */
export interface Arrangement {
  readonly at: readonly (readonly number[])[];
  readonly place: Int32Array;
}

export function totalCrossings(rows: Rows, now: Arrangement): number {
  let sum = 0;
  for (let row = 0; row + 1 < rows.height; row++) sum += crossingsBelow(rows, now, row);
  return sum;
}

/** Crossings between a row and the next. */
export function crossingsBelow(rows: Rows, { at, place }: Arrangement, row: number): number {
  const [upper, width] = [at[row]!, at[row + 1]!.length];
  if (rows.slots)
    return inversions(
      upper.flatMap((element) => ends(rows, element, place)),
      width * SLOTS,
    );
  if (upper.length < 2 || width < 2 || isUncrossed(rows, upper, place)) return 0;
  return inversions(
    upper.map((element) => rows.down[element]!.map((link) => place[rows.lower[link]!]!)),
    width,
  );
}

/** Is there no crossing at all? Most rows have none, and this is told much sooner than how many there are. */
function isUncrossed({ down, lower }: Rows, upper: readonly number[], place: Int32Array): boolean {
  let most = -1;
  for (let i = 0; i < upper.length; i++) {
    const links = down[upper[i]!]!;
    let reach = most;
    for (let j = 0; j < links.length; j++) {
      const end = place[lower[links[j]!]!]!;
      if (end < most) return false;
      if (end > reach) reach = end;
    }
    most = reach;
  }
  return true;
}

/**
 * Inversions among the lower ends, those of one batch aside, counted with a Fenwick tree.
 * Source: Barth, Jünger, Mutzel, Simple and Efficient Bilayer Cross Counting, 2002.
 */
function inversions(batches: readonly (readonly number[])[], width: number): number {
  const tree = new Int32Array(width + 1);
  let [sum, seen] = [0, 0];
  for (let batch = 0; batch < batches.length; batch++) {
    const found = batches[batch]!;
    for (let j = 0; j < found.length; j++) {
      sum += seen;
      for (let i = found[j]! + 1; i > 0; i &= i - 1) sum -= tree[i]!;
    }
    for (let j = 0; j < found.length; j++) {
      for (let i = found[j]! + 1; i <= width; i += i & -i) tree[i] = tree[i]! + 1;
    }
    seen += found.length;
  }
  return sum;
}

/** Lower ends of the links of an element, in batches that leave it at one point, from left to right. */
function ends({ down, lower, slots }: Rows, element: number, place: Int32Array): number[][] {
  const links = down[element]!;
  const at = [...new Set(links.map((link) => slots!.upper[link]!))].sort((a, b) => a - b);
  return at.map((slot) =>
    links
      .filter((link) => slots!.upper[link] === slot)
      .map((link) => place[lower[link]!]! * SLOTS + slots!.lower[link]!),
  );
}

/** Crossings more (or, below 0, less) between the links of two neighbours in a row once `a`, left of `b`, is right of it. */
export function turning({ up, down, upper, lower, slots }: Rows, place: Int32Array, a: number, b: number): number {
  const above = crossingsMore(up[a]!, up[b]!, upper, place, slots?.upper);
  return above + crossingsMore(down[a]!, down[b]!, lower, place, slots?.lower);
}

/** The innermost loop of the whole layout: without anything made in it. */
function crossingsMore(
  left: readonly number[],
  right: readonly number[],
  far: Int32Array,
  place: Int32Array,
  slots: Int32Array | undefined,
): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) {
    const one = left[i]!;
    const end = place[far[one]!]!;
    for (let j = 0; j < right.length; j++) {
      const other = right[j]!;
      let step = end - place[far[other]!]!;
      if (step === 0 && slots) step = slots[one]! - slots[other]!;
      if (step > 0) sum -= 1;
      else if (step < 0) sum += 1;
    }
  }
  return sum;
}
