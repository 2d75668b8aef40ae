/** A captured network laid out, with all that a test may ask about it. */

import type { Payload } from "../src/contract/payload.ts";
import { facts } from "../src/graph/facts.ts";
import { DEFAULT_STATE, type ViewState, type VisibleGraph, index, visible } from "../src/graph/index.ts";
import { type Direction, type Layout, type LayoutInput, layout } from "../src/layout/layout.ts";
import { prepare } from "../src/scene/scene.ts";

export interface Drawn {
  readonly shown: VisibleGraph;
  readonly input: LayoutInput;
  readonly made: Layout;
  readonly tunnels: ReadonlySet<number>;
}

export function drawn(
  { graph, measures }: Payload,
  state: Partial<ViewState> = {},
  direction: Direction = "TB",
): Drawn {
  const indexed = index(graph, state.level ?? "op");
  const shown = visible(indexed, { ...DEFAULT_STATE, ...state });
  const { input } = prepare(facts(indexed.tree, measures), shown, { direction, labels: ["shape", "params"] });
  const made = layout(input);
  return { shown, input, made, tunnels: new Set(made.tags.flatMap((tag) => tag.nets)) };
}
