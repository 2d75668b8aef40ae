/**
 * Positions across the flow: chains straight, neighbours apart, wires short.
 *
 * Elements joined by straight links move as one (the blocks of Brandes, Köpf, Fast and Simple Horizontal Coordinate
 * Assignment, 2001). Chains are packed to the left, then each moves to the weighted median of the positions that its links
 * would like (Gansner, Koutsofios, North, Vo, 1993, section 4), and last chains push one another while wires get shorter.
 *
 * Example, the block of layout.ts: entry, conv, relu, add and exit are one chain, with its middle at 0. The two waypoints of
 * the skip are another, which must stand half a box and a gap right of the first: 30 + 13 = 43. Its links would be straight
 * at 0 and at 14 (the port of add); both are too near, so it stays at 43.
 */

import type { Ordered } from "./order.ts";
import { BOX_GAP, BOX_WIRE_GAP, WIRE_GAP } from "./spacing.ts";
import { type Chains, type Offsets, chains, weightOf } from "./straight.ts";

/** Room that elements take before and after their middles. */
export interface Extents {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

const ROUNDS = 6;
/** In levels of more chains than this, chains do not push one another. */
const PUSHED = 600;
const PUSHES = 12;

/** The middles of the elements, whole numbers. */
export function coordinates(ordered: Ordered, extents: Extents, offsets: Offsets): Int32Array {
  const chained = chains(ordered, offsets);
  const separations = separationsOf(ordered, extents, chained);
  const at = new Int32Array(ordered.rows.count);
  for (const chain of separations.order) {
    at[chain] = leftmost(separations.left[chain]!, at, 0);
  }
  const wishes = wishesOf(ordered, offsets, chained);
  for (let round = 0, moved = true; moved && round < ROUNDS; round++) {
    const order = round % 2 === 0 ? [...separations.order].reverse() : separations.order;
    moved = false;
    for (const chain of order) moved = slide(chain, at, separations, wishes) || moved;
  }
  if (separations.order.length <= PUSHED) push(at, separations, wishes);
  const x = at.map((_, element) => at[chained.root[element]!]! + chained.shift[element]!);
  keepColumn(ordered, x);
  return x;
}

/** What enters in a column leaves in it: otherwise a stack of blocks would drift to one side, block by block. */
function keepColumn({ rows, elements, main }: Ordered, x: Int32Array): void {
  const last = elements[elements.length - 1] ?? [];
  if (main >= 0 && last.length === 1 && last[0]! >= rows.boxes && last[0]! < rows.ends) x[last[0]!] = x[main]!;
}

/** How far apart neighbouring chains must stand, by chain and in twos: the other chain, and the least distance to it. */
interface Separations {
  readonly order: readonly number[];
  readonly left: readonly (readonly number[])[];
  readonly right: readonly (readonly number[])[];
}

function separationsOf(ordered: Ordered, extents: Extents, { root, shift }: Chains): Separations {
  const { rows, elements } = ordered;
  /** By pair of neighbouring chains: the widest gap that any row asks for. */
  const gaps = new Map<number, number>();
  for (const line of elements) {
    for (let i = 1; i < line.length; i++) {
      const a = line[i - 1]!;
      const b = line[i]!;
      const gap = extents.after[a]! + gapBetween(ordered, a, b) + extents.before[b]! + shift[a]! - shift[b]!;
      const pair = root[a]! * rows.count + root[b]!;
      const widest = gaps.get(pair);
      if (widest === undefined || widest < gap) gaps.set(pair, gap);
    }
  }
  const left: number[][] = Array.from({ length: rows.count }, () => []);
  const right: number[][] = Array.from({ length: rows.count }, () => []);
  for (const [pair, gap] of gaps) {
    const [a, b] = [Math.floor(pair / rows.count), pair % rows.count];
    left[b]!.push(a, gap);
    right[a]!.push(b, gap);
  }
  return { order: sorted(root, left, right), left, right };
}

function gapBetween({ rows }: Ordered, a: number, b: number): number {
  const wires = Number(isWire(rows, a)) + Number(isWire(rows, b));
  return wires === 2 ? WIRE_GAP : wires === 1 ? BOX_WIRE_GAP : BOX_GAP;
}

function isWire(rows: Ordered["rows"], element: number): boolean {
  return element >= rows.boxes;
}

/** Chains from left to right. */
function sorted(root: Int32Array, left: Separations["left"], right: Separations["right"]): number[] {
  const waits = left.map((list) => list.length / 2);
  const order: number[] = [];
  root.forEach((chain, element) => {
    if (chain === element && waits[chain] === 0) order.push(chain);
  });
  for (let i = 0; i < order.length; i++) {
    const next = right[order[i]!]!;
    for (let j = 0; j < next.length; j += 2) if (--waits[next[j]!]! === 0) order.push(next[j]!);
  }
  return order;
}

/** The links of a chain, in threes: the other chain, at what distance from it the link is straight, and the weight of the link. */
type Wishes = readonly (readonly number[])[];

function wishesOf({ rows }: Ordered, offsets: Offsets, { root, shift }: Chains): Wishes {
  const wishes: number[][] = Array.from({ length: rows.count }, () => []);
  for (let link = 0; link < rows.upper.length; link++) {
    const a = rows.upper[link]!;
    const b = rows.lower[link]!;
    if (root[a] === root[b]) continue;
    const step = shift[a]! + offsets.upper[link]! - shift[b]! - offsets.lower[link]!;
    const weight = weightOf(rows, link);
    wishes[root[b]!]!.push(root[a]!, step, weight);
    wishes[root[a]!]!.push(root[b]!, -step, weight);
  }
  return wishes;
}

/** How far left a chain may stand. */
function leftmost(left: readonly number[], at: Int32Array, most: number): number {
  for (let i = 0; i < left.length; i += 2) most = Math.max(most, at[left[i]!]! + left[i + 1]!);
  return most;
}

function rightmost(right: readonly number[], at: Int32Array): number {
  let least = Infinity;
  for (let i = 0; i < right.length; i += 2) least = Math.min(least, at[right[i]!]! - right[i + 1]!);
  return least;
}

/** Move a chain as near to the median of its wishes as its neighbours allow. */
function slide(chain: number, at: Int32Array, { left, right }: Separations, wishes: Wishes): boolean {
  if (wishes[chain]!.length === 0) return false;
  const low = leftmost(left[chain]!, at, -Infinity);
  const goal = Math.min(rightmost(right[chain]!, at), Math.max(low, median(wishes[chain]!, at)));
  if (goal === at[chain]) return false;
  at[chain] = goal;
  return true;
}

function median(wishes: readonly number[], at: Int32Array): number {
  const goals: (readonly [number, number])[] = [];
  for (let i = 0; i < wishes.length; i += 3) goals.push([at[wishes[i]!]! + wishes[i + 1]!, wishes[i + 2]!]);
  goals.sort((a, b) => a[0] - b[0]);
  const half = goals.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let sum = 0;
  for (const [goal, weight] of goals) {
    sum += weight;
    if (sum >= half) return goal;
  }
  return goals[goals.length - 1]![0];
}

/** Move chains together with those that stand in their way, as long as wires get shorter altogether. */
function push(at: Int32Array, separations: Separations, wishes: Wishes): void {
  for (let round = 0, moved = true; moved && round < PUSHES; round++) {
    moved = false;
    for (const chain of separations.order) {
      for (const side of [1, -1] as const) {
        const ahead = side === 1 ? separations.right : separations.left;
        moved = pushIfShorter(inTheWay(chain, at, ahead, side), at, ahead, wishes, side) || moved;
      }
    }
  }
}

/** A chain and all that it would push when it moves to one side. */
function inTheWay(chain: number, at: Int32Array, ahead: Separations["left"], side: 1 | -1): Set<number> {
  const pushed = new Set([chain]);
  for (const member of pushed) {
    const next = ahead[member]!;
    for (let i = 0; i < next.length; i += 2) {
      if ((at[next[i]!]! - at[member]!) * side <= next[i + 1]!) pushed.add(next[i]!);
    }
  }
  return pushed;
}

/** Move chains together as far as that shortens wires; returns whether they moved. */
function pushIfShorter(
  chains: ReadonlySet<number>,
  at: Int32Array,
  ahead: Separations["left"],
  wishes: Wishes,
  side: 1 | -1,
): boolean {
  let force = 0;
  let room = Infinity;
  for (const chain of chains) {
    const here = at[chain]!;
    const wished = wishes[chain]!;
    for (let i = 0; i < wished.length; i += 3) {
      if (chains.has(wished[i]!)) continue;
      const distance = (at[wished[i]!]! + wished[i + 1]! - here) * side;
      force += distance > 0 ? wished[i + 2]! : -wished[i + 2]!;
      if (distance > 0 && distance < room) room = distance;
    }
    const next = ahead[chain]!;
    for (let i = 0; i < next.length; i += 2) {
      if (!chains.has(next[i]!)) room = Math.min(room, (at[next[i]!]! - here) * side - next[i + 1]!);
    }
  }
  if (force <= 0 || room === Infinity) return false;
  for (const chain of chains) at[chain] = at[chain]! + side * room;
  return true;
}
