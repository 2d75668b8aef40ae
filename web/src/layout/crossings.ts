/** How many links cross between neighbouring rows, for elements seen as points, or as ports in an order of their own. */

import { type Rows, SLOTS } from "./rows.ts";

/** Elements row by row, and the place of each in its row. */
export interface Arrangement {
  readonly at: readonly (readonly number[])[];
  readonly place: Int32Array;
}

export function totalCrossings(rows: Rows, { at, place }: Arrangement): number {
  let sum = 0;
  for (let row = 0; row + 1 < rows.height; row++) {
    const pair = at[row]!.length > 1 && at[row + 1]!.length > 1;
    if (pair || rows.slots) sum += between(rows, at[row]!, place, at[row + 1]!.length);
  }
  return sum;
}

/**
 * Inversions among the lower ends, counted with a Fenwick tree.
 * Source: Barth, Jünger, Mutzel, Simple and Efficient Bilayer Cross Counting, 2002.
 */
function between(rows: Rows, upper: readonly number[], place: Int32Array, width: number): number {
  const unit = rows.slots ? SLOTS : 1;
  const tree = new Int32Array(width * unit + 1);
  let [sum, seen] = [0, 0];
  for (const element of upper) {
    for (const batch of batches(rows, element)) {
      const ends = batch.map((link) => place[rows.lower[link]!]! * unit + (rows.slots?.lower[link] ?? 0));
      for (const end of ends) {
        let before = 0;
        for (let i = end + 1; i > 0; i &= i - 1) before += tree[i]!;
        sum += seen - before;
      }
      for (const end of ends) for (let i = end + 1; i < tree.length; i += i & -i) tree[i] = tree[i]! + 1;
      seen += ends.length;
    }
  }
  return sum;
}

/** Links that leave an element at one point, from left to right. */
function batches({ down, slots }: Rows, element: number): (readonly number[])[] {
  const links = down[element]!;
  if (!slots) return [links];
  const at = [...new Set(links.map((link) => slots.upper[link]!))].sort((a, b) => a - b);
  return at.map((slot) => links.filter((link) => slots.upper[link] === slot));
}

/** Crossings between the links of two neighbours in a row when `a` stands left of `b`, and when right. */
export function pairCrossings(rows: Rows, place: Int32Array, a: number, b: number): [number, number] {
  const found: [number, number] = [0, 0];
  for (const side of [rows.up, rows.down]) {
    const [far, slots] = side === rows.up ? [rows.upper, rows.slots?.upper] : [rows.lower, rows.slots?.lower];
    for (const one of side[a]!) {
      for (const other of side[b]!) {
        const step = place[far[one]!]! - place[far[other]!]! || (slots ? slots[one]! - slots[other]! : 0);
        if (step > 0) found[0] += 1;
        else if (step < 0) found[1] += 1;
      }
    }
  }
  return found;
}
