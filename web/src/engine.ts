/** The engine in one call: a payload in, a picture out. It is bundled into one file that runs without a browser. */

import type { Graph } from "./contract/graph.ts";
import { facts } from "./graph/facts.ts";
import { DEFAULT_STATE, type ViewState, index, visible } from "./graph/index.ts";
import { filled } from "./graph/shortened.ts";
import type { Scene } from "./scene/model.ts";
import { type SceneOptions, scene } from "./scene/scene.ts";
import type { ThemeName } from "./scene/theme.ts";
import { svg } from "./svg/svg.ts";

/** How to draw; everything may be left out. `depth` Infinity is written as "all". */
export interface DrawOptions extends Partial<Omit<ViewState, "depth">>, Partial<SceneOptions> {
  readonly depth?: number | "all" | null;
  readonly theme?: ThemeName;
  readonly format?: "svg" | "scene";
}

export function drawScene(graph: Graph, options: DrawOptions = {}): Scene {
  const depth = options.depth === "all" ? Infinity : (options.depth ?? null);
  const state: ViewState = { ...DEFAULT_STATE, ...options, depth };
  const indexed = index(graph, state.level);
  const shown: SceneOptions = { direction: options.direction ?? "TB", labels: options.labels ?? ["shape", "params"] };
  return scene(facts(indexed.tree), visible(indexed, state), shown);
}

/** Draw a payload given as JSON, with options given as JSON; returns SVG, or the scene as JSON. */
export function render(payload: string, options: string): string {
  const asked = JSON.parse(options) as DrawOptions;
  const drawn = drawScene(filled(JSON.parse(payload) as Graph), asked);
  return asked.format === "scene" ? JSON.stringify(drawn) : svg(drawn, asked.theme ?? "light");
}
