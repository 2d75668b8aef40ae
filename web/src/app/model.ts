/** What the parts of the page ask about the graph: names, numbers, repeats; computed once. */

import type { Call, Graph, Value } from "../contract/graph.ts";
import { type Facts, facts, leafNames, settings, shortName } from "../graph/facts.ts";
import { type Indexed, index } from "../graph/index.ts";
import { shapeText } from "../graph/shapes.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Extras, Held } from "./document.ts";
import { type GivenMarks, type Marked, marked } from "./marks.ts";
import { foldOf } from "./open.ts";
import { type Overlay, overlaysOf } from "./overlay.ts";

export interface Model {
  readonly graph: Graph;
  readonly extras: Extras;
  readonly facts: Facts;
  readonly indexed: Indexed;
  readonly overlays: readonly Overlay[];
  readonly hasAten: boolean;
  /** Calls whose FLOPs are a lower bound. */
  readonly atLeast: ReadonlySet<number>;
  /** What a comparison says of its calls. */
  readonly marks: Marked | null;
}

export function modelOf({ graph, extras }: Held, marks: GivenMarks | null = null): Model {
  const indexed = index(graph, "op");
  return {
    ...{ graph, extras, indexed, facts: facts(indexed.tree) },
    overlays: overlaysOf(graph, extras),
    atLeast: new Set(extras.numbers.at_least),
    hasAten: graph.calls.some((call) => call.kind === "aten"),
    marks: marks && marked(indexed, marks),
  };
}

export function callOf({ graph }: Model, node: VisibleNode): Call | null {
  return node.kind === "call" ? graph.calls[node.call]! : null;
}

/** The name that a box goes by in lists: its path's last part, or what it does. */
export function titleOf(model: Model, node: VisibleNode): { name: string; detail: string } {
  if (node.kind === "constant") return { name: node.name, detail: model.graph.values[node.members[0]!]!.kind };
  if (node.kind === "input" || node.kind === "output") return { name: node.name || node.kind, detail: node.kind };
  if (node.kind === "range") return { name: node.name, detail: "" };
  if (node.kind === "fold") {
    return { name: node.members.map((call) => shortName(model.graph.calls[call]!)).join(", "), detail: "repeat" };
  }
  const call = model.graph.calls[node.call]!;
  const name = shortName(call);
  if (call.kind === "backward") return { name, detail: leafNames(model.facts, call)[0] ?? call.name };
  return call.path ? { name: ownName(model, call, node), detail: name } : { name, detail: settings(model.facts, call) };
}

/** The path inside the module around it; of repeats shown once, from the first to the last. */
function ownName({ graph }: Model, call: Call, { repeat }: VisibleNode): string {
  let around = "";
  for (let at = call.parent; at !== null && !around; at = graph.calls[at]!.parent) around = graph.calls[at]!.path ?? "";
  const path = call.path!;
  const own = around && path.startsWith(`${around}.`) ? path.slice(around.length + 1) : path;
  const [first, last] = [
    /(\d+)$/.exec(own)?.[1],
    /(\d+)$/.exec(repeat ? (graph.calls[repeat.last]!.path ?? "") : "")?.[1],
  ];
  return first && last && first !== last ? `${own}–${last}` : own;
}

/** Where a call is, in words: the module's path, or the function with the path around it. */
export function pathOf({ graph }: Model, call: Call): string {
  if (call.path !== null) return call.path;
  for (let at = call.parent; at !== null; at = graph.calls[at]!.parent) {
    const { path } = graph.calls[at]!;
    if (path !== null) return path;
  }
  return "";
}

/** All calls that a box stands for: itself, or its place in every repeat of the fold that is shown once. */
export function repeatsOf({ indexed }: Model, node: VisibleNode): readonly number[] {
  if (node.kind === "range") return node.members;
  if (node.call < 0) return [];
  const fold = node.repeat ? foldOf(indexed, node.call) : null;
  if (!fold) return node.kind === "fold" ? node.members : [node.call];
  const start = fold.calls.indexOf(node.call);
  const stop = start + node.repeat!.count * fold.period;
  return fold.calls.slice(start, stop).filter((_, i) => node.kind === "fold" || i % fold.period === 0);
}

export function shapesText({ graph }: Model, ids: readonly number[]): string {
  if (ids.length === 0) return "";
  const first = shapeText(graph.values[ids[0]!]!);
  return ids.length === 1 ? first : `${first} +${ids.length - 1}`;
}

/** What a tensor is called: its names, or what made it. */
export function valueName({ graph }: Model, value: Value): string {
  if (value.names.length > 0) return value.names[0]!;
  if (value.producer === null) return value.kind;
  const call = graph.calls[value.producer]!;
  return call.path || shortName(call);
}
