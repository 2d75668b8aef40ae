/** What is under the pointer. */

import type { Box } from "../contract/scene.ts";
import type { Picture } from "./picture.ts";
import { lines } from "./picture.ts";

/** Pixels on the screen from which a wire can be caught. */
const CATCH = 6;
/** Radius of the button that opens and closes, in pixels of the drawing. */
export const BUTTON = 7;

export type Hit =
  | { readonly kind: "button" | "box"; readonly key: string }
  | { readonly kind: "wire"; readonly key: string; readonly value: number; readonly title: string }
  | null;

/** The button of a box stands on its edge, where no wire leaves it. */
export function buttonAt({ x, y, width, height, open }: Box, flat: boolean): [number, number] {
  if (open) return [x + width - 14, y + 14];
  return flat ? [x + width / 2, y + height] : [x + width, y + height / 2];
}

/** What is at a point of the drawing, buttons before wires before boxes; the innermost box wins. */
export function hit(picture: Picture, x: number, y: number, scale: number, flat: boolean): Hit {
  const places = underPoint(picture, x, y);
  const reach = Math.max(BUTTON + 2, 5 / scale);
  for (const place of places) {
    if (!picture.buttons.has(place.key)) continue;
    const [bx, by] = buttonAt(place, flat);
    if (Math.hypot(x - bx, y - by) <= reach) return { kind: "button", key: place.key };
  }
  const inside = places.find((place) => contains(place, x, y));
  if (inside && !inside.open) return { kind: "box", key: inside.key };
  return wireAt(picture, x, y, CATCH / scale) ?? (inside ? { kind: "box", key: inside.key } : null);
}

/** Places at or around a point, the innermost first. */
function underPoint(picture: Picture, x: number, y: number): Box[] {
  const around = { x: x - BUTTON - 2, y: y - BUTTON - 2, width: 2 * BUTTON + 4, height: 2 * BUTTON + 4 };
  const keys = new Set<string>();
  for (const i of picture.near(around)) {
    const { group } = picture.items[i]!;
    if (group.kind === "box" || group.kind === "frame") keys.add(group.key);
  }
  const found = [...keys].map((key) => picture.boxOf.get(key)!).filter(Boolean);
  return found.sort((a, b) => a.width * a.height - b.width * b.height);
}

function contains(place: Box, x: number, y: number): boolean {
  return x >= place.x && x <= place.x + place.width && y >= place.y && y <= place.y + place.height;
}

function wireAt(picture: Picture, x: number, y: number, reach: number): Hit {
  let best: Hit = null;
  let least = reach;
  for (const i of picture.near({ x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach })) {
    const { group, left, top, right, bottom } = picture.items[i]!;
    if (group.value < 0) continue;
    const isTag = group.kind === "tag" && x >= left && x <= right && y >= top && y <= bottom;
    const away = group.kind === "wire" ? distance(group.shapes, x, y) : isTag ? 0 : Infinity;
    if (away <= least) [best, least] = [{ kind: "wire", key: group.key, value: group.value, title: group.title }, away];
  }
  return best;
}

function distance(shapes: Picture["items"][number]["group"]["shapes"], x: number, y: number): number {
  let least = Infinity;
  for (const shape of shapes) {
    if (shape.kind !== "path") continue;
    for (const line of lines(shape.d)) {
      for (let i = 1; i < line.length; i++) least = Math.min(least, toSegment(x, y, line[i - 1]!, line[i]!));
    }
  }
  return least;
}

function toSegment(x: number, y: number, [ax, ay]: [number, number], [bx, by]: [number, number]): number {
  const [dx, dy] = [bx - ax, by - ay];
  const long = dx * dx + dy * dy;
  const at = long === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / long));
  return Math.hypot(x - ax - at * dx, y - ay - at * dy);
}
