/** Which links are drawn straight: between each two rows, the heaviest set of links that do not cross. */

import type { Ordered } from "./order.ts";
import type { Rows } from "./rows.ts";

/** Offsets of links from the middles of the elements that they join. */
export interface Offsets {
  readonly upper: Int32Array;
  readonly lower: Int32Array;
}

/** By element: the first element of the chain of straight links that it is in, and how far right of it it stands. */
export interface Chains {
  readonly root: Int32Array;
  readonly shift: Int32Array;
}

/** Long nets should bend least, a wire between two boxes next. */
export function weightOf(rows: Rows, link: number): number {
  const waypoints = Number(rows.upper[link]! >= rows.ends) + Number(rows.lower[link]! >= rows.ends);
  return waypoints === 2 ? 10 : waypoints === 1 ? 3 : 5;
}

/** Chains of elements that stand in line. Every element is in one straight link upwards and one downwards at most. */
export function chains(ordered: Ordered, offsets: Offsets): Chains {
  const { rows, at } = ordered;
  const root = Int32Array.from({ length: rows.count }, (_, i) => i);
  const shift = new Int32Array(rows.count);
  for (let row = 0; row + 1 < rows.height; row++) {
    for (const link of heaviest(ordered, at[row]!, at[row + 1]!.length)) {
      const [upper, lower] = [rows.upper[link]!, rows.lower[link]!];
      root[lower] = root[upper]!;
      shift[lower] = shift[upper]! + offsets.upper[link]! - offsets.lower[link]!;
    }
  }
  return { root, shift };
}

/** The best set so far that ends with a link: its weight, and the link before. */
interface Best {
  readonly weight: number;
  readonly link: number;
  readonly before: Best | null;
}

/** A heaviest increasing sequence, with a Fenwick tree of maxima over places in the lower row. */
function heaviest({ rows, place, main }: Ordered, upper: readonly number[], width: number): number[] {
  const tree: (Best | null)[] = Array.from({ length: width + 1 }, () => null);
  for (const element of upper) {
    const found: [number, Best][] = [];
    for (const link of rows.down[element]!) {
      const seat = place[rows.lower[link]!]!;
      let before: Best | null = null;
      for (let i = seat; i > 0; i &= i - 1) if (tree[i] && tree[i]!.weight > (before?.weight ?? 0)) before = tree[i]!;
      found.push([seat, { weight: (before?.weight ?? 0) + preference(rows, place, link, main), link, before }]);
    }
    for (const [seat, best] of found) {
      for (let i = seat + 1; i <= width; i += i & -i) if (best.weight > (tree[i]?.weight ?? 0)) tree[i] = best;
    }
  }
  let best: Best | null = null;
  for (let i = width; i > 0; i &= i - 1) if (tree[i] && tree[i]!.weight > (best?.weight ?? 0)) best = tree[i]!;
  const links: number[] = [];
  for (; best; best = best.before) links.push(best.link);
  return links;
}

/** Weight, more in the middle of its ends' links and along the main wire from outside, less from what only joins in. */
function preference(rows: Rows, place: Int32Array, link: number, main: number): number {
  const above = central(rows.down[rows.upper[link]!]!, link, (other) => place[rows.lower[other]!]!);
  const below = central(rows.up[rows.lower[link]!]!, link, (other) => place[rows.upper[other]!]!);
  const extra = rows.upper[link] === main ? 2 : rows.floats[rows.upper[link]!] === 1 ? -1.5 : 0;
  return weightOf(rows, link) + above + below + extra;
}

/** 1 for the middle one of an element's links, falling towards the outer ones; of two middle ones the left counts more. */
function central(links: readonly number[], link: number, place: (link: number) => number): number {
  const here = place(link);
  let [before, after] = [0, 0];
  for (const other of links) {
    if (place(other) < here) before += 1;
    else if (place(other) > here) after += 1;
  }
  return 1 - Math.abs(before - after + 0.1) / (links.length + 1);
}
