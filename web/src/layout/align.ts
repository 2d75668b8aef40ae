/**
 * Chains of elements that shall stand in line.
 * Source: Brandes, Köpf, Fast and Simple Horizontal Coordinate Assignment, 2001, with ports as in Rüegg et al., 2015.
 */

import type { Ordered } from "./order.ts";

/** Offsets of links from the middles of the elements that they join. */
export interface Offsets {
  readonly upper: Int32Array;
  readonly lower: Int32Array;
}

/** By element: the first element of its chain, and how far right of it it stands. */
export interface Chains {
  readonly root: Int32Array;
  readonly shift: Int32Array;
}

/** Links that must not be straight: they cross a long net, or would bend one that passes. */
export function yielding({ rows, at, place }: Ordered): Uint8Array {
  const gives = new Uint8Array(rows.upper.length);
  for (let row = 1; row < rows.height; row++) crossLong({ rows, at, place }, row, gives);
  for (let element = rows.ends; element < rows.count; element++) {
    const passes = rows.down[element]!.some((link) => rows.lower[link]! >= rows.ends);
    if (passes) for (const link of rows.down[element]!) if (rows.lower[link]! < rows.ends) gives[link] = 1;
  }
  return gives;
}

/** Mark short links between a row and the one above that cross a piece of a long net. */
function crossLong({ rows, at, place }: Pick<Ordered, "rows" | "at" | "place">, row: number, gives: Uint8Array): void {
  const line = at[row]!;
  let [left, done] = [0, 0];
  for (let i = 0; i < line.length; i++) {
    const inner = innerAbove(rows, line[i]!);
    if (inner < 0 && i + 1 < line.length) continue;
    const right = inner < 0 ? at[row - 1]!.length : place[inner]!;
    for (; done <= i; done++) {
      if (line[done]! >= rows.ends) continue;
      for (const link of rows.up[line[done]!]!) {
        const seat = place[rows.upper[link]!]!;
        if (seat < left || seat > right) gives[link] = 1;
      }
    }
    left = right;
  }
}

/** The waypoint above a waypoint, or -1. */
function innerAbove(rows: Ordered["rows"], element: number): number {
  if (element < rows.ends) return -1;
  const above = rows.upper[rows.up[element]![0]!]!;
  return above >= rows.ends ? above : -1;
}

/** Line every element up with the middle one of its links, downwards or upwards, preferring the left or the right. */
export function align(ordered: Ordered, offsets: Offsets, gives: Uint8Array, down: boolean, left: boolean): Chains {
  const { rows, at, place } = ordered;
  const root = Int32Array.from({ length: rows.count }, (_, i) => i);
  const shift = new Int32Array(rows.count);
  const [links, far] = down ? [rows.up, rows.upper] : [rows.down, rows.lower];
  const [here, there] = down ? [offsets.lower, offsets.upper] : [offsets.upper, offsets.lower];
  for (let step = 0; step < rows.height; step++) {
    const line = at[down ? step : rows.height - 1 - step]!;
    let taken = left ? -1 : Infinity;
    for (let i = 0; i < line.length; i++) {
      const element = line[left ? i : line.length - 1 - i]!;
      const sorted = [...links[element]!].sort((a, b) => place[far[a]!]! - place[far[b]!]! || there[a]! - there[b]!);
      for (const link of middles(sorted, left)) {
        const seat = place[far[link]!]!;
        if (gives[link] || (left ? seat <= taken : seat >= taken)) continue;
        root[element] = root[far[link]!]!;
        shift[element] = shift[far[link]!]! + there[link]! - here[link]!;
        taken = seat;
        break;
      }
    }
  }
  return { root, shift };
}

function middles(sorted: readonly number[], left: boolean): number[] {
  if (sorted.length === 0) return [];
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return low === high ? [low] : left ? [low, high] : [high, low];
}
