/**
 * Cuts nets at the borders of open boxes; each open box can then be laid out alone, with ports where nets were cut.
 *
 * Example: a tensor is made inside box A, and read by two boxes inside box B. It is cut into four pieces: maker ──▶ exit
 * in A, A ──▶ B in the level around both, entry ──▶ first reader and entry ──▶ second reader in B. It leaves A once and
 * enters B once, however many readers it has there.
 */

import type { LayoutInput } from "./model.ts";
import { READ_AT_ONCE, TUNNEL_READERS, WIRED } from "./spacing.ts";

/** A port stands after the children: first the entries, then the exits. */
export interface Level {
  readonly children: readonly number[];
  /** By child: does it belong at the start? */
  readonly first: readonly boolean[];
  /** The nets that are drawn here; below, a net is a position in this list, so that equal levels look equal. */
  readonly nets: number[];
  /** Nets that enter and leave. */
  readonly ins: number[];
  readonly outs: number[];
  /** Links in threes: from, to, net; ends are positions among children, entries (from `children.length`), and exits. */
  readonly links: number[];
  /** Pairs of children of which the second comes later, although no wire is drawn: tunnels. */
  readonly later: number[];
}

export interface Levels {
  /** By box; the last one is the whole drawing. */
  readonly at: readonly (Level | null)[];
  /** By net: is it drawn as a tunnel? */
  readonly tunnel: Uint8Array;
}

/** An exit, until the number of entries of its level is known. */
const EXIT = -1;

interface Cutter {
  readonly input: LayoutInput;
  readonly at: (Level | null)[];
  readonly seat: Int32Array;
  readonly depth: Int32Array;
  /** By box: the last net that leaves it, and the last net that reaches it. */
  readonly left: Int32Array;
  readonly reached: Int32Array;
}

/** The pieces of one net, in threes: level, from, to. A child is given by its seat, an entry as ENTRY, an exit as EXIT. */
type Pieces = number[];
const ENTRY = -2;

export function cut(input: LayoutInput): Levels {
  const count = input.boxes.length;
  const at = input.boxes.map((box) => (box.open ? emptyLevel(input, box.children) : null));
  at.push(emptyLevel(input, input.top));
  const cutter: Cutter = {
    input,
    at,
    seat: new Int32Array(count),
    depth: new Int32Array(count),
    left: new Int32Array(count).fill(-1),
    reached: new Int32Array(count).fill(-1),
  };
  for (const level of at) level?.children.forEach((child, seat) => (cutter.seat[child] = seat));
  input.boxes.forEach((box, i) => (cutter.depth[i] = box.parent < 0 ? 0 : cutter.depth[box.parent]! + 1));
  const tunnel = overflowing(input);
  for (let net = 0; net < input.nets.length; net++) {
    const pieces = piecesOf(cutter, net);
    if (isTunnel(pieces)) tunnel[net] = 1;
    if (tunnel[net]) keepOrder(cutter, pieces);
    else keepLinks(cutter, net, pieces);
  }
  for (const level of at) if (level) placeExits(level);
  if (input.still) for (const level of at) if (level) inOrder(level);
  return { at, tunnel };
}

function emptyLevel({ boxes }: LayoutInput, children: readonly number[]): Level {
  const first = children.map((child) => boxes[child]!.first);
  return { children, first, nets: [], ins: [], outs: [], links: [], later: [] };
}

/** The pieces of a net, level by level; each piece once, however many readers share it. */
function piecesOf(cutter: Cutter, net: number): Pieces {
  const { source, readers } = cutter.input.nets[net]!;
  const pieces: Pieces = [];
  for (const reader of readers) {
    const [a, b] = siblings(cutter, source, reader);
    if (a === b) continue;
    for (let box = source; box !== a; box = cutter.input.boxes[box]!.parent) {
      if (cutter.left[box] === net) continue;
      cutter.left[box] = net;
      pieces.push(cutter.input.boxes[box]!.parent, cutter.seat[box]!, EXIT);
    }
    for (let box = reader; ; box = cutter.input.boxes[box]!.parent) {
      if (cutter.reached[box] === net) break;
      cutter.reached[box] = net;
      pieces.push(levelOf(cutter, box), box === b ? cutter.seat[a]! : ENTRY, cutter.seat[box]!);
      if (box === b) break;
    }
  }
  return pieces;
}

/** The ancestors of two boxes that stand in the same level; equal where one is inside the other. */
function siblings(cutter: Cutter, a: number, b: number): [number, number] {
  const { boxes } = cutter.input;
  while (cutter.depth[a]! > cutter.depth[b]!) a = boxes[a]!.parent;
  while (cutter.depth[b]! > cutter.depth[a]!) b = boxes[b]!.parent;
  while (a !== b && boxes[a]!.parent !== boxes[b]!.parent) [a, b] = [boxes[a]!.parent, boxes[b]!.parent];
  return [a, b];
}

function levelOf(cutter: Cutter, box: number): number {
  const { parent } = cutter.input.boxes[box]!;
  return parent < 0 ? cutter.at.length - 1 : parent;
}

/** By net: 1 where one of its readers reads too many to have a wire for each. */
function overflowing({ boxes, nets }: LayoutInput): Uint8Array {
  const count = new Int32Array(boxes.length);
  for (const { readers } of nets) for (const reader of readers) count[reader] = count[reader]! + 1;
  const wired = new Int32Array(boxes.length);
  return Uint8Array.from(nets, ({ readers }) => {
    const crowded = readers.filter((reader) => count[reader]! > READ_AT_ONCE);
    for (const reader of crowded) wired[reader] = wired[reader]! + 1;
    return crowded.some((reader) => wired[reader]! > WIRED) ? 1 : 0;
  });
}

/** Does some level have too many readers of it? */
function isTunnel(pieces: Pieces): boolean {
  if (pieces.length <= 3 * TUNNEL_READERS) return false;
  const readers = new Map<number, number>();
  for (let i = 0; i < pieces.length; i += 3) {
    if (pieces[i + 2] !== EXIT) readers.set(pieces[i]!, (readers.get(pieces[i]!) ?? 0) + 1);
  }
  return [...readers.values()].some((count) => count > TUNNEL_READERS);
}

function keepOrder(cutter: Cutter, pieces: Pieces): void {
  for (let i = 0; i < pieces.length; i += 3) {
    const [from, to] = [pieces[i + 1]!, pieces[i + 2]!];
    if (from >= 0 && to >= 0) cutter.at[pieces[i]!]!.later.push(from, to);
  }
}

function keepLinks(cutter: Cutter, net: number, pieces: Pieces): void {
  for (let i = 0; i < pieces.length; i += 3) {
    const level = cutter.at[pieces[i]!]!;
    const name = appended(level.nets, net);
    let from = pieces[i + 1]!;
    let to = pieces[i + 2]!;
    if (from === ENTRY) from = level.children.length + appended(level.ins, name);
    if (to === EXIT) to = EXIT - appended(level.outs, name);
    level.links.push(from, to, name);
  }
}

/** Append an entry unless it is the last one already (the pieces of a net come one after the other); its position. */
function appended(list: number[], entry: number): number {
  if (list[list.length - 1] !== entry) list.push(entry);
  return list.length - 1;
}

function inOrder({ children, later }: Level): void {
  for (let seat = 1; seat < children.length; seat++) later.push(seat - 1, seat);
}

function placeExits(level: Level): void {
  const first = level.children.length + level.ins.length;
  for (let i = 1; i < level.links.length; i += 3) {
    if (level.links[i]! < 0) level.links[i] = first + EXIT - level.links[i]!;
  }
}
