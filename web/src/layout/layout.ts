/**
 * The whole layout: rows and their order from the outside in, sizes from the inside out, positions from the outside in.
 *
 * It is a layered drawing (Sugiyama, Tagawa, Toda, Methods for Visual Understanding of Hierarchical System Structures,
 * 1981), made once for the inside of each open box. Words: a *level* is the inside of one open box, or the whole sheet;
 * a *row* is what the papers call a layer; a *waypoint* is their dummy vertex; a *net* is one tensor with all its
 * readers; a *link* is a piece of a net between two neighbouring rows. *Along* is the direction of flow, *across* the other.
 *
 * Worked example, run by test/layout/example.test.ts: a block with a skip connection; every closed box is 60 × 24.
 *
 *     x ──▶ block [ conv ──▶ relu ──▶ add ] ──▶ output        and x ──▶ add
 *
 * 1. Cut nets at borders (levels.ts). The net of x has readers inside the block. It is cut into x ──▶ block outside, and
 *    entry ──▶ conv, entry ──▶ add inside. Each level can now be laid out alone.
 * 2. Give every element a row (rank.ts, rows.ts). In the block: entry 0, conv 1, relu 2, add 3, exit 4. The link
 *    entry ──▶ add would pass rows 1 and 2, so it gets a waypoint in each.
 * 3. Order each row so that few links cross (order.ts, sift.ts, crossings.ts; arrange.ts asks what an order costs inside
 *    nested boxes). In the block: [entry] [conv, waypoint] [relu, waypoint] [add] [exit], without a crossing.
 * 4. Measure from the inside out (geometry.ts). Across (straight.ts, coordinates.ts): entry, conv, relu, add and exit
 *    stand in one column at 68, the waypoints in another at 111. Along: conv starts at 39, relu at 91, add at 143.
 *    Tracks (tracks.ts): the skip turns once above conv and once above add. The block becomes 126 × 181, and its ports lie
 *    5 right of its middle (shape.ts): a box for the level around it.
 * 5. Place from the outside in. The block stands at (14, 66), so conv stands at (14 + 38, 66 + 39) = (52, 105), straight
 *    below x at (52, 14). The sheet is 154 × 313.
 *
 * Levels that are equal in all that a step reads have equal keys, and are computed once (`Memory`): 32 equal layers cost
 * as much as one, and opening a box costs only what changes.
 */

import { type Arranged, FREE, alike, arrange, mainEntry, remember, constraintsFrom } from "./arrange.ts";
import { type Geometry, geometry } from "./geometry.ts";
import { type Level, type Levels, cut } from "./levels.ts";
import type { Label, Layout, LayoutInput, Size, Tag, Wire } from "./model.ts";
import type { Ordered, PortConstraints } from "./order.ts";
import { type Hanging, type Shape, closedShape, fitTags, hangingRoom, shapeKey } from "./shape.ts";
import { LABEL_GAP, STUB, TAG_GAP } from "./spacing.ts";

export type { Branch, Direction, Label, Layout, LayoutBox, LayoutInput, LayoutNet, Size, Tag, Wire } from "./model.ts";

/** What was laid out before; kept between calls, it makes opening and closing a box cheap. */
export interface Memory {
  readonly orders: Map<string, Ordered>;
  readonly geometries: Map<string, Geometry>;
}

export function newMemory(): Memory {
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
  readonly memory: Memory;
  readonly alike: Int32Array;
  readonly arranged: Map<string, Arranged>;
}

