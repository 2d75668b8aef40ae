/** What shapes are painted with: names of the theme's colours while a picture is made, `#rrggbb` once it is finished. */

import type { Group, Scene } from "../contract/scene.ts";
import { THEMES, type Theme, type ThemeName, type Token } from "./theme.ts";

export type Shape = Group["shapes"][number];

/** A colour of a shape, in a theme. */
export function inkOf(theme: Theme, colour: string): string {
  return colour.startsWith("#") ? colour : theme[colour as Token];
}

/** The same shape in other colours. */
export function inked(shape: Shape, ink: (colour: string) => string): Shape {
  if (shape.kind === "text") return { ...shape, fill: ink(shape.fill) };
  return { ...shape, fill: shape.fill && ink(shape.fill), line: shape.line && ink(shape.line) };
}

/** The picture with every colour in it as `#rrggbb`. */
export function finished(scene: Scene, name: ThemeName): Scene {
  const theme = THEMES[name];
  const ink = (colour: string): string => inkOf(theme, colour);
  return {
    ...scene,
    background: theme.background,
    groups: scene.groups.map((group) => ({ ...group, shapes: group.shapes.map((shape) => inked(shape, ink)) })),
    boxes: scene.boxes.map((box) => ({ ...box, fill: ink(box.fill), line: ink(box.line) })),
  };
}
