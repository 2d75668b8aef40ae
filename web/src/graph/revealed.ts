/** Constants that are drawn although constants are hidden: what is all that a module reads, and what a call fills. */

import type { Call } from "../contract/graph.ts";
import type { CallTree } from "./calls.ts";
import { isLeaf } from "./calls.ts";
import type { Flow } from "./flow.ts";

export interface Revealed {
  /** By call: 1 where it is drawn although it makes a constant. */
  readonly calls: Uint8Array;
  /** By call, a module or what fills it: the constants it reads that no call made. */
  readonly values: ReadonlyMap<number, readonly number[]>;
  /** By call: 1 for the modules and calls for whose sake something is drawn. */
  readonly readers: Uint8Array;
}

/** A module that reads more constants than this is given the results alone, not what they were computed from. */
const FEW = 3;

/** What a constant is computed from: calls that read nothing, and tensors that no call made. */
interface Roots {
  readonly calls: ReadonlySet<number>;
  readonly values: ReadonlySet<number>;
}

const NOTHING: Roots = { calls: new Set(), values: new Set() };

/** The constants that a module reads from around it, while nothing is known that reaches it otherwise. */
interface Reading {
  readonly makers: Set<number>;
  readonly calls: Set<number>;
  readonly values: Set<number>;
}

interface Work {
  readonly tree: CallTree;
  readonly flow: Flow;
  /** Of hidden calls. */
  readonly roots: Map<number, Roots>;
  /** By module: 1 where a wire reaches it. */
  readonly wired: Uint8Array;
  readonly readings: Map<number, Reading>;
  readonly calls: Uint8Array;
  readonly values: Map<number, number[]>;
  readonly readers: Uint8Array;
}

export function revealed(tree: CallTree, flow: Flow): Revealed {
  const count = tree.graph.calls.length;
  const work: Work = {
    tree,
    flow,
    roots: new Map(),
    wired: new Uint8Array(count),
    readings: new Map(),
    calls: new Uint8Array(count),
    values: new Map(),
    readers: new Uint8Array(count),
  };
  for (const call of tree.graph.calls) {
    if (!isLeaf(tree, call.id)) continue;
    if (isHidden(work, call.id)) {
      work.roots.set(call.id, rootsOf(work, call));
      continue;
    }
    for (const value of new Set(call.inputs)) read(work, call, value);
    filled(work, call);
  }
  for (const [module, reading] of work.readings) if (work.wired[module] === 0) reveal(work, module, reading);
  return { calls: work.calls, values: work.values, readers: work.readers };
}

/** Is it a constant that is not drawn? Inside a module that makes nothing else, it is. */
function isHidden({ tree, flow }: Work, id: number): boolean {
  const { error, parent } = tree.graph.calls[id]!;
  return flow.constant[id] === 1 && error === null && parent !== null && flow.constant[parent] === 0;
}

function rootsOf(work: Work, call: Call): Roots {
  const parts = call.inputs.map((value) => rootsOfValue(work, value));
  const calls = new Set(parts.flatMap((part) => [...part.calls]));
  const values = new Set(parts.flatMap((part) => [...part.values]));
  if (calls.size + values.size > FEW || calls.size + values.size === 0)
    return { calls: new Set([call.id]), values: new Set() };
  return { calls, values };
}

function rootsOfValue(work: Work, value: number): Roots {
  const origin = work.flow.origin[value]!;
  const { producer, kind } = work.tree.graph.values[origin]!;
  if (producer !== null) return work.roots.get(producer) ?? NOTHING;
  return kind === "constant" || kind === "buffer" ? { calls: new Set(), values: new Set([origin]) } : NOTHING;
}

/** A drawn call reads a value: each module around it is reached by it, or reads a constant. */
function read(work: Work, call: Call, value: number): void {
  const { graph } = work.tree;
  const origin = work.flow.origin[value]!;
  const { producer, kind } = graph.values[origin]!;
  const roots = rootsOfValue(work, value);
  const isConstant = roots.calls.size + roots.values.size > 0;
  if (!isConstant && producer === null && kind !== "input") return;
  const common = producer === null ? 0 : commonDepth(work.tree, call.id, producer);
  for (let at = call.parent; at !== null && at !== 0; at = graph.calls[at]!.parent) {
    if (graph.calls[at]!.kind !== "module" || work.wired[at] === 1) continue;
    if (isConstant) note(work, at, producer, roots);
    else if (work.tree.depth[at]! > common) work.wired[at] = 1;
  }
}

function note(work: Work, module: number, maker: number | null, roots: Roots): void {
  const { graph } = work.tree;
  const calls = [...roots.calls].filter((root) => !isInside(work.tree, root, module));
  const values = [...roots.values].filter((root) => !isOwn(graph.values[root]!.names, graph.calls[module]!.path));
  if (calls.length + values.length === 0) return;
  let reading = work.readings.get(module);
  if (!reading) work.readings.set(module, (reading = { makers: new Set(), calls: new Set(), values: new Set() }));
  if (maker !== null && !isInside(work.tree, maker, module)) reading.makers.add(maker);
  for (const root of calls) reading.calls.add(root);
  for (const root of values) reading.values.add(root);
}

function reveal(work: Work, module: number, { makers, calls, values }: Reading): void {
  const few = calls.size + values.size <= FEW;
  work.readers[module] = 1;
  for (const call of few ? calls : makers) work.calls[call] = 1;
  if (few && values.size > 0) work.values.set(module, [...(work.values.get(module) ?? []), ...values]);
}

/** What a call writes in place, its first argument, was there before: where it was a constant, that is drawn. */
function filled(work: Work, call: Call): void {
  const { values } = work.tree.graph;
  const [first] = call.inputs;
  if (first === undefined || (call.kind !== "function" && call.kind !== "aten")) return;
  const target = work.flow.origin[first]!;
  const writes = call.writes.some((value) => {
    const { previous } = values[value]!;
    return previous !== null && work.flow.origin[previous] === target;
  });
  if (!writes) return;
  const roots = rootsOfValue(work, first);
  work.readers[call.id] = 1;
  for (const root of roots.calls) work.calls[root] = 1;
  if (roots.values.size > 0) work.values.set(call.id, [...roots.values]);
}

/** Is a constant that is drawn for the sake of some shown to this call, which computes with what was made of it? */
export function isWanted({ readers }: Revealed, { graph }: CallTree, reader: number): boolean {
  for (let at: number | null = reader; at !== null; at = graph.calls[at]!.parent) if (readers[at] === 1) return true;
  return false;
}

function isInside({ graph, depth }: CallTree, call: number, around: number): boolean {
  let at = call;
  while (depth[at]! > depth[around]!) at = graph.calls[at]!.parent!;
  return at === around;
}

/** The depth of the innermost call around both. */
function commonDepth({ graph, depth }: CallTree, one: number, other: number): number {
  let [a, b] = [one, other];
  while (depth[a]! > depth[b]!) a = graph.calls[a]!.parent!;
  while (depth[b]! > depth[a]!) b = graph.calls[b]!.parent!;
  while (a !== b) [a, b] = [graph.calls[a]!.parent!, graph.calls[b]!.parent!];
  return depth[a]!;
}

/** Does a module hold the tensor itself, or in a module inside it? */
function isOwn(names: readonly string[], path: string | null): boolean {
  return path === null || path === "" || names.some((name) => name.startsWith(`${path}.`));
}
