/** Makes pictures of one graph, and remembers what one picture has in common with the next. */

import type { Graph } from "../contract/graph.ts";
import { type Facts, facts } from "../graph/facts.ts";
import { type Indexed, type Level, index, visible } from "../graph/index.ts";
import { type Memory, memory } from "../layout/layout.ts";
import { scene } from "../scene/scene.ts";
import type { Drawn, Wanted } from "./protocol.ts";

/** More remembered layouts than this are forgotten all at once: it bounds memory over a long session. */
const KEPT = 5000;

interface Known {
  readonly indexed: Indexed;
  readonly facts: Facts;
}

export type Drafter = (wanted: Wanted) => Drawn;

export function drafter(graph: Graph): Drafter {
  const levels = new Map<Level, Known>();
  let remembered: Memory = memory();
  return (wanted) => {
    const start = performance.now();
    const known = levels.get(wanted.view.level) ?? learn(graph, wanted.view.level);
    levels.set(wanted.view.level, known);
    if (remembered.geometries.size > KEPT) remembered = memory();
    const shown = visible(known.indexed, wanted.view);
    const made = scene(known.facts, shown, wanted.options, remembered);
    return { wanted, scene: made, visible: shown, milliseconds: performance.now() - start };
  };
}

function learn(graph: Graph, level: Level): Known {
  const indexed = index(graph, level);
  return { indexed, facts: facts(indexed.tree) };
}
