/** The engine in one call: a payload in, a picture out. It is bundled into one file that runs without a browser. */

import type { Pair, Payload, View } from "./contract/payload.ts";
import type { Scene } from "./contract/scene.ts";
import { facts } from "./graph/facts.ts";
import { DEFAULT_STATE, type ViewState, index, visible } from "./graph/index.ts";
import { filled } from "./graph/shortened.ts";
import { beside } from "./scene/beside.ts";
import { coloursOf } from "./scene/colours.ts";
import { withLegend } from "./scene/legend.ts";
import { withColours } from "./scene/recolour.ts";
import { withTheme } from "./scene/ink.ts";
import { marked } from "./scene/marks.ts";
import { scene } from "./scene/scene.ts";
import type { ThemeName } from "./scene/theme.ts";
import { svg } from "./scene/svg.ts";

/** A file has no reader whose system could be asked: it is light. */
function themeOf({ theme }: View): ThemeName {
  return theme === "system" ? "light" : theme;
}

/** The picture of one graph, in its colours but before those of the theme, and without a legend. */
function draft({ graph, measures, marks, view }: Payload): Scene {
  const state: ViewState = { ...DEFAULT_STATE, ...view };
  const indexed = index(filled(graph), state.level);
  const shown = visible(indexed, state);
  const made = scene(facts(indexed.tree, measures), shown, view);
  const measured = { indexed, measures, marks: marks && marked(indexed, marks), visible: shown };
  const colours = coloursOf(measured, view.color_by, themeOf(view));
  return colours ? withColours(made, colours) : made;
}

export function drawScene(given: Payload | Pair): Scene {
  if (!("sides" in given)) return withTheme(withLegend(draft(given)), themeOf(given.view));
  const [a, b] = given.sides;
  const pair = beside([draft(a), draft(b)], given.titles, given.verdict, a.view.direction === "LR");
  return withTheme(pair, themeOf(a.view));
}

/** Draw a payload, or a pair of them, given as JSON; returns SVG, and after it the scene as JSON. */
export function render(payload: string): string {
  const drawn = drawScene(JSON.parse(payload) as Payload | Pair);
  // Joined, not added: Python is handed no sum of strings that QuickJS has yet to put together.
  return [svg(drawn), JSON.stringify(drawn)].join("");
}
