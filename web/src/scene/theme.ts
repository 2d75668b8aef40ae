/** Colours by their meaning. Hues follow Okabe and Ito's palette, which colour-blind people can tell apart. */

import type { Family } from "../graph/family.ts";
import { type Hex, OKABE_ITO, mix } from "./hex.ts";

export type Hue = Family | "end" | "error";
export type Token =
  | "background"
  | "frame"
  | "frameInner"
  | "frameLine"
  | "text"
  | "dim"
  | "wire"
  | "badge"
  | "badgeText"
  | `${Hue}.fill`
  | `${Hue}.line`
  | `${Hue}.bar`;

/** A colour by its meaning, or itself as `#rrggbb`. */
export type Ink = Token | Hex;

export type Theme = Readonly<Record<Token, string>>;
export type ThemeName = "light" | "dark" | "paper";

/** One colour per family; operations without a hue of their own are grey. */
export const HUES: Readonly<Record<Hue, string>> = {
  convolution: OKABE_ITO.blue,
  linear: "#3b9bd9",
  normalisation: OKABE_ITO.green,
  activation: OKABE_ITO.orange,
  pooling: "#b8a400",
  attention: "#b5568f",
  recurrent: "#7b5fc4",
  embedding: "#8a6d3b",
  arithmetic: "#64748b",
  movement: "#a3adba",
  saved: "#c2693d",
  module: "#475569",
  end: "#334155",
  error: "#d1242f",
};

interface Ground {
  readonly plain: Readonly<Record<Exclude<Token, `${Hue}.${string}`>, string>>;
  /** How far a box's fill, outline and bar stand out from the paper. */
  readonly strength: readonly [number, number, number];
  readonly paper: string;
}

function theme({ plain, strength, paper }: Ground): Theme {
  const colours: Record<string, string> = { ...plain };
  for (const [hue, colour] of Object.entries(HUES)) {
    colours[`${hue}.fill`] = mix(paper, colour, strength[0]);
    colours[`${hue}.line`] = mix(paper, colour, strength[1]);
    colours[`${hue}.bar`] = mix(paper, colour, strength[2]);
  }
  return colours as Theme;
}

export const THEMES: Readonly<Record<ThemeName, Theme>> = {
  light: theme({
    paper: "#ffffff",
    strength: [0.07, 0.42, 1],
    plain: {
      background: "#ffffff",
      frame: "#f6f7f9",
      frameInner: "#ffffff",
      frameLine: "#d0d7de",
      text: "#1f2328",
      dim: "#59636e",
      wire: "#8c96a3",
      badge: "#e3e8ee",
      badgeText: "#39424e",
    },
  }),
  dark: theme({
    paper: "#0d1117",
    strength: [0.16, 0.6, 0.95],
    plain: {
      background: "#0d1117",
      frame: "#151b23",
      frameInner: "#0d1117",
      frameLine: "#323b46",
      text: "#e6edf3",
      dim: "#9aa5b1",
      wire: "#6b7683",
      badge: "#2b343f",
      badgeText: "#c7d1db",
    },
  }),
  paper: theme({
    paper: "#ffffff",
    strength: [0, 0.75, 1],
    plain: {
      background: "#ffffff",
      frame: "#ffffff",
      frameInner: "#ffffff",
      frameLine: "#8a8f96",
      text: "#000000",
      dim: "#3d434a",
      wire: "#4a5058",
      badge: "#e8e8e8",
      badgeText: "#000000",
    },
  }),
};
