/** What shapes are painted with: names of the theme's colours, or `#rrggbb`. */

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

/** The picture in a theme. Its shapes keep the names of their colours: to write each anew would take a tenth longer. */
export function withTheme(scene: Scene, name: ThemeName): Scene {
  return { ...scene, inks: Object.entries(THEMES[name]) };
}
