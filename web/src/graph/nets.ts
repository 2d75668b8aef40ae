/** The values that flow between visible boxes. */

import type { Boxes } from "./boxes.ts";
import { type CallTree, isLeaf } from "./calls.ts";
import type { Flow } from "./flow.ts";
import { type Revealed, isWanted } from "./revealed.ts";
import type { Net } from "./visible.ts";

/** By call: the box that shows it, and the call that stands for it when repeats are shown once. */
export interface Representatives {
  readonly box: Int32Array;
  readonly stand: Int32Array;
}

/** Every call is shown by its own box, by the closed box it is inside, or by the same place in the first repeat. */
export function representatives(tree: CallTree, boxes: Boxes): Representatives {
  const count = tree.graph.calls.length;
  const box = new Int32Array(count).fill(-1);
  const stand = Int32Array.from({ length: count }, (_, id) => id);
  for (let id = 0; id < count; id++) {
    const parent = tree.graph.calls[id]!.parent;
    if (parent === null || tree.depth[id]! < 0) {
      box[id] = boxes.own[id]!;
      continue;
    }
    const same = stand[parent]! === parent ? id : tree.children[stand[parent]!]![tree.position[id]!];
    stand[id] = same === undefined ? stand[parent]! : boxes.first[same]!;
    if (stand[id] !== id) box[id] = box[stand[id]!]!;
    else box[id] = boxes.own[id]! >= 0 ? boxes.own[id]! : closedBox(boxes, box[parent]!);
  }
  return { box, stand };
}

/** Calls without a box of their own belong to the closed box around them; in an open one they are hidden. */
function closedBox(boxes: Boxes, around: number): number {
  return around >= 0 && !boxes.nodes[around]!.open ? around : -1;
}

interface Work {
  readonly tree: CallTree;
  readonly flow: Flow;
  readonly revealed: Revealed;
  readonly boxes: Boxes;
  readonly shown: Representatives;
  /** By value: the box of its input, or -1. */
  readonly input: Int32Array;
  readonly readers: Map<number, Map<number, number[]>>;
  /** By hidden call: the values from visible boxes that reach it, through other hidden calls too. */
  readonly behind: Map<number, readonly number[]>;
}

/** Collect, for each value and box that makes it, the boxes that read it; in the order of values and boxes. */
export function nets(
  tree: CallTree,
  flow: Flow,
  revealed: Revealed,
  boxes: Boxes,
  where: Representatives,
  ends: readonly number[][],
): Net[] {
  const [sources = [], sinks = []] = ends;
  const input = new Int32Array(tree.graph.values.length).fill(-1);
  for (const box of sources) for (const value of boxes.nodes[box]!.members) input[value] = box;
  const work: Work = { tree, flow, revealed, boxes, shown: where, input, readers: new Map(), behind: new Map() };
  for (const call of tree.graph.calls) {
    if (!isLeaf(tree, call.id)) continue;
    const own = [...new Set(call.inputs)].map((value) => returned(tree, value, call.id));
    const read = own.flatMap((value) => seen(work, value));
    if (where.box[call.id]! < 0) work.behind.set(call.id, [...new Set(read)]);
    else
      for (const value of read)
        if (own.includes(value) || isShownTo(work, value, call.id)) connect(work, value, call.id);
  }
  for (const box of sinks)
    for (const value of boxes.nodes[box]!.members.flatMap((value) => seen(work, value))) attach(work, value, box);
  return bundled(tree, boxes, ordered(work.readers));
}

/** Of tensors of one shape that an input holds and the same boxes read (a cache, and layers that are folded), one is drawn. */
function bundled({ graph }: CallTree, boxes: Boxes, all: readonly Net[]): Net[] {
  const seenBefore = new Set<string>();
  return all.filter(({ value, source, readers }) => {
    if (boxes.nodes[source]!.kind !== "input") return true;
    const { shape, dtype } = graph.values[value]!;
    const key = JSON.stringify([source, readers, shape, dtype]);
    const isNew = !seenBefore.has(key);
    seenBefore.add(key);
    return isNew;
  });
}

function ordered(readers: Work["readers"]): Net[] {
  const all: Net[] = [];
  for (const [value, sources] of readers) {
    for (const [source, boxes] of sources)
      all.push({ value, source, readers: [...new Set(boxes)].sort((a, b) => a - b) });
  }
  return all.sort((a, b) => a.value - b.value || a.source - b.source);
}

