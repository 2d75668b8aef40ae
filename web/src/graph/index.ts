/** From a graph and what the reader has opened to what is to be drawn. */

import type { Graph } from "../contract/graph.ts";
import { type Boxes, addCalls, noBoxes } from "./boxes.ts";
import { type CallTree, type Level, callTree } from "./calls.ts";
import { type Chosen, chosen } from "./chosen.ts";
import { type End, addConstants, addEnds, inputs, outputs } from "./ends.ts";
import { type Flow, flow } from "./flow.ts";
import { type Folds, foldsOf } from "./folds.ts";
import { nets, representatives } from "./nets.ts";
import { type Revealed, revealed } from "./revealed.ts";
import type { ViewState } from "./state.ts";
import type { VisibleGraph } from "./visible.ts";

export { type CallTree, type Level } from "./calls.ts";
export { type Flow } from "./flow.ts";
export { DEFAULT_STATE, type ViewState } from "./state.ts";
export { type Net, type VisibleGraph, type VisibleNode } from "./visible.ts";

/** What does not change while boxes open and close. */
export interface Indexed {
  readonly graph: Graph;
  readonly tree: CallTree;
  readonly flow: Flow;
  readonly revealed: Revealed;
  readonly folds: Folds;
  readonly inputs: readonly End[];
  readonly outputs: readonly End[];
}

/** With no depth given, so many boxes are still easy to read on a page, and so many frames around them. */
const READABLE = 48;

export function index(graph: Graph, level: Level): Indexed {
  const tree = callTree(graph, level);
  const flows = flow(tree);
  const constants = revealed(tree, flows);
  const from = inputs(tree, flows);
  return {
    graph,
    tree,
    flow: flows,
    revealed: constants,
    folds: foldsOf(graph),
    inputs: from,
    outputs: outputs(graph),
  };
}

/** The boxes and nets that `state` shows. */
export function visible(indexed: Indexed, state: ViewState): VisibleGraph {
  const apart = chosen(indexed.graph, indexed.folds, state);
  const depth = state.depth ?? readableDepth(indexed, apart, state);
  const boxes = noBoxes(indexed.tree);
  const sources = addEnds(boxes, "input", indexed.inputs);
  addCalls(boxes, indexed.tree, indexed.flow, indexed.revealed, indexed.folds, apart, state, depth);
  sources.push(...addConstants(boxes, indexed.tree, indexed.revealed));
  const sinks = addEnds(boxes, "output", indexed.outputs);
  const where = representatives(indexed.tree, boxes);
  const flowing = nets(indexed.tree, indexed.flow, indexed.revealed, boxes, where, [sources, sinks]);
  const still = isStill(indexed.graph);
  return { nodes: boxes.nodes, top: boxes.top, nets: flowing, box: where.box, hidden: boxes.hidden, still, depth };
}

/** No call of a model that was not run reads or makes anything. */
function isStill({ calls, modules, error }: Graph): boolean {
  if (error !== null || calls.length !== modules.length) return false;
  return calls.every(({ kind, inputs, outputs }) => kind === "module" && inputs.length + outputs.length === 0);
}

/** The deepest level at which the boxes still fit on a page; at least one. */
function readableDepth(indexed: Indexed, apart: Chosen, state: ViewState): number {
  let last = 0;
  for (let depth = 1; ; depth++) {
    const boxes = noBoxes(indexed.tree);
    addCalls(boxes, indexed.tree, indexed.flow, indexed.revealed, indexed.folds, apart, state, depth);
    const count = boxes.nodes.length;
    if (count === last) return depth;
    if (depth > 1 && (countLeaves(boxes) > READABLE || count > 2 * READABLE)) return depth - 1;
    last = count;
  }
}

function countLeaves(boxes: Boxes): number {
  return boxes.nodes.reduce((sum, node) => sum + (node.open ? 0 : 1), 0);
}
