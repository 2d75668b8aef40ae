/** The whole drawing, small, with what is seen of it framed. */

import { type Box, type Camera, type Extent, fitting, seen } from "./camera.ts";
import type { Look } from "./look.ts";
import { paint } from "./painter.ts";
import type { Picture } from "./picture.ts";

/** Of the map, in CSS pixels: at most. */
const WIDEST = 168;
const HIGHEST = 200;

/** The size of the map of a drawing: its proportions, but never a sliver. */
export function mapSize(drawing: Extent): Extent {
  const scale = Math.min(WIDEST / drawing.width, HIGHEST / drawing.height);
  return { width: Math.max(48, drawing.width * scale), height: Math.max(48, drawing.height * scale) };
}

/** How the drawing lies on its map. */
export function mapCamera(drawing: Extent, map: Extent): Camera {
  const whole = fitting({ x: 0, y: 0, ...drawing }, { width: map.width + 40, height: map.height + 40 });
  return { scale: whole.scale, x: whole.x - 20, y: whole.y - 20 };
}

/** The map without a frame; painted anew only when the picture or its colours change. */
export function paintMap(picture: Picture, look: Look, ratio: number): HTMLCanvasElement {
  const map = mapSize(picture.scene);
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(map.width * ratio);
  canvas.height = Math.ceil(map.height * ratio);
  const context = canvas.getContext("2d")!;
  const quiet: Look = {
    ...{ ...look, selected: null, hovered: null, followed: null },
    ...{ ends: new Set<string>(), found: new Set<string>() },
    colours: look.colours && { ...look.colours, signs: new Map() },
  };
  paint(context, picture, quiet, mapCamera(picture.scene, map), map, ratio);
  return canvas;
}

/** Put the map on `target`, and frame what the camera sees. */
export function showMap(
  target: HTMLCanvasElement,
  map: HTMLCanvasElement,
  view: Box,
  camera: Camera,
  look: Look,
  ratio: number,
): void {
  if (target.width !== map.width) target.width = map.width;
  if (target.height !== map.height) target.height = map.height;
  const context = target.getContext("2d")!;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(map, 0, 0);
  const x = camera.x + view.x * camera.scale;
  const y = camera.y + view.y * camera.scale;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.strokeStyle = look.accent;
  context.lineWidth = 1.5;
  context.fillStyle = `${look.accent}1f`;
  const [width, height] = [Math.max(4, view.width * camera.scale), Math.max(4, view.height * camera.scale)];
  context.fillRect(x, y, width, height);
  context.strokeRect(x, y, width, height);
}

/** Does the screen show the whole drawing? Then there is nothing to map. */
export function showsAll(drawing: Extent, camera: Camera, screen: Extent): boolean {
  const { x, y, width, height } = seen(camera, screen);
  return x <= 0 && y <= 0 && x + width >= drawing.width && y + height >= drawing.height;
}
