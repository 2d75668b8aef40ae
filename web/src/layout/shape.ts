/**
 * A box as its surroundings see it: its extents around its middle, and where wires meet it.
 *
 * Example, `add` in the block of layout.ts, 60 × 24, reads relu and the skip: half its breadth is 30, its ports lie at 0
 * (the main one, straight above the port that leaves) and at 14, right of it.
 */

import type { Direction, Size } from "./model.ts";
import { LABEL_GAP, LOOP, PORT_GAP, STUB, TAG_GAP, TAGS } from "./spacing.ts";

/** Sizes in flow coordinates; offsets are across the flow, from the middle of the box. All whole numbers. */
export interface Shape {
  /** Length of the box along the flow, and half its breadth across. */
  readonly along: number;
  readonly half: number;
  /** Room that it takes across, before and after its middle, with all that hangs on it; and along. */
  readonly before: number;
  readonly after: number;
  readonly room: number;
  /** Room for labels behind it, along the flow. */
  readonly label: number;
  /** By net of the level: offset of its port. */
  readonly ins: ReadonlyMap<number, number>;
  readonly outs: ReadonlyMap<number, number>;
  /** Equal for shapes that are equal in all that matters to the level around them. */
  readonly key: string;
  /** Wires that end here have an arrowhead. */
  readonly closed: boolean;
}

/** What hangs on a box. */
export interface Hanging {
  readonly loop: Size | null;
  readonly inTags: readonly Size[];
  readonly outTags: readonly Size[];
}

/** A net that leaves a closed box, with the size of its label. */
export interface Leaving {
  readonly net: number;
  readonly label: Size | null;
}

/** The tags that are drawn: where there are too many, the last one stands for the rest. */
export function fitTags<T>(tags: readonly T[], rest: T): readonly T[] {
  return tags.length <= TAGS ? tags : [...tags.slice(0, TAGS - 1), rest];
}

/** The wires that should run straight into a box and on out of it, as positions among its ports; -1 for none. */
export interface Straight {
  readonly entry: number;
  readonly exit: number;
}

/** The shape of a closed box: what leads straight in stands above what leads straight on. */
export function closedShape(
  size: Size,
  ins: readonly number[],
  outs: readonly Leaving[],
  straight: Straight,
  hanging: Hanging,
  direction: Direction,
): Shape {
  const flat = direction === "TB";
  const spread = outs.reduce((most, { label }) => Math.max(most, gapFor(label, flat)), PORT_GAP);
  const outOffsets = outs.map((_, i) => Math.round((i - (outs.length - 1) / 2) * spread));
  const onward = outOffsets[straight.exit] ?? 0;
  const inOffsets = ins.map((_, i) => onward + (i - straight.entry) * PORT_GAP);
  const need = [...inOffsets, ...outOffsets].reduce((most, at) => Math.max(most, Math.abs(at)), 0) + PORT_GAP / 2;
  const half = Math.max(Math.ceil((flat ? size.width : size.height) / 2), Math.ceil(need));
  const along = flat ? size.height : size.width;
  const labels = outs.map(({ label }, i) => labelRoom(label, outOffsets[i]!, flat));
  const side = hangingRoom(hanging, flat);
  return {
    along,
    half,
    before: Math.max(half + side.before, ...labels.map((room) => room.before)),
    after: Math.max(half + side.after, ...labels.map((room) => room.after)),
    room: Math.max(along, side.along),
    label: Math.max(0, ...labels.map((room) => room.along)),
    ins: new Map(ins.map((net, i) => [net, inOffsets[i]!])),
    outs: new Map(outs.map(({ net }, i) => [net, outOffsets[i]!])),
    key: "",
    closed: true,
  };
}

function gapFor(label: Size | null, flat: boolean): number {
  if (!label) return PORT_GAP;
  return Math.max(PORT_GAP, flat ? label.width + 2 * LABEL_GAP : label.height + LABEL_GAP);
}

/** A label stands right of a wire that leads down, and above one that leads right. */
function labelRoom(
  label: Size | null,
  offset: number,
  flat: boolean,
): { before: number; after: number; along: number } {
  if (!label) return { before: 0, after: 0, along: 0 };
  if (flat) return { before: 0, after: offset + LABEL_GAP + label.width, along: LABEL_GAP + label.height };
  return { before: label.height + LABEL_GAP - offset, after: 0, along: label.width + LABEL_GAP };
}

/** Room for tags beside the box (before it what comes in, after it what goes out) and for the arc of a loop. */
export function hangingRoom(
  { loop, inTags, outTags }: Hanging,
  flat: boolean,
): { before: number; after: number; along: number } {
  const [ins, outs] = [tagRoom(inTags, flat), tagRoom(outTags, flat)];
  const arc = loop ? LOOP + LABEL_GAP + (flat ? loop.width : loop.height) : 0;
  return { before: ins.across, after: Math.max(outs.across, arc), along: Math.max(ins.along, outs.along) };
}

function tagRoom(tags: readonly Size[], flat: boolean): { across: number; along: number } {
  if (tags.length === 0) return { across: 0, along: 0 };
  const width = Math.max(...tags.map((tag) => tag.width));
  const height = tags.reduce((sum, tag) => sum + tag.height + TAG_GAP, -TAG_GAP);
  return flat ? { across: STUB + width, along: height } : { across: STUB + height, along: width };
}

/** A text that is equal for equal shapes. */
export function shapeKey(shape: Omit<Shape, "key">): string {
  const offsets = (ports: ReadonlyMap<number, number>): string =>
    [...ports].map(([net, offset]) => `${net}:${offset}`).join(",");
  const { along, half, before, after, room, label } = shape;
  return `${Number(shape.closed)} ${along} ${half} ${before} ${after} ${room} ${label} ${offsets(shape.ins)} ${offsets(shape.outs)}`;
}
