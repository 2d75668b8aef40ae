/**
 * A level as rows, in which every link leads from one row to the next: long nets get a waypoint in each row between.
 *
 * Example: a net leads from row 0 to readers in rows 2 and 3. It gets waypoints in rows 1 and 2, and four links:
 * start ──▶ waypoint 1, waypoint 1 ──▶ first reader, waypoint 1 ──▶ waypoint 2, waypoint 2 ──▶ second reader.
 */

import type { Level } from "./levels.ts";
import { type Directed, directed, ranks } from "./rank.ts";

/** Of more ports than this on one side of a box, the rest count as one while rows are put in order. */
export const SLOTS = 64;

/** Of one child: its nets, as positions in the level's list, from left to right where data enters, and where it leaves. */
export interface PortOrder {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
}

/** By link: which port of its upper and of its lower element it meets, from left to right. */
export interface Slots {
  readonly upper: Int32Array;
  readonly lower: Int32Array;
}

export interface Rows {
  /** Ends (children, entries, exits), then waypoints. */
  readonly count: number;
  readonly ends: number;
  /** Children alone. */
  readonly boxes: number;
  /** By element: its row. */
  readonly row: Int32Array;
  readonly height: number;
  /** Links between neighbouring rows, by upper element: parallel arrays. */
  readonly upper: Int32Array;
  readonly lower: Int32Array;
  readonly net: Int32Array;
  /** 1 where the data flows upwards. */
  readonly back: Uint8Array;
  /** Links by element, as positions in the arrays above. */
  readonly down: readonly (readonly number[])[];
  readonly up: readonly (readonly number[])[];
  /** By element: the link that leads further down than those of all its other nets, or -1. */
  readonly onward: Int32Array;
  /** By child: 1 where nothing leads to it from outside or from what belongs at the start. */
  readonly floats: Uint8Array;
  /** Null while elements count as points. */
  readonly slots: Slots | null;
}

/** Rank a level and cut long links; all readers of a net share its waypoints, so that it runs as one bus. */
export function rowsOf(level: Level): Rows {
  const drawn = directed(level);
  const ranked = ranks(level, drawn);
  const rank = Array.from(ranked.rank);
  const [upper, lower, net, back]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const [start, end] of bundles(drawn)) {
    const waypoint = new Map<number, number>();
    for (const i of sortedByRow(drawn, rank, start, end)) {
      const [a, b, name, turned] = drawn.links.slice(4 * i, 4 * i + 4) as [number, number, number, number];
      let at = a;
      for (let row = rank[a]! + 1; row < rank[b]!; row++) {
        let next = waypoint.get(row);
        if (next === undefined) {
          waypoint.set(row, (next = rank.push(row) - 1));
          (upper.push(at), lower.push(next), net.push(name), back.push(turned));
        }
        at = next;
      }
      (upper.push(at), lower.push(b), net.push(name), back.push(turned));
    }
  }
  return { ...indexed(level.children.length, drawn.count, rank, { upper, lower, net, back }), floats: ranked.floats };
}

/** Runs of links that share their start and net; a link that leads back is a run of its own. */
function bundles({ links }: Directed): [number, number][] {
  const runs: [number, number][] = [];
  const count = links.length / 4;
  const same = (i: number, j: number): boolean =>
    links[4 * i] === links[4 * j] && links[4 * i + 2] === links[4 * j + 2] && !links[4 * i + 3] && !links[4 * j + 3];
  for (let start = 0, i = 1; i <= count; i++) {
    if (i === count || !same(start, i)) (runs.push([start, i]), (start = i));
  }
  return count === 0 ? [] : runs;
}

function sortedByRow({ links }: Directed, rank: readonly number[], start: number, end: number): number[] {
  const order = Array.from({ length: end - start }, (_, i) => start + i);
  return order.sort((i, j) => rank[links[4 * i + 1]!]! - rank[links[4 * j + 1]!]! || i - j);
}

interface Links {
  readonly upper: number[];
  readonly lower: number[];
  readonly net: number[];
  readonly back: number[];
}

function indexed(boxes: number, ends: number, rank: readonly number[], links: Links): Omit<Rows, "floats"> {
  const down: number[][] = rank.map(() => []);
  const up: number[][] = rank.map(() => []);
  links.upper.forEach((element, i) => down[element]!.push(i));
  links.lower.forEach((element, i) => up[element]!.push(i));
  const height = rank.reduce((most, row) => Math.max(most, row + 1), 0);
  return {
    count: rank.length,
    ends,
    boxes,
    row: Int32Array.from(rank),
    height,
    upper: Int32Array.from(links.upper),
    lower: Int32Array.from(links.lower),
    net: Int32Array.from(links.net),
    back: Uint8Array.from(links.back),
    down,
    up,
    onward: onward(rank, height, links, down),
    slots: null,
  };
}

/** Elements by row, in their own order. */
export function byRow(row: ArrayLike<number>, height: number): number[][] {
  const elements: number[][] = Array.from({ length: height }, () => []);
  for (let element = 0; element < row.length; element++) elements[row[element]!]!.push(element);
  return elements;
}

/** Where several wires leave an element, the one that leads furthest down is the main one; the others are side outputs. */
function onward(rank: readonly number[], height: number, { lower, net }: Links, down: readonly number[][]): Int32Array {
  const lowest = Int32Array.from(rank);
  const chosen = new Int32Array(rank.length).fill(-1);
  for (const element of byRow(rank, height).reverse().flat()) {
    let [best, most, second] = [-1, -1, -1];
    for (const link of down[element]!) {
      const reach = lowest[lower[link]!]!;
      if (reach > most) [best, most, second] = [link, reach, best >= 0 && net[best] !== net[link] ? most : second];
      else if (net[link] !== net[best]) second = Math.max(second, reach);
    }
    if (best >= 0) lowest[element] = Math.max(rank[element]!, most);
    if (second >= 0 && second < most) chosen[element] = best;
  }
  return chosen;
}

/** Rows with distinct ports: `ports` gives the order of nets that each child prefers, or null where it has no preference. */
export function withSlots(rows: Rows, ports: readonly (PortOrder | null)[]): Rows {
  const count = rows.upper.length;
  const slots = { upper: new Int32Array(count), lower: new Int32Array(count) };
  for (let link = 0; link < count; link++) {
    const outs = ports[rows.upper[link]!]?.outs;
    const ins = ports[rows.lower[link]!]?.ins;
    if (outs) slots.upper[link] = Math.min(SLOTS - 1, Math.max(0, outs.indexOf(rows.net[link]!)));
    if (ins) slots.lower[link] = Math.min(SLOTS - 1, Math.max(0, ins.indexOf(rows.net[link]!)));
  }
  return { ...rows, slots };
}
