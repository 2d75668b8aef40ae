/** The whole layout: order from the outside in, sizes from the inside out, positions from the outside in again. */

import { type Geometry, geometry } from "./geometry.ts";
import { type Level, type Levels, cut } from "./levels.ts";
import type { Label, Layout, LayoutInput, Size, Tag, Wire } from "./model.ts";
import { type Ordered, type Wanted, order, pointCrossings } from "./order.ts";
import type { PortOrder } from "./ports.ts";
import { type Hanging, type Shape, closedShape, fitTags, hangingRoom, shapeKey } from "./shape.ts";
import { LABEL_GAP, STUB, TAG_GAP } from "./spacing.ts";

export type { Branch, Direction, Label, Layout, LayoutBox, LayoutInput, LayoutNet, Size, Tag, Wire } from "./model.ts";

/** What was laid out before; kept between calls, it makes opening and closing a box cheap. */
export interface Memory {
  readonly orders: Map<string, Ordered>;
  readonly geometries: Map<string, Geometry>;
}

export function memory(): Memory {
  return { orders: new Map(), geometries: new Map() };
}

/** Tags of tunnels by box, as nets. */
interface Tunnels {
  readonly ins: readonly (readonly number[])[];
  readonly outs: readonly (readonly number[])[];
}

interface Work {
  readonly input: LayoutInput;
  readonly levels: Levels;
  readonly tunnels: Tunnels;
  readonly ordered: (Ordered | null)[];
  readonly geometries: (Geometry | null)[];
  readonly shapes: (Shape | null)[];
  readonly known: Memory;
}

export function layout(input: LayoutInput, known: Memory = memory()): Layout {
  const levels = cut(input);
  const blank = (): null[] => levels.at.map(() => null);
  const tunnels = tunnelTags(input, levels);
  const work: Work = { input, levels, tunnels, known, ordered: blank(), geometries: blank(), shapes: blank() };
  orderAll(work);
  measureAll(work);
  return positions(work);
}

function tunnelTags({ boxes, nets }: LayoutInput, { tunnel }: Levels): Tunnels {
  const ins: number[][] = boxes.map(() => []);
  const outs: number[][] = boxes.map(() => []);
  nets.forEach(({ source, readers }, net) => {
    if (!tunnel[net]) return;
    outs[source]!.push(net);
    for (const reader of readers) ins[reader]!.push(net);
  });
  return { ins, outs };
}

const FREE: Wanted = { entries: null, exits: null, main: -1 };

/** Outer levels decide in which order wires reach the boxes in them. */
function orderAll(work: Work): void {
  const { at } = work.levels;
  const wanted: Wanted[] = at.map(() => FREE);
  for (const index of [at.length - 1, ...work.input.boxes.keys()]) {
    const level = at[index];
    if (!level) continue;
    const ordered = orderWithInside(work, level, wanted[index]!);
    work.ordered[index] = ordered;
    level.children.forEach((child, seat) => {
      const inner = at[child];
      if (inner) wanted[child] = wantedFrom(level, ordered, seat, inner);
    });
  }
}

function ordering(work: Work, level: Level, wanted: Wanted): Ordered {
  return remember(work.known.orders, orderKey(level, wanted), (id) => order(level, wanted, id));
}

/** Where a child's inside pays for the order that its surroundings want, see whether they can follow its own instead. */
function orderWithInside(work: Work, level: Level, wanted: Wanted): Ordered {
  const ordered = ordering(work, level, wanted);
  const liked = level.children.map((child, seat) => likedBy(work, level, ordered, child, seat));
  if (liked.every((ports) => ports === null)) return ordered;
  const asked = liked.map((ports) => (ports ? `${ports.ins.join()}/${ports.outs.join()}` : "")).join(";");
  const other = remember(work.known.orders, `${orderKey(level, wanted)} ${asked}`, (id) =>
    order(level, wanted, id, liked),
  );
  return crossingsWithin(work, level, other) < crossingsWithin(work, level, ordered) ? other : ordered;
}

/** The order of ports that suits a child's inside, as nets of the level; null where it is content with what it gets. */
function likedBy(work: Work, level: Level, ordered: Ordered, child: number, seat: number): PortOrder | null {
  const inner = work.levels.at[child];
  if (!inner || inner.ins.length + inner.outs.length < 3) return null;
  const { crossings } = ordering(work, inner, wantedFrom(level, ordered, seat, inner));
  if (crossings === 0) return null;
  const free = ordering(work, inner, FREE);
  if (crossings <= free.crossings) return null;
  const outer = (ports: readonly number[], first: number, row: readonly number[] | undefined): number[] =>
    ports.length === 0 ? [] : row!.map((element) => level.nets.indexOf(inner.nets[ports[element - first]!]!));
  const firstEntry = inner.children.length;
  return {
    ins: outer(inner.ins, firstEntry, free.at[0]),
    outs: outer(inner.outs, firstEntry + inner.ins.length, free.at[free.at.length - 1]),
  };
}

