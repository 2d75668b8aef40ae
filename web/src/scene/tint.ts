/** Colours of boxes that say a number or a word. */

import { OKABE_ITO, isDark, mix } from "./hex.ts";
import { type Scale, share } from "./scale.ts";
import type { Theme } from "./theme.ts";

/** Colours of one box. */
export interface Tint {
  readonly fill: string;
  readonly line: string;
  readonly bar: string;
}

const { blue, orange, green, purple, sky, vermillion, yellow } = OKABE_ITO;
const WORD_HUES = [blue, orange, green, purple, sky, vermillion, yellow, "#64748b"];
/** Of numbers: on dark paper the blue is lighter, so that the strongest stands out most. */
const NUMBER_HUES = { light: blue, dark: "#3d9ad6" };

/** The colours of a number or a word; strong enough to be told apart, light enough to be written on. */
export function tint(scale: Scale, theme: Theme, one: number | string): Tint {
  if (typeof one === "string") return hueTint(theme, WORD_HUES[scale.words.indexOf(one) % WORD_HUES.length]!);
  return numberTint(theme, share(scale, one));
}

/** The colours of a number that lies there between the least and the greatest, from 0 to 1. */
export function numberTint(theme: Theme, part: number): Tint {
  const paper = theme.background;
  const dark = isDark(paper);
  const hue = NUMBER_HUES[dark ? "dark" : "light"];
  return {
    fill: mix(paper, hue, 0.03 + part * (dark ? 0.55 : 0.5)),
    line: mix(paper, hue, 0.35 + part * 0.45),
    bar: mix(paper, hue, 0.2 + part * 0.8),
  };
}

/** A hue that stands for one thing. */
export function hueTint(theme: Theme, hue: string): Tint {
  return { fill: mix(theme.background, hue, 0.28), line: mix(theme.background, hue, 0.7), bar: hue };
}

/** For boxes of which nothing is said. */
export function blankTint(theme: Theme): Tint {
  return { fill: theme.background, line: theme.frameLine, bar: theme.frameLine };
}

/** What a shape of a closed box is painted with under a tint: inputs, outputs and errors keep their own colours. */
export function worn(tint: Tint, colour: string): string {
  // On strong colours faint text could not be read.
  if (colour === "dim") return "text";
  const [hue, part] = colour.split(".");
  if (hue === "end" || hue === "error" || (part !== "fill" && part !== "line" && part !== "bar")) return colour;
  return tint[part];
}
