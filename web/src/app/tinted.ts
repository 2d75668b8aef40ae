/** Boxes in colours: those of an overlay, or of a comparison with a sign on each, so that colour does not stand alone. */

import type { Sign, Tint } from "../paint/look.ts";
import { THEMES } from "../scene/theme.ts";
import type { Drawn } from "../worker/protocol.ts";
import { type Colouring, type Shown, colouring } from "./colouring.ts";
import { DIFFERENCE, SIGNS, markOf, markTint } from "./marks.ts";
import { type Model, repeatsOf } from "./model.ts";

export interface Tinted {
  readonly tints: ReadonlyMap<string, Tint>;
  readonly signs: ReadonlyMap<string, Sign>;
  readonly theme: "light" | "dark";
  /** What the colours stand for; null where that is said elsewhere. */
  readonly legend: Colouring | null;
}

export const NO_SIGNS: ReadonlyMap<string, Sign> = new Map();

export function tinted(
  { model, drawn }: Shown,
  name: string | null,
  theme: "light" | "dark",
  beside: Shown | null,
): Tinted | null {
  if (drawn && name === DIFFERENCE && model.marks) return differing(model, drawn, theme);
  const legend = colouring(model, drawn, name, theme, beside);
  return legend && { tints: legend.tints, signs: NO_SIGNS, theme, legend };
}

function differing(model: Model, { visible }: Drawn, theme: "light" | "dark"): Tinted {
  const [tints, signs] = [new Map<string, Tint>(), new Map<string, Sign>()];
  for (const node of visible.nodes) {
    const mark = markOf(model.marks!, node, repeatsOf(model, node));
    if (!mark) continue;
    tints.set(node.key, markTint(THEMES[theme], mark));
    signs.set(node.key, { text: SIGNS[mark].sign, fill: SIGNS[mark].hue });
  }
  return { tints, signs, theme, legend: null };
}