function crossingsWithin(work: Work, level: Level, ordered: Ordered): number {
  return level.children.reduce((sum, child, seat) => {
    const inner = work.levels.at[child];
    return inner ? sum + ordering(work, inner, wantedFrom(level, ordered, seat, inner)).crossings : sum;
  }, pointCrossings(ordered));
}

/** What an outer level wants of the box at `seat`. */
function wantedFrom(outer: Level, ordered: Ordered, seat: number, inner: Level): Wanted {
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

function remember<T>(known: Map<string, T>, key: string, make: (id: number) => T): T {
  let found = known.get(key);
  if (found === undefined) known.set(key, (found = make(known.size)));
  return found;
}

/** Boxes from the inside out: an open box is as large as what is in it. */
function measureAll(work: Work): void {
  for (let box = work.input.boxes.length - 1; box >= 0; box--) {
    const level = work.levels.at[box];
    if (level) measure(work, box, level, work.input.boxes[box]!.size);
  }
  measure(work, work.levels.at.length - 1, work.levels.at[work.levels.at.length - 1]!, { width: 0, height: 0 });
}

function measure(work: Work, index: number, level: Level, title: Size): void {
  const { direction } = work.input;
  const ordered = work.ordered[index]!;
  const shapes = level.children.map((child, seat) => shapeOf(work, level, ordered, child, seat));
  const key = `${direction} ${ordered.id} ${title.width} ${title.height};${shapes.map((shape) => shape.key).join(";")}`;
  const made = remember(work.known.geometries, key, (id) => geometry(level, ordered, shapes, title, direction, id));
  work.geometries[index] = made;
}

function shapeOf(work: Work, level: Level, ordered: Ordered, child: number, seat: number): Shape {
  const box = work.input.boxes[child]!;
  const shape = box.open ? openShape(work, level, child) : leafShape(work, level, ordered, child, seat);
  return (work.shapes[child] = { ...shape, key: shapeKey(shape) });
}

function hanging(work: Work, child: number): Hanging {
  const rest = work.input.restTag;
  const sizes = (nets: readonly number[]): readonly Size[] =>
    fitTags(
      nets.map((net) => work.input.nets[net]!.tag),
      rest,
    );
  const { ins, outs } = work.tunnels;
  return { loop: work.input.boxes[child]!.loop, inTags: sizes(ins[child]!), outTags: sizes(outs[child]!) };
}

function openShape(work: Work, level: Level, child: number): Shape {
  const inside = work.geometries[child]!;
  const inner = work.levels.at[child]!;
  const side = hangingRoom(hanging(work, child), work.input.direction === "TB");
  const half = inside.across / 2;
  return {
    along: inside.along,
    half,
    before: half + side.before,
    after: half + side.after,
    room: Math.max(inside.along, side.along),
    label: 0,
    ins: outerPorts(level, inner, inside.ins),
    outs: outerPorts(level, inner, inside.outs),
    key: "",
    closed: false,
  };
}

/** Ports by the outer level's nets. */
function outerPorts(outer: Level, inner: Level, ports: ReadonlyMap<number, number>): Map<number, number> {
  const found = new Map<number, number>();
  for (const [net, offset] of ports) {
    const name = outer.nets.indexOf(inner.nets[net]!);
    if (name >= 0) found.set(name, offset);
  }
  return found;
}

function leafShape(work: Work, level: Level, ordered: Ordered, child: number, seat: number): Shape {
  const { ins, outs } = ordered.ports[seat]!;
  const leaving = outs.map((net) => ({ net, label: work.input.nets[level.nets[net]!]!.label }));
  const main = mainEntry(ordered, seat, ins);
  return closedShape(work.input.boxes[child]!.size, ins, main, leaving, hanging(work, child), work.input.direction);
}

/** The wire that should run straight into a box: the main one, else the middle one of those that come from next to it. */
function mainEntry({ rows, main }: Ordered, seat: number, ins: readonly number[]): number {
  const links = rows.up[seat]!.filter((link) => rows.upper[link]! < rows.ends && !rows.back[link]);
  const best = links.find((link) => rows.upper[link] === main);
  if (best !== undefined) return ins.indexOf(rows.net[best]!);
  const leading = links.filter((link) => rows.floats[rows.upper[link]!] !== 1);
  const near = new Set((leading.length > 0 ? leading : links).map((link) => rows.net[link]!));
  const candidates = [...ins.keys()].filter((i) => near.size === 0 || near.has(ins[i]!));
  return candidates.length > 0 ? candidates[(candidates.length - 1) >> 1]! : Math.max(0, (ins.length - 1) >> 1);
}

function positions(work: Work): Layout {
  const count = work.input.boxes.length;
  const blank = (): Float64Array => new Float64Array(count);
  const root = work.geometries[count]!;
  const flat = work.input.direction === "TB";
  const size = flat ? { width: root.across, height: root.along } : { width: root.along, height: root.across };
  const made = {
    ...{ x: blank(), y: blank(), width: blank(), height: blank(), size },
    ...{ wires: [] as Wire[], tags: [] as Tag[], labels: [] as Label[] },
    distinct: work.known.geometries.size,
  };
  for (const index of [count, ...work.input.boxes.keys()]) if (work.levels.at[index]) putLevel(work, index, made);
  for (let box = 0; box < count; box++) putTags(work, box, made);
  return made;
}

type Made = Layout & { wires: Wire[]; tags: Tag[]; labels: Label[] };

/** Place the children and wires of an open box that stands already. */
function putLevel(work: Work, index: number, made: Made): void {
  const level = work.levels.at[index]!;
  const found = work.geometries[index]!;
  const flat = work.input.direction === "TB";
  const [x, y] = index < made.x.length ? [made.x[index]!, made.y[index]!] : [0, 0];
  level.children.forEach((child, seat) => {
    const shape = work.shapes[child]!;
    const [across, along] = [found.middle[seat]! - shape.half, found.start[seat]!];
    made.x[child] = x + (flat ? across : along);
    made.y[child] = y + (flat ? along : across);
    made.width[child] = flat ? 2 * shape.half : shape.along;
    made.height[child] = flat ? shape.along : 2 * shape.half;
    if (shape.closed) putLabels(work, level, shape, child, made);
  });
  for (const { net, branches } of found.wires) {
    const moved = branches.map(({ points, arrow }) => ({
      points: points.map((_, i) => (i % 2 === 0 ? x + points[flat ? i : i + 1]! : y + points[flat ? i : i - 1]!)),
      arrow,
    }));
    made.wires.push({ net: level.nets[net]!, branches: moved });
  }
}

function putLabels(work: Work, level: Level, shape: Shape, child: number, made: Made): void {
  const flat = work.input.direction === "TB";
  for (const [name, offset] of shape.outs) {
    const net = level.nets[name]!;
    const label = work.input.nets[net]!.label;
    if (!label) continue;
    const across = (flat ? made.x : made.y)[child]! + shape.half + offset;
    const along = (flat ? made.y : made.x)[child]! + shape.along;
    if (flat) made.labels.push({ net, x: across + LABEL_GAP, y: along + 2 });
    else made.labels.push({ net, x: along + LABEL_GAP, y: across - label.height - 1 });
  }
}

function putTags(work: Work, box: number, made: Made): void {
  for (const end of ["reader", "source"] as const) {
    const nets = (end === "reader" ? work.tunnels.ins : work.tunnels.outs)[box]!;
    if (nets.length === 0) continue;
    const groups: readonly (readonly number[])[] = fitTags(
      nets.map((net) => [net]),
      [],
    );
    const named = groups.map((group) => (group.length > 0 ? group : nets.slice(groups.length - 1)));
    stackTags(work, box, end, named, made);
  }
}

/** Top-down, tags stand left of the box that reads and right of the one that makes; left-right, above and below. */
function stackTags(work: Work, box: number, end: Tag["end"], groups: readonly (readonly number[])[], made: Made): void {
  const flat = work.input.direction === "TB";
  const sizes = groups.map((nets) => (nets.length > 1 ? work.input.restTag : work.input.nets[nets[0]!]!.tag));
  const height = sizes.reduce((sum, size) => sum + size.height + TAG_GAP, -TAG_GAP);
  const [x, y, width, tall] = [made.x[box]!, made.y[box]!, made.width[box]!, made.height[box]!];
  let at = flat ? y + Math.round((tall - height) / 2) : end === "reader" ? y - STUB - height : y + tall + STUB;
  groups.forEach((nets, i) => {
    const size = sizes[i]!;
    const left = flat ? (end === "reader" ? x - STUB - size.width : x + width + STUB) : x;
    made.tags.push({ nets, box, end, x: left, y: at, ...size });
    at += size.height + TAG_GAP;
  });
}