export function layout(input: LayoutInput, memory: Memory = newMemory()): Layout {
  const levels = cut(input);
  const blank = (): null[] => levels.at.map(() => null);
  const tunnels = tunnelTags(input, levels);
  const orders = { alike: alike(levels), arranged: new Map<string, Arranged>() };
  const work: Work = {
    input,
    levels,
    tunnels,
    memory,
    ...orders,
    ordered: blank(),
    geometries: blank(),
    shapes: blank(),
  };
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

/** Outer levels decide in which order wires reach the boxes in them, and ask what that costs inside. */
function orderAll(work: Work): void {
  const { at } = work.levels;
  const constraints: PortConstraints[] = at.map(() => FREE);
  for (const index of [at.length - 1, ...work.input.boxes.keys()]) {
    const level = at[index];
    if (!level) continue;
    const { ordered } = arrange(work, index, constraints[index]!, 0);
    work.ordered[index] = ordered;
    level.children.forEach((child, seat) => {
      const inner = at[child];
      if (inner) constraints[child] = constraintsFrom(level, ordered, seat, inner);
    });
  }
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
  const laidOut = remember(work.memory.geometries, key, (id) => geometry(level, ordered, shapes, title, direction, id));
  work.geometries[index] = laidOut;
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
  const offsets = new Map<number, number>();
  for (const [net, offset] of ports) {
    const name = outer.nets.indexOf(inner.nets[net]!);
    if (name >= 0) offsets.set(name, offset);
  }
  return offsets;
}

function leafShape(work: Work, level: Level, ordered: Ordered, child: number, seat: number): Shape {
  const { ins, outs } = ordered.ports[seat]!;
  const leaving = outs.map((net) => ({ net, label: work.input.nets[level.nets[net]!]!.label }));
  const link = ordered.rows.onward[seat]!;
  const straight = {
    entry: mainEntry(ordered, seat, ins),
    exit: link < 0 ? -1 : outs.indexOf(ordered.rows.net[link]!),
  };
  return closedShape(work.input.boxes[child]!.size, ins, leaving, straight, hanging(work, child), work.input.direction);
}

function positions(work: Work): Layout {
  const count = work.input.boxes.length;
  const blank = (): Float64Array => new Float64Array(count);
  const root = work.geometries[count]!;
  const flat = work.input.direction === "TB";
  const size = flat ? { width: root.across, height: root.along } : { width: root.along, height: root.across };
  const result = {
    ...{ x: blank(), y: blank(), width: blank(), height: blank(), size },
    ...{ wires: [] as Wire[], tags: [] as Tag[], labels: [] as Label[] },
    distinct: work.memory.geometries.size,
  };
  for (const index of [count, ...work.input.boxes.keys()]) if (work.levels.at[index]) putLevel(work, index, result);
  for (let box = 0; box < count; box++) putTags(work, box, result);
  return result;
}

type Result = Layout & { wires: Wire[]; tags: Tag[]; labels: Label[] };

/** Place the children and wires of an open box that stands already. */
function putLevel(work: Work, index: number, result: Result): void {
  const level = work.levels.at[index]!;
  const inside = work.geometries[index]!;
  const flat = work.input.direction === "TB";
  const [x, y] = index < result.x.length ? [result.x[index]!, result.y[index]!] : [0, 0];
  level.children.forEach((child, seat) => {
    const shape = work.shapes[child]!;
    const [across, along] = [inside.middle[seat]! - shape.half, inside.start[seat]!];
    result.x[child] = x + (flat ? across : along);
    result.y[child] = y + (flat ? along : across);
    result.width[child] = flat ? 2 * shape.half : shape.along;
    result.height[child] = flat ? shape.along : 2 * shape.half;
    if (shape.closed) putLabels(work, level, shape, child, result);
  });
  for (const { net, branches } of inside.wires) {
    const moved = branches.map(({ points, arrow }) => ({
      points: points.map((_, i) => (i % 2 === 0 ? x + points[flat ? i : i + 1]! : y + points[flat ? i : i - 1]!)),
      arrow,
    }));
    result.wires.push({ net: level.nets[net]!, branches: moved });
  }
}

function putLabels(work: Work, level: Level, shape: Shape, child: number, result: Result): void {
  const flat = work.input.direction === "TB";
  for (const [name, offset] of shape.outs) {
    const net = level.nets[name]!;
    const label = work.input.nets[net]!.label;
    if (!label) continue;
    const across = (flat ? result.x : result.y)[child]! + shape.half + offset;
    const along = (flat ? result.y : result.x)[child]! + shape.along;
    if (flat) result.labels.push({ net, x: across + LABEL_GAP, y: along + LABEL_GAP });
    else result.labels.push({ net, x: along + LABEL_GAP, y: across - label.height - 1 });
  }
}

function putTags(work: Work, box: number, result: Result): void {
  for (const end of ["reader", "source"] as const) {
    const nets = (end === "reader" ? work.tunnels.ins : work.tunnels.outs)[box]!;
    if (nets.length === 0) continue;
    const groups: readonly (readonly number[])[] = fitTags(
      nets.map((net) => [net]),
      [],
    );
    const named = groups.map((group) => (group.length > 0 ? group : nets.slice(groups.length - 1)));
    stackTags(work, box, end, named, result);
  }
}

/** Top-down, tags stand left of the box that reads and right of the one that makes; left-right, above and below. */
function stackTags(
  work: Work,
  box: number,
  end: Tag["end"],
  groups: readonly (readonly number[])[],
  result: Result,
): void {
  const flat = work.input.direction === "TB";
  const sizes = groups.map((nets) => (nets.length > 1 ? work.input.restTag : work.input.nets[nets[0]!]!.tag));
  const height = sizes.reduce((sum, size) => sum + size.height + TAG_GAP, -TAG_GAP);
  const [x, y, width, tall] = [result.x[box]!, result.y[box]!, result.width[box]!, result.height[box]!];
  let at = flat ? y + Math.round((tall - height) / 2) : end === "reader" ? y - STUB - height : y + tall + STUB;
  groups.forEach((nets, i) => {
    const size = sizes[i]!;
    const left = flat ? (end === "reader" ? x - STUB - size.width : x + width + STUB) : x;
    result.tags.push({ nets, box, end, x: left, y: at, ...size });
    at += size.height + TAG_GAP;
  });
}
