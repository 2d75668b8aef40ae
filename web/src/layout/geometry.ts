/**
 * One level in full: sizes, positions and wires, in flow coordinates from its own corner.
 *
 * Example, the block of layout.ts along the flow: a title of 26, room of 13 for the arrowhead, conv from 39 to 63, a gap of
 * 28, relu from 91 to 115, a gap of 28, add from 143 to 167, and a padding of 14 down to the border at 181.
 */

import type { Offsets } from "./straight.ts";
import type { Level } from "./levels.ts";
import type { Branch, Direction, Size, Wire } from "./model.ts";
import type { Ordered } from "./order.ts";
import { type Extents, coordinates } from "./coordinates.ts";
import type { Shape } from "./shape.ts";
import { ARROW, LEAVE, PADDING, ROW_GAP, TRACK } from "./spacing.ts";
import { type Tracks, tracks } from "./tracks.ts";

export interface Geometry {
  /** Counts distinct geometries, so that it can stand for this one in a key. */
  readonly id: number;
  /** Length along the flow, breadth across it; the breadth is even. */
  readonly along: number;
  readonly across: number;
  /** By child: its middle across, and its start along. */
  readonly middle: Int32Array;
  readonly start: Int32Array;
  /** By net that enters or leaves: its offset from the middle. */
  readonly ins: ReadonlyMap<number, number>;
  readonly outs: ReadonlyMap<number, number>;
  /** Nets as positions in the level's list; points are across0, along0, across1, along1, … */
  readonly wires: readonly Wire[];
}

interface Frame {
  readonly level: Level;
  readonly ordered: Ordered;
  readonly shapes: readonly Shape[];
  readonly x: Int32Array;
  /** By row: where it begins and ends, where the first track after it lies. */
  readonly top: Int32Array;
  readonly bottom: Int32Array;
  readonly turn: Int32Array;
  readonly tracks: Tracks;
  readonly offsets: Offsets;
  readonly along: number;
}

export function geometry(
  level: Level,
  ordered: Ordered,
  shapes: readonly Shape[],
  title: Size,
  direction: Direction,
  id: number,
): Geometry {
  const offsets = offsetsOf(level, ordered, shapes);
  const extents = extentsOf(ordered, shapes);
  const x = coordinates(ordered, extents, offsets);
  const turning = tracks(ordered, offsets, x);
  const head = title.height > 0 ? title.height : PADDING;
  const across = spread(level, x, extents, title, head, direction);
  const least = direction === "TB" ? 0 : title.width + 2 * PADDING;
  const frame = stack(
    { level, ordered, shapes, x, tracks: turning, offsets },
    direction === "TB" ? head : PADDING,
    least,
  );
  const children = level.children.length;
  return {
    id,
    along: frame.along,
    across,
    middle: x.slice(0, children),
    start: Int32Array.from({ length: children }, (_, child) => startOf(frame, child)),
    ins: new Map(level.ins.map((net, i) => [net, x[children + i]! - across / 2])),
    outs: new Map(level.outs.map((net, i) => [net, x[children + level.ins.length + i]! - across / 2])),
    wires: wires(frame),
  };
}

function offsetsOf({ children }: Level, { rows }: Ordered, shapes: readonly Shape[]): Offsets {
  const upper = new Int32Array(rows.upper.length);
  const lower = new Int32Array(rows.upper.length);
  for (let link = 0; link < upper.length; link++) {
    const [a, b, net] = [rows.upper[link]!, rows.lower[link]!, rows.net[link]!];
    if (rows.back[link]) continue;
    if (a < children.length) upper[link] = shapes[a]!.outs.get(net) ?? 0;
    if (b < children.length) lower[link] = shapes[b]!.ins.get(net) ?? 0;
  }
  return { upper, lower };
}

function extentsOf({ rows }: Ordered, shapes: readonly Shape[]): Extents {
  const before = new Int32Array(rows.count);
  const after = new Int32Array(rows.count);
  shapes.forEach((shape, child) => ((before[child] = shape.before), (after[child] = shape.after)));
  return { before, after };
}

/** Shift `x` so that all fits inside, beside or below the title; returns the breadth. */
function spread(
  level: Level,
  x: Int32Array,
  { before, after }: Extents,
  title: Size,
  head: number,
  direction: Direction,
): number {
  let [low, high] = [0, 0];
  if (x.length > 0) [low, high] = [Infinity, -Infinity];
  x.forEach((middle, element) => {
    low = Math.min(low, middle - before[element]!);
    high = Math.max(high, middle + after[element]!);
  });
  let first = direction === "TB" ? PADDING : head;
  let last = PADDING;
  if (direction === "TB") {
    const entry = level.ins.reduce((least, _, i) => Math.min(least, x[level.children.length + i]!), Infinity);
    first = Math.max(first, title.width > 0 ? title.width + 2 * PADDING - (entry - low) : 0);
    const rest = Math.max(0, title.width + 2 * PADDING - (first + high - low + last));
    if (level.ins.length === 0) first += rest >> 1;
    last += rest - (level.ins.length === 0 ? rest >> 1 : 0);
  }
  const across = first + high - low + last;
  for (let i = 0; i < x.length; i++) x[i] = x[i]! + first - low;
  return across + (across % 2);
}

