/** Paints the seen part of a picture on a canvas; what is too small to be read is painted simply or not at all. */

import type { Path, Rect, Text } from "../contract/scene.ts";
import { type Camera, type Extent, seen } from "./camera.ts";
import { BUTTON, buttonAt } from "./hit.ts";
import type { Shape } from "../scene/ink.ts";
import { DASH } from "../scene/draw.ts";
import { FONTS } from "../scene/measure.ts";
import { drawSign } from "../scene/sign.ts";
import { LINE_WIDTH } from "../scene/wire.ts";
import { LABEL } from "../scene/words.ts";
import { type Look, colour } from "./look.ts";
import type { Item, Picture } from "./picture.ts";

/** Text lower than this on the screen, in pixels, is left out. */
const LEGIBLE = 4.5;
/** Boxes below this scale have no rounded corners, no buttons, and nothing behind them. */
const DETAILED = 0.35;

interface Brush {
  readonly picture: Picture;
  readonly context: CanvasRenderingContext2D;
  readonly look: Look;
  readonly scale: number;
}

/** Paint everything that `camera` sees; `ratio` is the number of device pixels per CSS pixel. */
export function paint(
  context: CanvasRenderingContext2D,
  picture: Picture,
  look: Look,
  camera: Camera,
  screen: Extent,
  ratio: number,
): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = look.theme.background;
  context.fillRect(0, 0, screen.width * ratio, screen.height * ratio);
  const { scale, x, y } = camera;
  context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
  const brush: Brush = { picture, context, look, scale };
  const items = picture.near(seen(camera, screen)).map((i) => picture.items[i]!);
  const of = (...kinds: Item["group"]["kind"][]): Item[] => items.filter(({ group }) => kinds.includes(group.kind));
  of("frame").forEach((item) => shapes(brush, item));
  wires(brush, of("wire"));
  of("box").forEach((item) => shapes(brush, item));
  if (LABEL.size * scale >= LEGIBLE) of("label").forEach((item) => shapes(brush, item));
  if (scale >= DETAILED / 2) of("tag", "sign").forEach((item) => shapes(brush, item));
  of("legend", "words").forEach((item) => shapes(brush, item));
  marks(brush, picture, of("frame", "box"));
}

function shapes(brush: Brush, item: Item): void {
  const { group } = item;
  const { scale } = brush;
  if ((item.right - item.left) * scale < 1.5 || (item.bottom - item.top) * scale < 1.5) {
    speck(brush, item);
    return;
  }
  let first = true;
  for (const shape of group.shapes) {
    // Behind a box that can be opened lies the edge of another: too fine a detail from afar.
    const behind = first && group.kind === "box" && group.shapes[1]?.kind === "rect" && shape.kind === "rect";
    first = false;
    if (behind && scale < DETAILED) continue;
    one(brush, item, shape);
  }
}

function one(brush: Brush, item: Item, shape: Shape): void {
  if (shape.kind === "rect") rect(brush, item, shape);
  else if (shape.kind === "path") path(brush, item, shape);
  else text(brush, item, shape);
}

function speck(brush: Brush, { group, left, top, right, bottom }: Item): void {
  const { context, scale } = brush;
  const rect = group.shapes.find((shape) => shape.kind === "rect");
  if (!rect?.line) return;
  context.fillStyle = ink(brush, group, rect.line);
  context.fillRect(left, top, Math.max(1 / scale, right - left), Math.max(1 / scale, bottom - top));
}

function ink({ picture, look }: Brush, group: Item["group"], own: string): string {
  return colour(look, group, picture.boxOf.get(group.key), own);
}

function rect(brush: Brush, { group }: Item, shape: Rect): void {
  const { context, scale } = brush;
  const { x, y, width, height, radius } = shape;
  const round = scale >= DETAILED && radius > 0;
  if (round) {
    context.beginPath();
    context.roundRect(x, y, width, height, radius);
  }
  if (shape.fill) {
    context.fillStyle = ink(brush, group, shape.fill);
    if (round) context.fill();
    else context.fillRect(x, y, width, height);
  }
  if (!shape.line || shape.line_width === 0) return;
  context.strokeStyle = ink(brush, group, shape.line);
  context.lineWidth = Math.max(shape.line_width, 0.75 / scale);
  if (shape.dashed) context.setLineDash([...DASH]);
  if (round) context.stroke();
  else context.strokeRect(x, y, width, height);
  if (shape.dashed) context.setLineDash([]);
}

