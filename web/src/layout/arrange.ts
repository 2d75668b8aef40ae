/**
 * Orders of nested levels together: what is best for a level may cost crossings in the boxes inside it.
 *
 * Source of the problem: Forster, Applying Crossing Reduction Strategies to Layered Compound Graphs, 2002. Here each level
 * is ordered twice where its inside pays for its order: freely, and with the ports of its children as their insides prefer
 * them. The order with fewer crossings, inside and outside together, is kept.
 *
 * Example: nets p and q reach an open box in this order, but inside the reader of q stands left of the reader of p: one
 * crossing. The inside prefers q, p. If the level outside can bring them in this order without a crossing, it does.
 */

import type { Level, Levels } from "./levels.ts";
import { type Ordered, type PortConstraints, order, pointCrossings } from "./order.ts";
import type { PortOrder } from "./rows.ts";

/** The orders that are computed already. */
export interface Orders {
  readonly levels: Levels;
  readonly memory: { readonly orders: Map<string, Ordered> };
  /** By level: a number that is equal for levels that are equal inside, all the way down. */
  readonly alike: Int32Array;
  readonly arranged: Map<string, Arranged>;
}

/** A level in order, and the crossings in it and in all boxes inside. */
export interface Arranged {
  readonly ordered: Ordered;
  readonly crossings: number;
}

export const FREE: PortConstraints = { entries: null, exits: null, main: -1 };
/** Deeper inside than this, the cost of an order does not count. */
const DEEPEST = 12;

/** Number levels so that equal ones, with equal ones inside them, get the same number. */
export function alike({ at }: Levels): Int32Array {
  const numbers = new Map<string, number>();
  const numberOf = new Int32Array(at.length).fill(-1);
  for (const index of [...at.keys()]
    .reverse()
    .slice(1)
    .concat(at.length - 1)) {
    const level = at[index];
    if (!level) continue;
    const inside = level.children.map((child) => numberOf[child]!).join();
    const names = level.children.map((child) => (at[child] ? portNames(level, at[child]) : "")).join(";");
    const key = `${orderKey(level, FREE)} ${inside} ${names}`;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    numberOf[index] = numbers.get(key)!;
  }
  return numberOf;
}

/** The ports of a box, as nets of the level around it. */
function portNames(outer: Level, inner: Level): string {
  const name = (net: number): number => outer.nets.indexOf(inner.nets[net]!);
  return `${inner.ins.map(name).join()}/${inner.outs.map(name).join()}`;
}

/** Order a level under the constraints of its surroundings; where that costs crossings inside, try what its inside prefers. */
export function arrange(work: Orders, index: number, constraints: PortConstraints, depth: number): Arranged {
  const level = work.levels.at[index]!;
  const own = orderKey(level, constraints);
  const key = `${work.alike[index]} ${constraints.entries?.join()};${constraints.exits?.join()};${constraints.main}`;
  const before = work.arranged.get(key);
  if (before) return before;
  const plain = remember(work.memory.orders, own, (id) => order(level, constraints, id));
  let best: Arranged = { ordered: plain, crossings: crossingsWithin(work, level, plain, depth) };
  if (best.crossings > plain.crossings) {
    const preferred = level.children.map((child) => preferredPorts(work, level, child, depth));
    const asked = preferred.map((ports) => (ports ? `${ports.ins.join()}/${ports.outs.join()}` : "")).join(";");
    const other = remember(work.memory.orders, `${own} ${asked}`, (id) => order(level, constraints, id, preferred));
    const crossings = crossingsWithin(work, level, other, depth);
    if (crossings < best.crossings) best = { ordered: other, crossings };
  }
  if (depth < DEEPEST) work.arranged.set(key, best);
  return best;
}

/** The order of ports that suits the inside of a child, as nets of the level; null where it has too few to matter. */
function preferredPorts(work: Orders, level: Level, child: number, depth: number): PortOrder | null {
  const inner = work.levels.at[child];
  if (!inner || inner.ins.length + inner.outs.length < 3 || depth >= DEEPEST) return null;
  const { elements } = arrange(work, child, FREE, depth + 1).ordered;
  const firstEntry = inner.children.length;
  const outer = (ports: readonly number[], first: number, row: readonly number[] | undefined): number[] =>
    ports.length === 0 ? [] : row!.map((element) => level.nets.indexOf(inner.nets[ports[element - first]!]!));
  return {
    ins: outer(inner.ins, firstEntry, elements[0]),
    outs: outer(inner.outs, firstEntry + inner.ins.length, elements[elements.length - 1]),
  };
}

function crossingsWithin(work: Orders, level: Level, ordered: Ordered, depth: number): number {
  const own = pointCrossings(ordered);
  if (depth >= DEEPEST) return own;
  return level.children.reduce((sum, child, seat) => {
    const inner = work.levels.at[child];
    return inner ? sum + arrange(work, child, constraintsFrom(level, ordered, seat, inner), depth + 1).crossings : sum;
  }, own);
}

/** What an outer level asks of the box at `seat`. */
export function constraintsFrom(outer: Level, ordered: Ordered, seat: number, inner: Level): PortConstraints {
  const { ins, outs } = ordered.ports[seat]!;
  const entries = positionsOf(outer, ins, inner, inner.ins);
  const main = inner.ins.length > 0 ? outer.nets[ins[mainEntry(ordered, seat, ins)]!] : undefined;
  return {
    entries,
    exits: positionsOf(outer, outs, inner, inner.outs),
    main: main === undefined ? -1 : inner.ins.findIndex((net) => inner.nets[net] === main),
  };
}

/** Where the outer level's nets, in their order, stand among the inner level's ports. */
function positionsOf(outer: Level, nets: readonly number[], inner: Level, ports: readonly number[]): number[] {
  if (ports.length === 1) return [0];
  const seat = new Map(ports.map((net, i) => [inner.nets[net]!, i]));
  const seats = nets.map((net) => seat.get(outer.nets[net]!)).filter((i) => i !== undefined);
  return seats.length === ports.length ? seats : ports.map((_, i) => i);
}

function orderKey({ first, ins, outs, links, later }: Level, { entries, exits, main }: PortConstraints): string {
  const level = `${first.map(Number).join("")};${ins.length};${outs.length};${links.join()};${later.join()}`;
  return `${level};${entries?.join()};${exits?.join()};${main}`;
}

/** The value under a key; computed now, with the next number, where there is none. */
export function remember<T>(memory: Map<string, T>, key: string, make: (id: number) => T): T {
  let value = memory.get(key);
  if (value === undefined) memory.set(key, (value = make(memory.size)));
  return value;
}

/** The wire that should run straight into a box: the main one, else the middle one of those that come from next to it. */
export function mainEntry({ rows, main }: Ordered, seat: number, ins: readonly number[]): number {
  const links = rows.up[seat]!.filter((link) => rows.upper[link]! < rows.ends && !rows.back[link]);
  const best = links.find((link) => rows.upper[link] === main);
  if (best !== undefined) return ins.indexOf(rows.net[best]!);
  const leading = links.filter((link) => rows.floats[rows.upper[link]!] !== 1);
  const near = new Set((leading.length > 0 ? leading : links).map((link) => rows.net[link]!));
  const candidates = [...ins.keys()].filter((i) => near.size === 0 || near.has(ins[i]!));
  return candidates.length > 0 ? candidates[(candidates.length - 1) >> 1]! : Math.max(0, (ins.length - 1) >> 1);
}
