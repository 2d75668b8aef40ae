/**
 * The order of elements within each row, with few crossings.
 *
 * Sweeps down and up the rows: each row is sorted by the mean position of what its elements are linked to in the row
 * before (the barycenter heuristic: Sugiyama, Tagawa, Toda, 1981), and then sifted (sift.ts). Several starting orders are
 * tried, as long as crossings are left.
 *
 * Example: the upper row is [a, b], the lower [c, d]; links are a ──▶ d, b ──▶ c, b ──▶ d, of which one pair crosses. c has
 * the mean 1, d the mean (0 + 1) / 2 = 0.5. Sorted, the lower row is [d, c], and nothing crosses.
 */

import { type Arrangement, crossingsBelow, totalCrossings } from "./crossings.ts";
import type { Level } from "./levels.ts";
import { portOrders } from "./ports.ts";
import { type PortOrder, type Rows, SLOTS, byRow, rowsOf, withSlots } from "./rows.ts";
import { type Working, markMoved, sift, working } from "./sift.ts";

const SWEEPS = 24;
/** Sweeps without gain after which it stops. */
const PATIENCE = 4;
/** Starts that are tried, while there are crossings: at most so many, and so many links in all of them together. */
const ATTEMPTS = 60;
const EFFORT = 5000;
/** As many pairs of elements in one row, in all starts together: what long rows cost. */
const PAIRS = 10000;
/** With more crossings than this nobody follows single wires: fewer starts are tried. */
const TANGLED = 100;
const ATTEMPTS_TANGLED = 3;

/** A level with its rows put in order. */
export interface Ordered {
  /** Counts distinct orders, so that it can stand for this one in a key. */
  readonly id: number;
  readonly rows: Rows;
  readonly elements: readonly (readonly number[])[];
  readonly position: Int32Array;
  /** By child. */
  readonly ports: readonly PortOrder[];
  readonly crossings: number;
  /** The entry that continues a straight wire, or -1. */
  readonly main: number;
}

/** What the surroundings ask of a level: an order of its ports, as positions among them, and which entry is the main one. */
export interface PortConstraints {
  /** Null where the level may choose. */
  readonly entries: readonly number[] | null;
  readonly exits: readonly number[] | null;
  /** Position among the entries, -1 without one. */
  readonly main: number;
}

/** Order a level. `preferred` gives, by child, the order of ports that suits its inside; without it all orders are equal. */
export function order(
  level: Level,
  constraints: PortConstraints,
  id: number,
  preferred?: readonly (PortOrder | null)[],
): Ordered {
  const rows = preferred ? withSlots(rowsOf(level), preferred) : rowsOf(level);
  const firstEntry = level.children.length;
  const firstExit = firstEntry + level.ins.length;
  const entries = (constraints.entries ?? [...level.ins.keys()]).map((i) => firstEntry + i);
  const exits = (constraints.exits ?? [...level.outs.keys()]).map((i) => firstExit + i);
  const fixed = new Set<number>();
  if (entries.length > 0 && constraints.entries) fixed.add(0);
  if (exits.length > 0 && constraints.exits) fixed.add(rows.height - 1);
  const { best, crossings } = fewestCrossings(rows, entries, exits, fixed);
  const ports = portOrders(level, rows, best.position);
  return { id, rows, ...best, ports, crossings, main: constraints.main < 0 ? -1 : firstEntry + constraints.main };
}

/** Crossings with ports put in the order that the level itself gives them. */
export function pointCrossings({ rows, elements, position, crossings }: Ordered): number {
  return rows.slots ? totalCrossings({ ...rows, slots: null }, { elements, position }) : crossings;
}

interface Improved {
  readonly best: Arrangement;
  readonly crossings: number;
}

/** Improve several starts, while there are crossings to get rid of; of equally good ones the first is kept. */
function fewestCrossings(
  rows: Rows,
  entries: readonly number[],
  exits: readonly number[],
  fixed: ReadonlySet<number>,
): Improved {
  const first = initial(rows, entries, exits, inOrder);
  let fewest = improve(rows, first, fixed, true);
  const pairs = first.elements.reduce((sum, { length }) => sum + length * length, 0);
  const attempts = fewest.crossings > TANGLED ? ATTEMPTS_TANGLED : ATTEMPTS;
  const most = Math.min(attempts, EFFORT / rows.upper.length, PAIRS / pairs);
  for (let attempt = 1; attempt < most && fewest.crossings > 0; attempt++) {
    const start =
      attempt === 1 ? initial(rows, entries, exits, reversed) : scattered(rows, fewest.best, fixed, attempt);
    const other = improve(rows, start, fixed, attempt % 2 === 0);
    if (other.crossings < fewest.crossings) fewest = other;
  }
  return fewest;
}

/** The order in which links are followed. */
type Choice = (links: readonly number[]) => readonly number[];

const inOrder: Choice = (links) => links;
const reversed: Choice = (links) => [...links].reverse();

/** Rows in an order that is different for each seed, but the same in every run. */
function scattered(rows: Rows, { elements }: Arrangement, fixed: ReadonlySet<number>, seed: number): Arrangement {
  const mix = (element: number): number => {
    const first = Math.imul(element + 1 + 1000003 * seed, 0x9e3779b1);
    return Math.imul(first ^ (first >>> 15), 0x85ebca6b) >>> 0;
  };
  const scatter = (line: readonly number[]): number[] => [...line].sort((a, b) => mix(a) - mix(b) || a - b);
  return numbered(
    rows,
    elements.map((line, row) => (fixed.has(row) ? [...line] : scatter(line))),
  );
}