const paths = new WeakMap<Path, Path2D>();

function outline(shape: Path): Path2D {
  let known = paths.get(shape);
  if (!known) paths.set(shape, (known = new Path2D(shape.d)));
  return known;
}

function path(brush: Brush, { group }: Item, shape: Path): void {
  const { context, scale } = brush;
  if (shape.fill) {
    context.fillStyle = ink(brush, group, shape.fill);
    context.fill(outline(shape));
  }
  if (!shape.line) return;
  context.strokeStyle = ink(brush, group, shape.line);
  context.lineWidth = Math.max(shape.line_width, 0.75 / scale);
  context.stroke(outline(shape));
}

function text(brush: Brush, { group }: Item, shape: Text): void {
  const { context, scale } = brush;
  if (shape.size * scale < LEGIBLE) return;
  context.font = `${shape.bold ? "bold " : ""}${shape.size}px ${FONTS}`;
  context.textAlign = shape.anchor === "start" ? "left" : shape.anchor === "middle" ? "center" : "right";
  context.fillStyle = ink(brush, group, shape.fill);
  context.fillText(shape.text, shape.x, shape.y);
}

/** Wires in few strokes: all ordinary ones together, then the followed ones over them. */
function wires(brush: Brush, items: readonly Item[]): void {
  const { context, look, scale } = brush;
  const followed = items.filter(({ group }) => look.followed !== null && group.value === look.followed);
  const plain = followed.length > 0 ? items.filter((item) => !followed.includes(item)) : items;
  context.globalAlpha = look.followed === null ? 1 : 0.45;
  strokeAll(brush, plain, look.theme.wire, LINE_WIDTH);
  context.globalAlpha = 1;
  strokeAll(brush, followed, look.accent, Math.max(2.25, 2 / scale));
}

function strokeAll({ context, scale }: Brush, items: readonly Item[], line: string, width: number): void {
  context.strokeStyle = line;
  context.fillStyle = line;
  context.lineWidth = Math.max(width, 0.75 / scale);
  for (const { group } of items) {
    for (const shape of group.shapes) {
      if (shape.kind !== "path") continue;
      if (shape.line) context.stroke(outline(shape));
      else if (scale >= DETAILED / 2) context.fill(outline(shape));
    }
  }
}

/** Rings around boxes, and the buttons that open and close them. */
function marks(brush: Brush, picture: Picture, items: readonly Item[]): void {
  const { look, scale } = brush;
  for (const item of items) {
    const { group } = item;
    const place = picture.boxOf.get(group.key);
    if (!place) continue;
    const ends = look.ends.has(place.key);
    if (look.found.has(place.key)) ring(brush, place, look.theme["activation.bar"], 2);
    if (ends || place.key === look.hovered) ring(brush, place, look.accent, ends ? 2 : 1.25);
    if (place.key === look.selected) ring(brush, place, look.accent, 2.5);
    const sign = look.colours?.signs.get(place.key);
    if (sign && scale >= DETAILED / 2) for (const shape of drawSign(place, sign)) one(brush, item, shape);
    if (picture.buttons.has(place.key) && scale >= DETAILED)
      button(brush, buttonAt(place, look.flat), place.open, place.key === look.hovered);
  }
}

function ring(
  { context, scale }: Brush,
  place: { x: number; y: number; width: number; height: number },
  line: string,
  width: number,
): void {
  const out = Math.max(1.5, 1 / scale);
  context.strokeStyle = line;
  context.lineWidth = Math.max(width, width / scale / 1.5);
  context.beginPath();
  context.roundRect(place.x - out, place.y - out, place.width + 2 * out, place.height + 2 * out, 5 + out);
  context.stroke();
}

function button({ context, look }: Brush, [x, y]: [number, number], open: boolean, hovered: boolean): void {
  const { theme } = look;
  context.beginPath();
  context.arc(x, y, BUTTON, 0, 2 * Math.PI);
  context.fillStyle = hovered ? look.accent : theme.background;
  context.fill();
  context.strokeStyle = hovered ? look.accent : theme.frameLine;
  context.lineWidth = 1;
  context.stroke();
  context.strokeStyle = hovered ? theme.background : theme.dim;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (!open) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}