/** Put the rows one after the other, with room for labels, turns and arrowheads between them. */
function stack(given: Omit<Frame, "top" | "bottom" | "turn" | "along">, head: number, least: number): Frame {
  const { level, ordered, shapes } = given;
  const { height } = ordered.rows;
  const [top, bottom, turn] = [new Int32Array(height), new Int32Array(height), new Int32Array(height)];
  // Rows between which nothing is drawn need no room for it.
  const gap = level.links.length > 0 ? ROW_GAP : ROW_GAP / 2;
  let at = level.ins.length > 0 ? 0 : head + (head > PADDING ? LEAVE : 0);
  for (let row = 0; row < height; row++) {
    const boxes = ordered.elements[row]!.filter((element) => element < shapes.length).map((child) => shapes[child]!);
    top[row] = at;
    bottom[row] = at += Math.max(0, ...boxes.map((shape) => shape.room));
    if (row + 1 === height) break;
    const band = row === 0 && level.ins.length > 0 ? head - LEAVE : Math.max(0, ...boxes.map((shape) => shape.label));
    const intoExits = row + 2 === height && level.outs.length > 0;
    turn[row] = at + band + LEAVE;
    const tracked = band + LEAVE + (given.tracks.count[row]! - 1) * TRACK + (intoExits ? LEAVE : ARROW);
    const straight = Math.max(band + ARROW, intoExits ? PADDING : band > 0 && row === 0 ? 0 : gap);
    at += given.tracks.count[row]! > 0 ? Math.max(tracked, straight) : straight;
  }
  const along = Math.max(least, level.outs.length > 0 ? at : at + PADDING);
  if (level.outs.length > 0) top[height - 1] = bottom[height - 1] = along;
  return { ...given, top, bottom, turn, along };
}

/** A box stands at most so far from the start of its row: small ones are centred, but beside a large one they stand near its start. */
const LATE = 12;

function startOf({ ordered, shapes, top, bottom }: Frame, child: number): number {
  const row = ordered.rows.row[child]!;
  const { room, along } = shapes[child]!;
  return top[row]! + Math.min(LATE, (bottom[row]! - top[row]! - room) >> 1) + ((room - along) >> 1);
}

/** Follow each link that ends at a box or border back to where it starts; what starts together is one wire. */
function wires(frame: Frame): Wire[] {
  const { rows } = frame.ordered;
  const bundles: { net: number; start: number; branches: Branch[] }[] = [];
  for (let link = 0; link < rows.upper.length; link++) {
    if (rows.lower[link]! >= rows.ends) continue;
    const chain = [link];
    for (let at = rows.upper[link]!; at >= rows.ends; at = rows.upper[chain[chain.length - 1]!]!) {
      chain.push(rows.up[at]![0]!);
    }
    chain.reverse();
    const [net, start] = [rows.net[link]!, rows.upper[chain[0]!]!];
    const last = bundles[bundles.length - 1];
    if (last && last.net === net && last.start === start && !rows.back[link]) last.branches.push(branch(frame, chain));
    else bundles.push({ net, start: rows.back[link] ? -1 : start, branches: [branch(frame, chain)] });
  }
  return bundles.map(({ net, branches }) => ({ net, branches }));
}

function branch(frame: Frame, chain: readonly number[]): Branch {
  const { ordered, x, offsets } = frame;
  const { rows } = ordered;
  const [first, last] = [chain[0]!, chain[chain.length - 1]!];
  const source = rows.upper[first]!;
  const target = rows.lower[last]!;
  const points = [x[source]! + offsets.upper[first]!, behind(frame, source)];
  for (const link of chain) {
    const track = frame.tracks.of[link]!;
    const [from, to] = [points[points.length - 2]!, x[rows.lower[link]!]! + offsets.lower[link]!];
    if (track < 0 || from === to) continue;
    const along = frame.turn[rows.row[rows.upper[link]!]!]! + track * TRACK;
    points.push(from, along, to, along);
  }
  points.push(x[target]! + offsets.lower[last]!, before(frame, target));
  const back = rows.back[first] === 1;
  const arrow = frame.shapes[back ? source : target]?.closed ?? false;
  return { points: back ? backwards(points) : points, arrow };
}

function behind(frame: Frame, end: number): number {
  return end < frame.shapes.length
    ? startOf(frame, end) + frame.shapes[end]!.along
    : frame.top[frame.ordered.rows.row[end]!]!;
}

function before(frame: Frame, end: number): number {
  return end < frame.shapes.length ? startOf(frame, end) : frame.bottom[frame.ordered.rows.row[end]!]!;
}

function backwards(points: readonly number[]): number[] {
  const turned: number[] = [];
  for (let i = points.length - 2; i >= 0; i -= 2) turned.push(points[i]!, points[i + 1]!);
  return turned;
}
