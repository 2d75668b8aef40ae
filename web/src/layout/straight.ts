/**
 * Which links are drawn straight: between each two rows, the heaviest set of links that do not cross.
 *
 * Links that do not cross are an increasing sequence of positions. Source: Jacobson, Vo, Heaviest Increasing/Common
 * Subsequence Problems, 1992.
 *
 * Example: the upper row is [a, b], the lower [c, d]; a long net passes through b ──▶ c (weight 10), which crosses a ──▶ d,
 * a wire on its way out of a box (weight 3). The long net is straight, the wire bends.
 */

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
  const [from, to] = [rows.upper[link]! >= rows.ends, rows.lower[link]! >= rows.ends];
  return from && to ? 10 : from || to ? 3 : 5;
}

/** Chains of elements that stand in line. Every element is in one straight link upwards and one downwards at most. */
export function chains(ordered: Ordered, offsets: Offsets): Chains {
  const { rows, elements } = ordered;
  const root = Int32Array.from({ length: rows.count }, (_, i) => i);
  const shift = new Int32Array(rows.count);
  for (let row = 0; row + 1 < rows.height; row++) {
    for (const link of heaviestUncrossed(ordered, elements[row]!, elements[row + 1]!.length)) {
      const [upper, lower] = [rows.upper[link]!, rows.lower[link]!];
      root[lower] = root[upper]!;
      shift[lower] = shift[upper]! + offsets.upper[link]! - offsets.lower[link]!;
    }
  }
  return { root, shift };
}

/** A heaviest increasing sequence, with a Fenwick tree over places in the lower row of the best sequences ending there. */
function heaviestUncrossed({ rows, position, main }: Ordered, upper: readonly number[], width: number): number[] {
  /** By sequence, named after its last link in the order of looking: that link, its weight, and the sequence before. */
  const [last, weight, before]: [number[], number[], number[]] = [[-1], [0], [0]];
  const tree = new Int32Array(width + 1);
  for (let u = 0; u < upper.length; u++) {
    const links = rows.down[upper[u]!]!;
    const first = last.length;
    for (let j = 0; j < links.length; j++) {
      let best = 0;
      for (let i = position[rows.lower[links[j]!]!]!; i > 0; i &= i - 1)
        if (weight[tree[i]!]! > weight[best]!) best = tree[i]!;
      before.push(best);
      last.push(links[j]!);
      weight.push(weight[best]! + weightHere(rows, position, links[j]!, main));
    }
    for (let j = first; j < last.length; j++) {
      const heavy = weight[j]!;
      for (let i = position[rows.lower[last[j]!]!]! + 1; i <= width; i += i & -i)
        if (heavy > weight[tree[i]!]!) tree[i] = j;
    }
  }
  let best = 0;
  for (let i = width; i > 0; i &= i - 1) if (weight[tree[i]!]! > weight[best]!) best = tree[i]!;
  const links: number[] = [];
  for (; best > 0; best = before[best]!) links.push(last[best]!);
  return links;
}

/** The weight of a link; more for middle links, for the main wire and for what goes on; less for side outputs and side inputs. */
function weightHere(rows: Rows, position: Int32Array, link: number, main: number): number {
  const upper = rows.upper[link]!;
  const above = central(rows.down[upper]!, link, rows.lower, position);
  const below = central(rows.up[rows.lower[link]!]!, link, rows.upper, position);
  const joins = upper === main ? 2 : rows.floats[upper] === 1 ? -1.5 : 0;
  const onward = rows.onward[upper]!;
  const extra = joins + (onward < 0 ? 0 : onward === link ? 1.5 : -4);
  return weightOf(rows, link) + above + below + extra;
}

/** 1 for the middle one of an element's links, falling towards the outer ones; of two middle ones the left counts more. */
function central(links: readonly number[], link: number, far: Int32Array, position: Int32Array): number {
  if (links.length === 1) return ALONE;
  const here = position[far[link]!]!;
  let balance = 0;
  for (let i = 0; i < links.length; i++) {
    const there = position[far[links[i]!]!]!;
    if (there < here) balance += 1;
    else if (there > here) balance -= 1;
  }
  return 1 - Math.abs(balance + 0.1) / (links.length + 1);
}

/** What the only link of an element counts. */
const ALONE = 1 - 0.1 / 2;
