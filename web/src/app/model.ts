/** What the parts of the page ask about the graph: names, numbers, repeats; computed once. */

import type { Call, Graph, Value } from "../contract/graph.ts";
import type { Measure, Payload } from "../contract/payload.ts";
import type { MeasuredView } from "../scene/colours.ts";
import type { Drawn } from "../worker/protocol.ts";
import { type Facts, facts, leafNames, settings } from "../graph/facts.ts";
import { shortName } from "../graph/names.ts";
import { type Indexed, index } from "../graph/index.ts";
import { shapeText } from "../graph/shapes.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { About, Held } from "./document.ts";
import { type Marked, marked } from "../scene/marks.ts";

export interface Model {
  readonly graph: Graph;
  readonly payload: Payload;
  readonly about: About;
  readonly facts: Facts;
  readonly indexed: Indexed;
  readonly measures: readonly Measure[];
  readonly hasAten: boolean;
  /** What a comparison says of its calls. */
  readonly marks: Marked | null;
}

export function modelOf({ payload, about }: Held): Model {
  const { graph, measures, marks } = payload;
  const indexed = index(graph, "op");
  return {
    ...{ payload, graph, about, indexed, measures, facts: facts(indexed.tree, measures) },
    hasAten: graph.calls.some((call) => call.kind === "aten"),
    marks: marks && marked(indexed, marks),
  };
}

/** A picture of it, as colours are told. */
export function measuredView({ indexed, measures, marks }: Model, { visible }: Drawn): MeasuredView {
  return { indexed, measures, marks, visible };
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
