/** The inputs and outputs of the run, under the names the user knows: argument names, keys and attributes; and constants. */

import type { Graph, Node, Tree } from "../contract/graph.ts";
import { type Boxes, add } from "./boxes.ts";
import { type CallTree, isLeaf } from "./calls.ts";
import type { Flow } from "./flow.ts";
import type { Revealed } from "./revealed.ts";

/** A container with more tensors than this is one box; of an input, with more that are read. */
const MANY = 4;

/** Some values under one name. */
export interface End {
  readonly name: string;
  readonly values: readonly number[];
}

export function inputs(tree: CallTree, flow: Flow): End[] {
  const root = tree.graph.calls[0];
  return root ? ends(root.arguments, root.inputs, "", used(tree, flow)) : [];
}

export function outputs(graph: Graph): End[] {
  const root = graph.calls[0];
  return root ? ends(root.returns, root.outputs, "output", null) : [];
}

/** Values that some call reads, or that the run returns. */
function used(tree: CallTree, flow: Flow): Set<number> {
  const { calls } = tree.graph;
  const read = new Set<number>(calls[0]!.outputs.map((value) => flow.origin[value]!));
  for (const call of calls) if (isLeaf(tree, call.id)) for (const value of call.inputs) read.add(flow.origin[value]!);
  return read;
}

/** Add a box for every constant that is drawn and that no call made, beside what reads it; their boxes. */
export function addConstants(boxes: Boxes, { graph }: CallTree, revealed: Revealed): number[] {
  const boxOf = new Map<number, number>();
  for (const [reader, values] of revealed.values) {
    const box = boxes.own[reader]!;
    if (box < 0 || boxes.first[reader] !== reader) continue;
    for (const value of values) {
      if (boxOf.has(value)) continue;
      const name = nameIn(graph, value, reader);
      const parent = boxes.nodes[box]!.parent;
      const added = add(boxes, { kind: "constant", key: `constant:${value}`, members: [value], name, parent });
      boxOf.set(value, added);
      const siblings = parent < 0 ? boxes.top : boxes.nodes[parent]!.children;
      siblings.pop();
      siblings.splice(siblings.indexOf(box), 0, added);
    }
  }
  return [...boxOf.values()];
}

/** The name of a tensor in the module that its reader is called in. */
function nameIn({ calls, values }: Graph, value: number, reader: number): string {
  const name = values[value]!.names[0] ?? "constant";
  for (let at = calls[reader]!.parent; at !== null; at = calls[at]!.parent) {
    const { path } = calls[at]!;
    if (path) return name.startsWith(`${path}.`) ? name.slice(path.length + 1) : name;
  }
  return name;
}

/** Add a box per end and return, by value, the box of its input. */
export function addEnds(boxes: Boxes, kind: "input" | "output", ends: readonly End[]): number[] {
  return ends.map(({ name, values }) => add(boxes, { kind, key: `${kind}:${name}`, members: values, name }));
}

interface Subtree {
  readonly tree: Tree;
  readonly name: string;
  readonly top: boolean;
}

/**
 * Walk a structure of arguments or results; containers inside it that hold many tensors stay one end. Of one in which
 * few are `used`, these are ends of their own, and the rest is one.
 */
function ends(tree: Tree, values: readonly number[], whole: string, used: ReadonlySet<number> | null): End[] {
  const all: End[] = [];
  const stack: Subtree[] = [{ tree, name: "", top: true }];
  for (let subtree = stack.pop(); subtree; subtree = stack.pop()) {
    const inside = slotsOf(subtree.tree).map((slot) => values[slot]!);
    if (inside.length === 0) continue;
    const isRead = (value: number): boolean => used !== null && used.has(value);
    if (isNode(subtree.tree) && (subtree.top || inside.length <= MANY)) {
      for (let i = subtree.tree.items.length - 1; i >= 0; i--) stack.push(child(subtree, subtree.tree, i));
    } else if (isNode(subtree.tree) && new Set(inside.filter(isRead)).size <= MANY && inside.some(isRead)) {
      all.push(...apart(subtree, values, isRead));
    } else {
      all.push({ name: subtree.name || whole, values: [...new Set(inside)] });
    }
  }
  return all;
}

/** The tensors of a container that are read, each by its name, and one end for the others. */
function apart(whole: Subtree, values: readonly number[], isRead: (value: number) => boolean): End[] {
  const names = new Map<number, string>();
  const rest = new Set<number>();
  const stack: Subtree[] = [whole];
  for (let subtree = stack.pop(); subtree; subtree = stack.pop()) {
    if (isNode(subtree.tree))
      for (let i = subtree.tree.items.length - 1; i >= 0; i--) stack.push(child(subtree, subtree.tree, i));
    else {
      for (const value of slotsOf(subtree.tree).map((slot) => values[slot]!))
        if (isRead(value)) names.set(value, names.get(value) ?? subtree.name);
        else rest.add(value);
    }
  }
  const named = [...names].map(([value, name]) => ({ name, values: [value] }));
  return rest.size === 0 ? named : [...named, { name: `rest of ${whole.name}`, values: [...rest] }];
}

function child(around: Subtree, node: Node, i: number): Subtree {
  const key = node.keys[i] ?? String(i);
  // What is all that an object holds, and private to it, goes by the name of the object.
  if (around.name && node.keys.length === 1 && key.startsWith("_"))
    return { tree: node.items[i]!, name: around.name, top: false };
  const isNamed = node.keys.length > 0;
  const inside = isNamed ? `${around.name}.${key}` : `${around.name}[${key}]`;
  return { tree: node.items[i]!, name: around.name ? inside : isNamed ? key : `output ${i}`, top: false };
}

function slotsOf(tree: Tree): number[] {
  const slots: number[] = [];
  const stack: Tree[] = [tree];
  while (stack.length > 0) {
    const at = stack.pop()!;
    if (isNode(at)) for (let i = at.items.length - 1; i >= 0; i--) stack.push(at.items[i]!);
    else if (at !== null && typeof at === "object" && "slot" in at) slots.push(at.slot);
  }
  return slots;
}

function isNode(tree: Tree): tree is Node {
  return tree !== null && typeof tree === "object" && "items" in tree;
}