/** Depth first from the top, so that chains start out straight; unconnected parts one beside the other. */
function initial(rows: Rows, entries: readonly number[], exits: readonly number[], choice: Choice): Arrangement {
  const at: number[][] = Array.from({ length: rows.height }, () => []);
  const seen = new Uint8Array(rows.count);
  for (const part of parts(rows, entries)) {
    for (const start of part) {
      const stack = [start];
      for (let element = stack.pop(); element !== undefined; element = stack.pop()) {
        if (seen[element]) continue;
        seen[element] = 1;
        at[rows.row[element]!]!.push(element);
        const links = choice(rows.down[element]!);
        for (let i = links.length - 1; i >= 0; i--) stack.push(rows.lower[links[i]!]!);
      }
    }
  }
  if (entries.length > 0) at[0] = [...entries];
  if (exits.length > 0) at[rows.height - 1] = [...exits];
  return numbered(rows, at);
}

/** Connected parts, each sorted by row; the part of the first entry first, then by first child. */
function parts(rows: Rows, entries: readonly number[]): number[][] {
  const part = joined(rows);
  const number = new Map<number, number>();
  for (const entry of entries) if (!number.has(part[entry]!)) number.set(part[entry]!, number.size);
  for (let i = 0; i < rows.count; i++) if (!number.has(part[i]!)) number.set(part[i]!, number.size);
  const sorted: number[][] = Array.from(number, () => []);
  for (const line of byRow(rows.row, rows.height))
    for (const element of line) sorted[number.get(part[element]!)!]!.push(element);
  return sorted;
}

/** By element: a number that is the same for all that links join, however many steps apart. */
function joined({ count, upper, lower }: Rows): Int32Array {
  const part = Int32Array.from({ length: count }, (_, i) => i);
  const of = (element: number): number => {
    while (part[element] !== element) element = part[element] = part[part[element]!]!;
    return element;
  };
  for (let link = 0; link < upper.length; link++) part[of(lower[link]!)] = of(upper[link]!);
  return part.map((_, element) => of(element));
}

function numbered(rows: Rows, elements: readonly (readonly number[])[]): Arrangement {
  const position = new Int32Array(rows.count);
  for (const row of elements) for (let i = 0; i < row.length; i++) position[row[i]!] = i;
  return { elements, position };
}

function improve(rows: Rows, start: Arrangement, fixed: ReadonlySet<number>, downFirst: boolean): Improved {
  const now = working(rows, start);
  let fewest = count(rows, now);
  let best: Arrangement = start;
  for (let sweep = 0, idle = 0; sweep < SWEEPS && idle < PATIENCE && fewest > 0; sweep++, idle++) {
    pass(rows, now, fixed, (sweep % 2 === 0) === downFirst);
    sift(rows, now, fixed);
    const crossings = count(rows, now);
    if (crossings < fewest) {
      fewest = crossings;
      best = { elements: now.elements.map((row) => [...row]), position: now.position.slice() };
      idle = -1;
    }
  }
  return { best, crossings: fewest };
}

/** All crossings; only between rows in which something has moved since are they counted again. */
function count(rows: Rows, now: Working): number {
  let sum = 0;
  for (let row = 0; row + 1 < rows.height; row++) {
    if (now.stale[row] || now.stale[row + 1]) now.below[row] = crossingsBelow(rows, now, row);
    sum += now.below[row]!;
  }
  now.stale.fill(0);
  return sum;
}

/** One sweep: each row sorted by the mean position of what its elements are linked to in the row before. */
function pass(rows: Rows, now: Working, fixed: ReadonlySet<number>, downwards: boolean): void {
  const mean = new Float64Array(rows.count);
  for (let step = 1; step < rows.height; step++) {
    const row = downwards ? step : rows.height - 1 - step;
    const line = now.elements[row]!;
    if (fixed.has(row) || line.length < 2 || !means(rows, now, line, downwards, mean)) continue;
    line.sort((a, b) => mean[a]! - mean[b]! || now.position[a]! - now.position[b]!);
    for (let i = 0; i < line.length; i++) now.position[line[i]!] = i;
    markMoved(now, row);
  }
}

/** Compute the mean of each element of a row; returns whether the row is out of order. */
function means(rows: Rows, { position }: Working, line: readonly number[], up: boolean, mean: Float64Array): boolean {
  const [side, far] = up ? [rows.up, rows.upper] : [rows.down, rows.lower];
  const slots = up ? rows.slots?.upper : rows.slots?.lower;
  let [last, unsorted] = [-Infinity, false];
  for (let i = 0; i < line.length; i++) {
    const links = side[line[i]!]!;
    let sum = 0;
    for (let j = 0; j < links.length; j++) {
      const link = links[j]!;
      sum += slots ? position[far[link]!]! + slots[link]! / SLOTS : position[far[link]!]!;
    }
    const own = links.length > 0 ? sum / links.length : i;
    mean[line[i]!] = own;
    if (own < last) unsorted = true;
    last = own;
  }
  return unsorted;
}
