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

/** Mark the elements of a row of which some link crosses another: the others gain nothing by a move. */
export function markCrossed(rows: Rows, now: Arrangement, row: number, marks: Uint8Array): void {
  for (const element of now.at[row]!) marks[element] = 0;
  if (row > 0) markEnds(rows, now, row - 1, rows.lower, marks);
  if (row + 1 < rows.height) markEnds(rows, now, row, rows.upper, marks);
}

/** A link crosses another if one that starts before it ends behind it, or the other way round. */
function markEnds(rows: Rows, { at, place }: Arrangement, row: number, near: Int32Array, marks: Uint8Array): void {
  const runs: (readonly number[])[] = [];
  const line = at[row]!;
  for (let i = 0; i < line.length; i++) {
    if (rows.slots) runs.push(...batches(rows, line[i]!));
    else runs.push(rows.down[line[i]!]!);
  }
  for (const side of [1, -1]) {
    let most = -Infinity;
    for (let i = 0; i < runs.length; i++) {
      const links = runs[side > 0 ? i : runs.length - 1 - i]!;
      let reach = most;
      for (let j = 0; j < links.length; j++) {
        const end = side * endOf(rows, place, links[j]!);
        if (end < most) marks[near[links[j]!]!] = 1;
        else if (end > reach) reach = end;
      }
      most = reach;
    }
  }
}

function endOf({ lower, slots }: Rows, place: Int32Array, link: number): number {
  return place[lower[link]!]! * SLOTS + (slots ? slots.lower[link]! : 0);
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
