/** What the bench measures, bundled by layout.mjs. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Graph } from "../src/contract/graph.ts";
import { facts } from "../src/graph/facts.ts";
import { DEFAULT_STATE, type ViewState, index, visible } from "../src/graph/index.ts";
import { type LayoutInput, layout, newMemory } from "../src/layout/layout.ts";
import { prepare, scene } from "../src/scene/scene.ts";
import { svg } from "../src/scene/svg.ts";
import { deepen } from "./deepen.ts";

export { index, layout, newMemory, svg, visible };

/** Nothing is written on the boxes but names: counting is not what is timed. */
const UNCOUNTED = [] as const;
const OPTIONS = { direction: "TB", labels: ["shape", "params"] } as const;

export function load(file: URL): Graph {
  return (JSON.parse(gunzipSync(readFileSync(file)).toString()) as { graph: Graph }).graph;
}

export function llama(file: URL, layers: number): Graph {
  return deepen(load(file), "model.layers.", layers);
}

/** Everything open and nothing folded, ready to be laid out. */
export function everything(graph: Graph, state: Partial<ViewState> = { depth: Infinity, fold: false }): LayoutInput {
  const indexed = index(graph, "op");
  return prepare(facts(indexed.tree, UNCOUNTED), visible(indexed, { ...DEFAULT_STATE, ...state }), OPTIONS).input;
}

/** From the graph to the picture, with what a page keeps between two clicks. */
export function session(graph: Graph): (state: Partial<ViewState>) => number {
  const indexed = index(graph, "op");
  const known = facts(indexed.tree, UNCOUNTED);
  const remembered = newMemory();
  return (state) => scene(known, visible(indexed, { ...DEFAULT_STATE, ...state }), OPTIONS, remembered).groups.length;
}
