/** Positions across the flow: chains straight, neighbours apart, wires short. */

import { type Chains, type Offsets, align, yielding } from "./align.ts";
import type { Ordered } from "./order.ts";
import { BOX_GAP, BOX_WIRE_GAP, WIRE_GAP } from "./spacing.ts";

/** Room that elements take before and after their middles. */
export interface Extents {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

const ROUNDS = 6;
/** What a bend costs, in pixels of wire. */
const BEND = 30;

/** The middles of the elements, whole numbers; the best of four alignments. */
export function place(ordered: Ordered, extents: Extents, offsets: Offsets): Int32Array {
  const gives = yielding(ordered);
  let best: Int32Array | null = null;
  let least = Infinity;
  for (const down of [true, false]) {
    for (const left of [true, false]) {
      const found = settle(ordered, extents, offsets, align(ordered, offsets, gives, down, left));
      const price = cost(ordered, extents, offsets, found);
      if (price < least) [best, least] = [found, price];
    }
  }
  return best ?? new Int32Array(0);
}

/** The neighbours of chains: who must stand how far right of whom, as arrays by chain. */
interface Constraints {
  readonly order: readonly number[];
  readonly left: readonly (readonly (readonly [number, number])[])[];
  readonly right: readonly (readonly (readonly [number, number])[])[];
}

function settle(ordered: Ordered, extents: Extents, offsets: Offsets, chains: Chains): Int32Array {
  const constraints = constrain(ordered, extents, chains);
  const at = new Int32Array(ordered.rows.count);
  for (const chain of constraints.order) {
    at[chain] = constraints.left[chain]!.reduce((most, [other, gap]) => Math.max(most, at[other]! + gap), 0);
  }
  const wishes = wishesOf(ordered, offsets, chains);
  for (let round = 0, moved = true; moved && round < ROUNDS; round++) {
    const order = round % 2 === 0 ? [...constraints.order].reverse() : constraints.order;
    moved = false;
    for (const chain of order) moved = slide(chain, at, constraints, wishes) || moved;
  }
  return at.map((_, element) => at[chains.root[element]!]! + chains.shift[element]!);
}

function constrain(ordered: Ordered, extents: Extents, { root, shift }: Chains): Constraints {
  const { rows, at } = ordered;
  const left: [number, number][][] = Array.from({ length: rows.count }, () => []);
  const right: [number, number][][] = Array.from({ length: rows.count }, () => []);
  for (const line of at) {
    for (let i = 1; i < line.length; i++) {
      const [a, b] = [line[i - 1]!, line[i]!];
      const gap = extents.after[a]! + between(ordered, a, b) + extents.before[b]! + shift[a]! - shift[b]!;
      left[root[b]!]!.push([root[a]!, gap]);
      right[root[a]!]!.push([root[b]!, gap]);
    }
  }
  return { order: sorted(root, left, right), left, right };
}

function between({ rows }: Ordered, a: number, b: number): number {
  const wires = Number(isWire(rows, a)) + Number(isWire(rows, b));
  return wires === 2 ? WIRE_GAP : wires === 1 ? BOX_WIRE_GAP : BOX_GAP;
}

function isWire(rows: Ordered["rows"], element: number): boolean {
  return element >= rows.boxes;
}

/** Chains from left to right. */
function sorted(root: Int32Array, left: Constraints["left"], right: Constraints["right"]): number[] {
  const waits = left.map((list) => list.length);
  const order: number[] = [];
  root.forEach((chain, element) => {
    if (chain === element && waits[chain] === 0) order.push(chain);
  });
  for (let i = 0; i < order.length; i++) {
    for (const [other] of right[order[i]!]!) if (--waits[other]! === 0) order.push(other);
  }
  return order;
}

/** For each chain: other chains it is linked to, how far from them it would like to stand, and how much. */
type Wishes = readonly (readonly (readonly [number, number, number])[])[];

function wishesOf({ rows }: Ordered, offsets: Offsets, { root, shift }: Chains): Wishes {
  const wishes: [number, number, number][][] = Array.from({ length: rows.count }, () => []);
  for (let link = 0; link < rows.upper.length; link++) {
    const [a, b] = [rows.upper[link]!, rows.lower[link]!];
    if (root[a] === root[b]) continue;
    const step = shift[a]! + offsets.upper[link]! - shift[b]! - offsets.lower[link]!;
    const weight = weightOf(rows, a, b);
    wishes[root[b]!]!.push([root[a]!, step, weight]);
    wishes[root[a]!]!.push([root[b]!, -step, weight]);
  }
  return wishes;
}

/** Long nets should bend least, a wire between two boxes next. */
function weightOf(rows: Ordered["rows"], a: number, b: number): number {
  if (a >= rows.ends && b >= rows.ends) return 4;
  return a >= rows.ends || b >= rows.ends ? 1 : 2;
}

/** Move a chain as near to its wish as its neighbours allow. */
function slide(chain: number, at: Int32Array, { left, right }: Constraints, wishes: Wishes): boolean {
  if (wishes[chain]!.length === 0) return false;
  const low = left[chain]!.reduce((most, [other, gap]) => Math.max(most, at[other]! + gap), -Infinity);
  const high = right[chain]!.reduce((least, [other, gap]) => Math.min(least, at[other]! - gap), Infinity);
  const goal = Math.min(high, Math.max(low, median(wishes[chain]!, at)));
  if (goal === at[chain]) return false;
  at[chain] = goal;
  return true;
}

function median(wishes: Wishes[number], at: Int32Array): number {
  const goals = wishes.map(([other, step, weight]) => [at[other]! + step, weight] as const);
  goals.sort((a, b) => a[0] - b[0]);
  const half = goals.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let sum = 0;
  for (const [goal, weight] of goals) {
    sum += weight;
    if (sum >= half) return goal;
  }
  return goals[goals.length - 1]![0];
}

/** Bends, length of wire across the flow, and breadth. */
function cost({ rows, at }: Ordered, extents: Extents, offsets: Offsets, x: Int32Array): number {
  let price = 0;
  for (let link = 0; link < rows.upper.length; link++) {
    const [a, b] = [rows.upper[link]!, rows.lower[link]!];
    const step = Math.abs(x[a]! + offsets.upper[link]! - x[b]! - offsets.lower[link]!);
    if (step > 0) price += (step + BEND) * weightOf(rows, a, b);
  }
  let [low, high] = [Infinity, -Infinity];
  for (const line of at) {
    if (line.length === 0) continue;
    low = Math.min(low, x[line[0]!]! - extents.before[line[0]!]!);
    high = Math.max(high, x[line[line.length - 1]!]! + extents.after[line[line.length - 1]!]!);
  }
  return price + 2 * (high - low);
}
