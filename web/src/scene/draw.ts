/** Boxes, wires and tags as shapes. */

import { type Font, clean, textWidth } from "./measure.ts";
import type { Path, Rect, Text } from "../contract/scene.ts";
import type { Shape } from "./ink.ts";
import type { Hue, Ink } from "./theme.ts";
import { PLAIN, SMALL, TITLE, type Words } from "./words.ts";

/** Distances on a box, in pixels. */
const LEFT = 11;
const RIGHT = 9;
const GAP = 6;
const BADGE_PAD = 5;
/** The least widths of boxes of one and of two lines: what is alike in kind should be alike in size. */
const LEAST_WIDTH = 64;
const LEAST_WIDTH_TWO = 108;
const ONE_LINE = 24;
const TWO_LINES = 38;
const FRAME_TITLE = 36;
const CORNER = 8;
/** Of dashed lines: the lengths of a dash and of the gap after it, in pixels. */
export const DASH: readonly number[] = [5, 3];

export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function text(
  x: number,
  y: number,
  said: string,
  font: Font,
  fill: Ink,
  anchor: Text["anchor"] = "start",
): Text {
  const kept = clean(said);
  return { kind: "text", x, y, text: kept, ...font, anchor, fill, width: Math.ceil(textWidth(kept, font)) };
}

export function rect(
  area: Area,
  radius: number,
  fill: Ink | null,
  line: Ink | null,
  line_width = 1,
  dashed = false,
): Rect {
  return { kind: "rect", ...area, radius, fill, line, line_width, dashed };
}

function badgeWidth(badge: string): number {
  return badge ? Math.ceil(textWidth(badge, { size: 10, bold: true })) + 2 * BADGE_PAD : 0;
}

/** A pill with the count of repeats, whose right end is at `right`. */
function badge(said: string, right: number, y: number): Shape[] {
  const width = badgeWidth(said);
  return [
    rect({ x: right - width, y, width, height: 15 }, 7.5, "badge", null),
    text(right - width / 2, y + 11, said, { size: 10, bold: true }, "badgeText", "middle"),
  ];
}

function lineWidths({ name, detail, left, right }: Words): [number, number] {
  const first = textWidth(name, TITLE) + (detail ? GAP + textWidth(detail, PLAIN) : 0);
  const second = textWidth(left, SMALL) + (left && right ? 2 * GAP : 0) + textWidth(right, SMALL);
  return [first, second];
}

/** Even, so that the middle is a whole pixel. */
function even(width: number): number {
  return 2 * Math.ceil(width / 2);
}

export function boxSize(words: Words): { width: number; height: number } {
  const [first, second] = lineWidths(words);
  const count = words.badge ? GAP + badgeWidth(words.badge) : 0;
  const width = LEFT + Math.max(first + count, second) + RIGHT;
  const two = words.left !== "" || words.right !== "";
  return { width: Math.max(two ? LEAST_WIDTH_TWO : LEAST_WIDTH, even(width)), height: two ? TWO_LINES : ONE_LINE };
}

/** The title of an open box: what wires must keep clear of. */
export function frameTitleSize(words: Words): { width: number; height: number } {
  const [first, second] = lineWidths(words);
  const count = words.badge ? GAP + badgeWidth(words.badge) : 0;
  return { width: Math.ceil(Math.max(first + count, second)), height: words.left || words.right ? FRAME_TITLE : 26 };
}

/** A closed box; one that can be opened shows the edge of what lies under it. */
export function closedBox(area: Area, words: Words, openable: boolean): Shape[] {
  const { hue, failed } = words;
  const [x, y, width] = [area.x, area.y, area.width];
  const shapes: Shape[] = [];
  if (openable) {
    const below = { x: x + 3, y: y + 3, width: width - 6, height: area.height };
    shapes.push(rect(below, 4, `${hue}.fill`, `${hue}.line`));
  }
  shapes.push(rect(area, 4, `${hue}.fill`, `${hue}.line`, failed ? 2 : 1));
  shapes.push(bar(area, hue));
  const two = words.left !== "" || words.right !== "";
  const base = y + (two ? ((area.height - TWO_LINES) >> 1) + 16 : (area.height >> 1) + 4);
  shapes.push(text(x + LEFT, base, words.name, TITLE, "text"));
  if (words.detail) shapes.push(text(x + LEFT + textWidth(words.name, TITLE) + GAP, base, words.detail, PLAIN, "dim"));
  if (words.badge) shapes.push(...badge(words.badge, x + width - RIGHT + 3, base - 11));
  if (words.left) shapes.push(text(x + LEFT, base + 14, words.left, SMALL, failed ? "error.bar" : "dim"));
  if (words.right) shapes.push(text(x + width - RIGHT, base + 14, words.right, SMALL, "dim", "end"));
  return shapes;
}

/** The coloured edge that tells the family. */
function bar({ x, y, height }: Area, hue: Hue): Path {
  const [top, bottom] = [y, y + height];
  const d = `M${x + 4},${top}A4,4 0 0 0 ${x},${top + 4}L${x},${bottom - 4}A4,4 0 0 0 ${x + 4},${bottom}Z`;
  return { kind: "path", d, fill: `${hue}.bar`, line: null, line_width: 0 };
}

export function endBox(area: Area, words: Words): Shape[] {
  const middle = area.x + area.width / 2;
  const shapes: Shape[] = [rect(area, Math.min(12, area.height / 2), "end.fill", "end.line")];
  const base = area.y + (words.left ? 16 : (area.height >> 1) + 4);
  shapes.push(text(middle, base, words.name, TITLE, "text", "middle"));
  if (words.left) shapes.push(text(middle, area.y + 30, words.left, SMALL, "dim", "middle"));
  return shapes;
}

export function frame(area: Area, words: Words, depth: number, dashed: boolean): Shape[] {
  const fill: Ink = depth % 2 === 0 ? "frame" : "frameInner";
  const line: Ink = words.failed ? "error.bar" : "frameLine";
  const [x, y] = [area.x + 12, area.y];
  const shapes: Shape[] = [rect(area, CORNER, fill, line, 1, dashed), text(x, y + 17, words.name, TITLE, "text")];
  if (words.badge)
    shapes.push(...badge(words.badge, x + textWidth(words.name, TITLE) + GAP + badgeWidth(words.badge), y + 6));
  if (words.left) shapes.push(text(x, y + 30, words.left, SMALL, words.failed ? "error.bar" : "dim"));
  if (words.right) {
    const start = x + (words.left ? textWidth(words.left, SMALL) + 2 * GAP : 0);
    shapes.push(text(start, y + 30, words.right, SMALL, "dim"));
  }
  return shapes;
}
