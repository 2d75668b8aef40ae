/** How many links cross between neighbouring rows, for elements seen as points. */

import type { Rows } from "./rows.ts";

/** Elements row by row, and the place of each in its row. */
export interface Arrangement {
  readonly at: number[][];
  readonly place: Int32Array;
}

export function totalCrossings(rows: Rows, { at, place }: Arrangement): number {
  let sum = 0;
  for (let row = 0; row + 1 < rows.height; row++) {
    if (at[row]!.length > 1 && at[row + 1]!.length > 1) sum += between(rows, at[row]!, place, at[row + 1]!.length);
  }
  return sum;
}

/**
 * Inversions among the lower ends, counted with a Fenwick tree.
 * Source: Barth, Jünger, Mutzel, Simple and Efficient Bilayer Cross Counting, 2002.
 */
function between(rows: Rows, upper: readonly number[], place: Int32Array, width: number): number {
  const tree = new Int32Array(width + 1);
  let [sum, seen] = [0, 0];
  for (const element of upper) {
    const ends = rows.down[element]!.map((link) => place[rows.lower[link]!]!);
    for (const end of ends) {
      let before = 0;
      for (let i = end + 1; i > 0; i &= i - 1) before += tree[i]!;
      sum += seen - before;
    }
    for (const end of ends) for (let i = end + 1; i <= width; i += i & -i) tree[i] = tree[i]! + 1;
    seen += ends.length;
  }
  return sum;
}

/** Crossings between the links of two neighbours in a row when `a` stands left of `b`, and when right. */
export function pairCrossings(rows: Rows, place: Int32Array, a: number, b: number): [number, number] {
  const [left, right] = [0, 0];
  const found: [number, number] = [left, right];
  for (const side of [rows.up, rows.down]) {
    const far = side === rows.up ? rows.upper : rows.lower;
    for (const one of side[a]!) {
      for (const other of side[b]!) {
        const step = place[far[one]!]! - place[far[other]!]!;
        if (step > 0) found[0] += 1;
        else if (step < 0) found[1] += 1;
      }
    }
  }
  return found;
}
