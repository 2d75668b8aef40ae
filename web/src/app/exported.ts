/** The drawing as it is saved: opened, coloured, in its theme. */

import type { Scene } from "../contract/scene.ts";
import { coloursOf } from "../scene/colours.ts";
import { withLegend } from "../scene/legend.ts";
import { withColours } from "../scene/recolour.ts";
import { withTheme } from "../scene/ink.ts";
import type { ThemeName } from "../scene/theme.ts";
import { type Model, measuredView } from "./model.ts";
import type { AppState } from "./state.ts";

/** One drawing of the page: its graph, and what of it is shown. */
export interface Side {
  readonly model: Model;
  readonly state: Pick<AppState, "drawn" | "overlay">;
}

/** The picture with its colours, its signs and its legend, which mean the same in the drawing beside; null before it is drawn. */
export function exportedScene({ model, state }: Side, beside: Side | null, theme: ThemeName): Scene | null {
  if (!state.drawn) return null;
  const other = beside?.state.drawn ? measuredView(beside.model, beside.state.drawn) : null;
  const colours = coloursOf(measuredView(model, state.drawn), state.overlay, theme, other);
  const { scene } = state.drawn;
  return withTheme(colours ? withLegend(withColours(scene, colours)) : scene, theme);
}
