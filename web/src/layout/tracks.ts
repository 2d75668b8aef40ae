/**
 * Between two rows: which wire turns at which height, so that wires cross seldom and never lie on one another.
 *
 * Turns are ordered from top to bottom by the crossings that each order of a pair costs, then each takes the first track
 * that is free. Source: Sander, Layout of Directed Hypergraphs with Orthogonal Hyperedges, 2003.
 *
 * Example: a turns from 10 to 50, b from 30 to 70. With a above b they cross twice: a comes down at 50 through b, and b
 * comes down at 30 through a. With b above a they do not cross, so b takes track 0 and a track 1.
 */

import type { Offsets } from "./straight.ts";
import type { Ordered } from "./order.ts";
import { TRACK } from "./spacing.ts";

/** For each link: the track on which it turns, or -1 where it is straight; and by row, how many tracks follow it. */
export interface Tracks {
  readonly of: Int32Array;
  readonly count: Int32Array;
}

/** A wire that turns: links of one net from one start, with their lower ends; positions across the flow. */
interface Turn {
  readonly links: readonly number[];
  readonly from: number;
  readonly to: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** More turns than this in one gap are taken from left to right, without looking for the best order. */
const PAIRS = 200;
/** Price of two wires lying on one another, in crossings. */
const OVERLAP = 1000;
/** Price of two wires running so near that they are hard to tell apart. */
const NEAR = 1;

export function tracks(ordered: Ordered, offsets: Offsets, x: Int32Array): Tracks {
  const of = new Int32Array(ordered.rows.upper.length).fill(-1);
  const count = new Int32Array(ordered.rows.height);
  for (let row = 0; row + 1 < ordered.rows.height; row++) {
    const turning = turns(ordered, offsets, x, row);
    if (turning.length > 0) count[row] = assign(sequence(turning), of);
  }
  return { of, count };
}

function turns(ordered: Ordered, offsets: Offsets, x: Int32Array, row: number): Turn[] {
  const { rows, elements } = ordered;
  const turning: Turn[] = [];
  for (const element of elements[row]!) {
    for (const links of bundles(rows, offsets, rows.down[element]!)) {
      const from = x[element]! + offsets.upper[links[0]!]!;
      const to = links.map((link) => x[rows.lower[link]!]! + offsets.lower[link]!);
      if (to.every((end) => end === from)) continue;
      turning.push({ links, from, to, low: Math.min(from, ...to), high: Math.max(from, ...to) });
    }
  }
  return turning;
}

/** Links of one element that leave it as one wire: those of one net, at one point. */
function bundles(
  { net }: Ordered["rows"],
  { upper }: Offsets,
  links: readonly number[],
): readonly (readonly number[])[] {
  if (links.length < 2) return links.length === 0 ? [] : [links];
  const byPort = new Map<string, number[]>();
  for (const link of links) {
    const name = `${net[link]} ${upper[link]}`;
    const bundle = byPort.get(name);
    if (bundle) bundle.push(link);
    else byPort.set(name, [link]);
  }
  return [...byPort.values()];
}

/** From top to bottom: the next turn is the one that costs fewest crossings by lying above all that are left. */
function sequence(turning: Turn[]): Turn[] {
  if (turning.length > PAIRS) return turning.sort((a, b) => a.from - b.from || a.low - b.low);
  const loss = (a: Turn, b: Turn): number => Math.max(0, crossingsAbove(a, b));
  const price = turning.map((a, i) => turning.reduce((sum, b, j) => (i === j ? sum : sum + loss(a, b)), 0));
  const left = turning.map((_, i) => i);
  const order: Turn[] = [];
  while (left.length > 0) {
    let best = 0;
    for (let i = 1; i < left.length; i++) if (price[left[i]!]! < price[left[best]!]!) best = i;
    const [taken] = left.splice(best, 1) as [number];
    order.push(turning[taken]!);
    for (const other of left) price[other] = price[other]! - loss(turning[other]!, turning[taken]!);
  }
  return order;
}

/** How many crossings more (below 0: fewer) there are when `a` turns above `b` than when it turns below. */
function crossingsAbove(a: Turn, b: Turn): number {
  if (a.high < b.low || b.high < a.low) return 0;
  return crossingsOf(a, b) - crossingsOf(b, a);
}

/** Crossings when `a` turns above `b`: what leads down from `a` meets `b`, and what comes down to `b` meets `a`. */
function crossingsOf(a: Turn, b: Turn): number {
  let sum = 0;
  for (const end of a.to) {
    if (end > b.low && end < b.high) sum += 1;
    const apart = Math.abs(end - b.from);
    if (apart < TRACK / 2 && a.from !== end) sum += apart < 2 ? OVERLAP : NEAR;
  }
  if (b.from > a.low && b.from < a.high) sum += 1;
  return sum;
}

/** Give each turn the first track below all that it overlaps; returns how many tracks are used. */
function assign(order: readonly Turn[], of: Int32Array): number {
  const used: number[] = [];
  order.forEach((turn, i) => {
    let track = 0;
    for (let j = 0; j < i; j++) {
      const other = order[j]!;
      if (other.low <= turn.high + TRACK && turn.low <= other.high + TRACK) track = Math.max(track, used[j]! + 1);
    }
    used.push(track);
    turn.links.forEach((link) => (of[link] = track));
  });
  return Math.max(...used) + 1;
}
