/** Makes pictures of one graph, and remembers what one picture has in common with the next. */

import type { Payload } from "../contract/payload.ts";
import { type Facts, facts } from "../graph/facts.ts";
import { type Indexed, type Level, index, visible } from "../graph/index.ts";
import { type Memory, newMemory } from "../layout/layout.ts";
import { scene } from "../scene/scene.ts";
import type { Drawn, Wanted } from "./protocol.ts";

/** More remembered layouts than this are forgotten all at once: it bounds memory over a long session. */
const KEPT = 5000;

/** A graph at one level of detail. */
export interface Known {
  readonly indexed: Indexed;
  readonly facts: Facts;
}

export type Drafter = (wanted: Wanted) => Drawn;

/** `known` is what is known of the graph already. */
export function drafter(payload: Payload, known?: Known): Drafter {
  const levels = new Map<Level, Known>();
  if (known) levels.set(known.indexed.tree.level, known);
  let remembered: Memory = newMemory();
  return (wanted) => {
    const start = performance.now();
    const asked = levels.get(wanted.view.level) ?? learn(payload, wanted.view.level);
    levels.set(wanted.view.level, asked);
    if (remembered.geometries.size > KEPT) remembered = newMemory();
    const shown = visible(asked.indexed, wanted.view);
    const made = scene(asked.facts, shown, wanted.options, remembered);
    return { wanted, scene: made, visible: shown, milliseconds: performance.now() - start };
  };
}

function learn({ graph, measures }: Payload, level: Level): Known {
  const indexed = index(graph, level);
  return { indexed, facts: facts(indexed.tree, measures) };
}
