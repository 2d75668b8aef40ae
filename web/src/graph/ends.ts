/** The inputs and outputs of the run, under the names the user knows: argument names and dictionary keys. */

import type { Graph, Tree } from "../contract/graph.ts";
import { type Boxes, add } from "./boxes.ts";

/** A container with more tensors than this is one box. */
const MANY = 4;

/** Some values under one name. */
export interface End {
  readonly name: string;
  readonly values: readonly number[];
}

export function inputs(graph: Graph): End[] {
  const root = graph.calls[0];
  return root ? ends(root.arguments, root.inputs, "") : [];
}

export function outputs(graph: Graph): End[] {
  const root = graph.calls[0];
  return root ? ends(root.returns, root.outputs, "output") : [];
}

/** Add a box per end and return, by value, the box of its input. */
export function addEnds(made: Boxes, kind: "input" | "output", found: readonly End[]): number[] {
  return found.map(({ name, values }) => add(made, { kind, key: `${kind}:${name}`, members: values, name }));
}

interface Place {
  readonly tree: Tree;
  readonly name: string;
  readonly top: boolean;
}

/** Walk a structure of arguments or results; containers inside it that hold many tensors stay one end. */
function ends(tree: Tree, values: readonly number[], whole: string): End[] {
  const found: End[] = [];
  const stack: Place[] = [{ tree, name: "", top: true }];
  for (let place = stack.pop(); place; place = stack.pop()) {
    const inside = slotsOf(place.tree).map((slot) => values[slot]!);
    if (inside.length === 0) continue;
    if (isNode(place.tree) && (place.top || inside.length <= MANY)) {
      for (let i = place.tree.items.length - 1; i >= 0; i--) stack.push(child(place, place.tree, i));
    } else {
      found.push({ name: place.name || whole, values: [...new Set(inside)] });
    }
  }
  return found;
}

function child(place: Place, node: Extract<Tree, { items: Tree[] }>, i: number): Place {
  const key = node.keys[i] ?? String(i);
  const name = place.name ? `${place.name}.${key}` : node.keys.length > 0 ? key : `output ${i}`;
  return { tree: node.items[i]!, name, top: false };
}

function slotsOf(tree: Tree): number[] {
  const found: number[] = [];
  const stack: Tree[] = [tree];
  while (stack.length > 0) {
    const at = stack.pop()!;
    if (isNode(at)) for (let i = at.items.length - 1; i >= 0; i--) stack.push(at.items[i]!);
    else if (at !== null && typeof at === "object" && "slot" in at) found.push(at.slot);
  }
  return found;
}

function isNode(tree: Tree): tree is Extract<Tree, { items: Tree[] }> {
  return tree !== null && typeof tree === "object" && "items" in tree;
}
