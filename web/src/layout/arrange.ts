/** Orders of nested levels together: what is best for a level may cost crossings in the boxes inside it. */

import type { Level, Levels } from "./levels.ts";
import { type Ordered, type Wanted, order, pointCrossings } from "./order.ts";
import type { PortOrder } from "./rows.ts";

/** The orders made so far. */
export interface Orders {
  readonly levels: Levels;
  readonly known: { readonly orders: Map<string, Ordered> };
  /** By level: a number that is equal for levels that are equal inside, all the way down. */
  readonly alike: Int32Array;
  readonly arranged: Map<string, Arranged>;
}

/** A level in order, and the crossings in it and in all boxes inside. */
export interface Arranged {
  readonly ordered: Ordered;
  readonly crossings: number;
}

export const FREE: Wanted = { entries: null, exits: null, main: -1 };
/** Deeper inside than this, the cost of an order is not asked for. */
const DEEPEST = 12;

/** Number levels so that equal ones, with equal ones inside them, get the same number. */
export function alike({ at }: Levels): Int32Array {
  const numbers = new Map<string, number>();
  const found = new Int32Array(at.length).fill(-1);
  for (const index of [...at.keys()]
    .reverse()
    .slice(1)
    .concat(at.length - 1)) {
    const level = at[index];
    if (!level) continue;
    const inside = level.children.map((child) => found[child]!).join();
    const names = level.children.map((child) => (at[child] ? portNames(level, at[child]) : "")).join(";");
    const key = `${orderKey(level, FREE)} ${inside} ${names}`;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    found[index] = numbers.get(key)!;
  }
  return found;
}

/** How the ports of a box are called in the level around it. */
function portNames(outer: Level, inner: Level): string {
  const name = (net: number): number => outer.nets.indexOf(inner.nets[net]!);
  return `${inner.ins.map(name).join()}/${inner.outs.map(name).join()}`;
}

/** Order a level as its surroundings want; where its inside pays for that, see whether it can follow its inside. */
export function arrange(work: Orders, index: number, wanted: Wanted, depth: number): Arranged {
  const level = work.levels.at[index]!;
  const own = orderKey(level, wanted);
  const key = `${work.alike[index]} ${wanted.entries?.join()};${wanted.exits?.join()};${wanted.main}`;
  const known = work.arranged.get(key);
  if (known) return known;
  const plain = remember(work.known.orders, own, (id) => order(level, wanted, id));
  let best: Arranged = { ordered: plain, crossings: crossingsWithin(work, level, plain, depth) };
  if (best.crossings > plain.crossings) {
    const liked = level.children.map((child) => likedBy(work, level, child, depth));
    const asked = liked.map((ports) => (ports ? `${ports.ins.join()}/${ports.outs.join()}` : "")).join(";");
    const other = remember(work.known.orders, `${own} ${asked}`, (id) => order(level, wanted, id, liked));
    const crossings = crossingsWithin(work, level, other, depth);
    if (crossings < best.crossings) best = { ordered: other, crossings };
  }
  if (depth < DEEPEST) work.arranged.set(key, best);
  return best;
}

/** The order of ports that suits a child's inside, as nets of the level; null where it has too few to matter. */
function likedBy(work: Orders, level: Level, child: number, depth: number): PortOrder | null {
  const inner = work.levels.at[child];
  if (!inner || inner.ins.length + inner.outs.length < 3 || depth >= DEEPEST) return null;
  const { at } = arrange(work, child, FREE, depth + 1).ordered;
  const firstEntry = inner.children.length;
  const outer = (ports: readonly number[], first: number, row: readonly number[] | undefined): number[] =>
    ports.length === 0 ? [] : row!.map((element) => level.nets.indexOf(inner.nets[ports[element - first]!]!));
  return {
    ins: outer(inner.ins, firstEntry, at[0]),
    outs: outer(inner.outs, firstEntry + inner.ins.length, at[at.length - 1]),
  };
}

function crossingsWithin(work: Orders, level: Level, ordered: Ordered, depth: number): number {
  const own = pointCrossings(ordered);
  if (depth >= DEEPEST) return own;
  return level.children.reduce((sum, child, seat) => {
    const inner = work.levels.at[child];
    return inner ? sum + arrange(work, child, wantedFrom(level, ordered, seat, inner), depth + 1).crossings : sum;
  }, own);
}

/** What an outer level wants of the box at `seat`. */
export function wantedFrom(outer: Level, ordered: Ordered, seat: number, inner: Level): Wanted {
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
  const found = nets.map((net) => seat.get(outer.nets[net]!)).filter((i) => i !== undefined);
  return found.length === ports.length ? found : ports.map((_, i) => i);
}

function orderKey({ first, ins, outs, links, later }: Level, { entries, exits, main }: Wanted): string {
  const level = `${first.map(Number).join("")};${ins.length};${outs.length};${links.join()};${later.join()}`;
  return `${level};${entries?.join()};${exits?.join()};${main}`;
}

/** What is known under a key, or made now with the next number. */
export function remember<T>(known: Map<string, T>, key: string, make: (id: number) => T): T {
  let found = known.get(key);
  if (found === undefined) known.set(key, (found = make(known.size)));
  return found;
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
