/** The tree of calls at one level of detail, with what is asked of it often: children, places among siblings, leaves. */

import type { Call, Graph } from "../contract/graph.ts";

export type Level = "op" | "aten";

/** Calls below `level` are left out: they are not children of anything, and nothing was made by one. */
export interface CallTree {
  readonly graph: Graph;
  readonly level: Level;
  /** Children by call id, in order. */
  readonly children: readonly (readonly number[])[];
  /** Position among its parent's children; -1 for the root and for what is left out. */
  readonly position: Int32Array;
  /** Distance from the root; -1 for what is left out. */
  readonly depth: Int32Array;
}

/** Index a graph; calls that are finer than `level` are left out. */
export function callTree(graph: Graph, level: Level): CallTree {
  const count = graph.calls.length;
  const children: number[][] = Array.from({ length: count }, () => []);
  const position = new Int32Array(count).fill(-1);
  const depth = new Int32Array(count).fill(-1);
  for (const call of graph.calls) {
    if (call.parent === null) {
      depth[call.id] = 0;
    } else if (depth[call.parent]! >= 0 && (call.kind !== "aten" || level === "aten")) {
      position[call.id] = children[call.parent]!.length;
      depth[call.id] = depth[call.parent]! + 1;
      children[call.parent]!.push(call.id);
    }
  }
  return { graph: lifted(graph, depth), level, children, position, depth };
}

/** What was made by a call that is left out was made by the call around it. */
function lifted(graph: Graph, depth: Int32Array): Graph {
  const { calls } = graph;
  const values = graph.values.map((value) => {
    let producer = value.producer;
    while (producer !== null && depth[producer]! < 0) producer = calls[producer]!.parent;
    if (producer === value.producer) return value;
    const slot = producer === null ? -1 : calls[producer]!.outputs.indexOf(value.id);
    return { ...value, producer, slot: slot < 0 ? null : slot };
  });
  return { ...graph, values };
}

/** Does data flow through this call itself, rather than through calls inside it? */
export function isLeaf(tree: CallTree, call: number): boolean {
  return tree.depth[call]! >= 0 && tree.children[call]!.length === 0;
}

/** A module or a group, which is not itself what is done in it. */
export function isAround(kind: Call["kind"]): boolean {
  return kind === "module" || kind === "group";
}

/** A module that only wraps one function reads best as that module: it is opened only when asked for by name. */
export function isThin(tree: CallTree, call: Call): boolean {
  const children = tree.children[call.id]!;
  return children.length === 1 && tree.children[children[0]!]!.length === 0;
}