/**
 * A call that returns its argument as it is gives the same tensor a new value. Outside the module in which that happened,
 * a reader that was not handed the new one has read the old one.
 */
function returned({ graph }: CallTree, value: number, reader: number): number {
  for (let at = value; ;) {
    const { alias_of: earlier, producer } = graph.values[at]!;
    if (earlier === null || producer === null || !isKept(graph, at, producer, reader)) return at;
    at = earlier;
  }
}

/** Does some call around the producer, but not around the reader, not return the value? */
function isKept({ calls }: CallTree["graph"], value: number, producer: number, reader: number): boolean {
  const around = new Set<number>();
  for (let at = calls[reader]!.parent; at !== null; at = calls[at]!.parent) around.add(at);
  for (let at = calls[producer]!.parent; at !== null && !around.has(at); at = calls[at]!.parent) {
    if (!calls[at]!.outputs.includes(value)) return true;
  }
  return false;
}

/** A value, or where a hidden call made it, what that call read from boxes that are shown. */
function seen(work: Work, value: number): readonly number[] {
  const { producer } = work.tree.graph.values[work.flow.origin[value]!]!;
  return (producer === null ? undefined : work.behind.get(producer)) ?? [value];
}

/** Does what a hidden call read matter to who reads its result? A constant does where it is drawn for its sake. */
function isShownTo({ tree, flow, revealed, input }: Work, value: number, reader: number): boolean {
  const origin = flow.origin[value]!;
  const { producer, kind } = tree.graph.values[origin]!;
  const constant = producer === null ? kind !== "input" && input[origin]! >= 0 : revealed.calls[producer] === 1;
  return !constant || isWanted(revealed, tree, reader);
}

/** A leaf call reads a value. */
function connect(work: Work, value: number, reader: number): void {
  const target = work.shown.box[reader]!;
  const origin = work.flow.origin[value]!;
  const producer = work.tree.graph.values[origin]!.producer;
  if (producer !== null && work.input[origin]! < 0 && isCarried(work, producer, reader)) return;
  attach(work, value, target);
}

function attach(work: Work, value: number, target: number): void {
  const origin = work.flow.origin[value]!;
  const producer = work.tree.graph.values[origin]!.producer;
  const source = work.input[origin]! >= 0 ? work.input[origin]! : producer === null ? -1 : work.shown.box[producer]!;
  if (source < 0 || source === target) return;
  const name = standing(work, origin, producer);
  let sources = work.readers.get(name);
  if (!sources) work.readers.set(name, (sources = new Map()));
  const boxes = sources.get(source);
  if (boxes) boxes.push(target);
  else sources.set(source, [target]);
}

/** The value in the first repeat at the place that `value` has in its own. */
function standing(work: Work, value: number, producer: number | null): number {
  if (producer === null) return value;
  const stand = work.shown.stand[producer]!;
  if (stand === producer) return value;
  const slot = work.tree.graph.values[value]!.slot;
  return (slot === null ? undefined : work.tree.graph.calls[stand]!.outputs[slot]) ?? value;
}

/** Does the value go from one repeat of a fold to another? The fold's count stands for such edges. */
function isCarried(work: Work, producer: number, reader: number): boolean {
  const { stand } = work.shown;
  if (stand[producer] === producer && stand[reader] === reader) return false;
  const { calls } = work.tree.graph;
  const { depth } = work.tree;
  let [a, b] = [producer, reader];
  while (depth[a]! > depth[b]!) a = calls[a]!.parent!;
  while (depth[b]! > depth[a]!) b = calls[b]!.parent!;
  while (a !== b && calls[a]!.parent !== calls[b]!.parent) [a, b] = [calls[a]!.parent!, calls[b]!.parent!];
  if (a === b) return false;
  const [first, second] = [inFirstParent(work, a), inFirstParent(work, b)];
  return work.boxes.turn[first] !== work.boxes.turn[second] && sameFold(work, first, second);
}

/** The call at the same place under the parent that stands for its parent, before its own fold is applied. */
function inFirstParent(work: Work, call: number): number {
  const parent = work.tree.graph.calls[call]!.parent!;
  const stand = work.shown.stand[parent]!;
  return stand === parent ? call : (work.tree.children[stand]![work.tree.position[call]!] ?? call);
}

function sameFold(work: Work, a: number, b: number): boolean {
  return work.boxes.fold[a]! >= 0 && work.boxes.fold[a] === work.boxes.fold[b];
}
