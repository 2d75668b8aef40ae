/**
 * The row of every child: below all that it reads from, and near to what it is linked to.
 *
 * Longest-path layering, after which children with slack move down to their readers where that shortens more wires than it
 * lengthens. Source: Gansner, Koutsofios, North, Vo, A Technique for Drawing Directed Graphs, 1993, section 2.
 *
 * Example: a ──▶ b ──▶ c ──▶ d, and m ──▶ d. The longest paths give the rows a 0, b 1, c 2, d 3, m 0. m sends one net down
 * and takes none from above, so it moves to row 2, beside c.
 */

import type { Level } from "./levels.ts";

/** How often slack is given to the busier side. */
const ROUNDS = 4;

/** Links between distinct ends, as they are drawn: a link that leads back to an earlier child is turned around. */
export interface Directed {
  /** In fours: upper end, lower end, net, 1 if turned around. */
  readonly links: readonly number[];
  /** Ends: children, entries and exits. */
  readonly count: number;
}

/** Children stand in the order of execution: what leads from a later to an earlier one leads back. */
export function directed(level: Level): Directed {
  const children = level.children.length;
  const links: number[] = [];
  for (let i = 0; i < level.links.length; i += 3) {
    const [from, to, net] = [level.links[i]!, level.links[i + 1]!, level.links[i + 2]!];
    const back = from < children && to < children && from > to;
    links.push(back ? to : from, back ? from : to, net, back ? 1 : 0);
  }
  return { links, count: children + level.ins.length + level.outs.length };
}

export interface Ranks {
  /** The row of every end: entries in row 0, exits in the last one. Rows without anything do not occur. */
  readonly rank: Int32Array;
  /** By child: 1 where no entry and no first child leads to it. */
  readonly floats: Uint8Array;
}

export function ranks(level: Level, { links, count }: Directed): Ranks {
  const children = level.children.length;
  const firstExit = children + level.ins.length;
  const above: number[][] = Array.from({ length: children }, () => []);
  const below: number[][] = Array.from({ length: children }, () => []);
  const drawn = new Int32Array(children);
  for (let i = 0; i < links.length; i += 4) {
    const [upper, lower] = [links[i]!, links[i + 1]!];
    if (lower < children) (above[lower]!.push(upper), (drawn[lower] = drawn[lower]! + 1));
    if (upper < children && lower < children) below[upper]!.push(lower);
  }
  for (let i = 0; i < level.later.length; i += 2) {
    const [a, b] = [level.later[i]!, level.later[i + 1]!];
    const [upper, lower] = a < b ? [a, b] : [b, a];
    above[lower]!.push(upper);
    below[upper]!.push(lower);
  }
  const rank = new Int32Array(count);
  for (let i = 0; i < children; i++) rank[i] = 1 + above[i]!.reduce((most, end) => Math.max(most, rank[end]!), 0);
  const floats = floating(level, above);
  settle(rank, above, below, pull(level, links, floats));
  return { rank: finish(rank, children, firstExit), floats };
}

/** By child: how many nets it sends down inside the level, less those that it takes from above; 1 for what floats. */
function pull(level: Level, links: readonly number[], floats: Uint8Array): Int32Array {
  const weight = new Int32Array(level.children.length);
  const sent = new Map<number, number>();
  for (let i = 0; i < links.length; i += 4) {
    const [upper, lower, net] = [links[i]!, links[i + 1]!, links[i + 2]!];
    if (lower < weight.length) weight[lower] = weight[lower]! - 1;
    if (upper < weight.length && sent.get(upper) !== net) {
      sent.set(upper, net);
      weight[upper] = weight[upper]! + 1;
    }
  }
  return weight.map((own, child) => (floats[child] ? 1 : own));
}

function floating({ first }: Level, above: readonly (readonly number[])[]): Uint8Array {
  const floats = new Uint8Array(first.length);
  above.forEach((ends, child) => {
    floats[child] = !first[child] && ends.every((end) => floats[end] === 1) ? 1 : 0;
  });
  return floats;
}

/** Move children with slack down to their readers where more leads down than up. */
function settle(rank: Int32Array, above: number[][], below: number[][], weight: Int32Array): void {
  for (let round = 0; round < ROUNDS; round++) {
    let moved = false;
    for (let i = above.length - 1; i >= 0; i--) {
      if (weight[i]! <= 0 || below[i]!.length === 0) continue;
      const lowest = below[i]!.reduce((least, end) => Math.min(least, rank[end]!), Infinity) - 1;
      if (lowest > rank[i]!) ((rank[i] = lowest), (moved = true));
    }
    if (!moved) return;
  }
}

/** Put the exits last and close up to row 0. */
function finish(rank: Int32Array, children: number, firstExit: number): Int32Array {
  let last = 0;
  for (let i = 0; i < children; i++) last = Math.max(last, rank[i]!);
  rank.fill(last + 1, firstExit);
  if (firstExit > children) return rank;
  return rank.map((row) => row - 1);
}
