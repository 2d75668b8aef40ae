/** What is said about a box: its name, its settings, its numbers. */

import type { Call, Graph, Module, Tree } from "../contract/graph.ts";
import type { Measure } from "../contract/payload.ts";
import type { CallTree } from "./calls.ts";
import { figure } from "./numbers.ts";

/** What is known of calls and modules, made once per graph. */
export interface Facts {
  readonly graph: Graph;
  readonly tree: CallTree;
  /** By name. */
  readonly measures: ReadonlyMap<string, Measure>;
  readonly moduleAt: ReadonlyMap<string, Module>;
  /** By call of a module that ran more than once: which run it is, from 1, and how many there are. */
  readonly runs: ReadonlyMap<number, readonly [number, number]>;
  /** Calls whose FLOPs are a lower bound. */
  readonly atLeast: ReadonlySet<number>;
}

export function facts(tree: CallTree, measures: readonly Measure[]): Facts {
  const { graph } = tree;
  const moduleAt = new Map<string, Module>();
  for (const module of graph.modules) for (const path of [module.path, ...module.aliases]) moduleAt.set(path, module);
  const byName = new Map(measures.map((measure) => [measure.name, measure]));
  const atLeast = new Set(byName.get("flops")?.at_least);
  return { graph, tree, measures: byName, moduleAt, runs: runs(graph), atLeast };
}

/** What a measure counts of a call; 0 where nothing is counted. */
export function countOf({ measures }: Facts, name: "params" | "flops" | "activations", call: number): number {
  const value = measures.get(name)?.values[call];
  return typeof value === "number" ? value : 0;
}

function runs(graph: Graph): Map<number, readonly [number, number]> {
  const byPath = new Map<string, number[]>();
  for (const { id, path } of graph.calls) {
    if (path === null) continue;
    const calls = byPath.get(path);
    if (calls) calls.push(id);
    else byPath.set(path, [id]);
  }
  const runOf = new Map<number, readonly [number, number]>();
  for (const calls of byPath.values()) {
    if (calls.length > 1) calls.forEach((call, i) => runOf.set(call, [i + 1, calls.length]));
  }
  return runOf;
}

/** The names of the leaf whose gradient a node of the autograd graph accumulates; none for any other call. */
export function leafNames({ graph }: Facts, call: Call): readonly string[] {
  if (call.kind !== "backward") return [];
  const leaves = call.inputs
    .map((id) => graph.values[id]!)
    .filter(({ kind }) => kind === "parameter" || kind === "input");
  return leaves.find(({ producer, names }) => producer === null && names.length > 0 && call.name === LEAF)?.names ?? [];
}

const LEAF = "AccumulateGrad";

/** The few settings that tell one layer from another of its kind: `3×3 /2`, `64 → 128`. */
export function settings(facts: Facts, call: Call): string {
  const module = call.path === null ? undefined : facts.moduleAt.get(call.path);
  if (!module) return "";
  if (module.opaque && call.outputs.length > 0) return "inside not seen";
  const of = new Map(module.settings);
  const [kernel, stride] = [of.get("kernel_size"), of.get("stride")];
  if (kernel !== undefined) return [sizes(kernel, "×"), step(stride, kernel), groups(of)].filter(Boolean).join(" ");
  const pair = (a: string, b: string): string | null =>
    typeof of.get(a) === "number" && typeof of.get(b) === "number" ? `${of.get(a)} → ${of.get(b)}` : null;
  return (
    pair("in_features", "out_features") ??
    pair("num_embeddings", "embedding_dim") ??
    pair("input_size", "hidden_size") ??
    probability(of.get("p"))
  );
}

function probability(p: Tree | undefined): string {
  return typeof p === "number" ? `p ${figure(p)}` : "";
}

function sizes(tree: Tree | undefined, sign: string): string {
  if (typeof tree === "number") return sign === "×" ? `${tree}×${tree}` : String(tree);
  if (tree === null || typeof tree !== "object" || !("items" in tree)) return "";
  return tree.items.every((item) => typeof item === "number") ? tree.items.join(sign) : "";
}

function step(stride: Tree | undefined, kernel: Tree): string {
  const text = sizes(stride, ",");
  const parts = [...new Set(text.split(","))];
  if (text === "" || text === sizes(kernel, ",") || parts.join() === "1") return "";
  return `/${parts.length === 1 ? parts[0]! : text}`;
}

function groups(of: ReadonlyMap<string, Tree>): string {
  const count = of.get("groups");
  if (typeof count !== "number" || count === 1) return "";
  return count === of.get("in_channels") ? "depthwise" : `${count} groups`;
}
