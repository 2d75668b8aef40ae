/** Two calls that belong together, line by line. */

import type { Call, Module, Tree } from "../contract/graph.ts";
import { shapeText, short } from "../graph/numbers.ts";
import { argumentsText, treeText } from "./arguments.ts";
import type { Model } from "./model.ts";
import { bytes, exact } from "./numbers.ts";

export interface Facing {
  readonly name: string;
  readonly here: string;
  readonly there: string;
  readonly differs: boolean;
}

interface One {
  readonly model: Model;
  readonly call: Call;
}

/** What can be said of both; what is not known of one of them, or empty on both sides, is left out. */
export function facing(here: One, there: One): Facing[] {
  const line = (name: string, say: (one: One) => string): Facing[] => {
    const [a, b] = [say(here), say(there)];
    return a === "" && b === "" ? [] : [{ name, here: a, there: b, differs: a !== b }];
  };
  const ran = hasRun(here) && hasRun(there);
  const tensorLines = [
    ...line("inputs", ({ model, call }) => tensors(model, call.inputs)),
    ...line("outputs", ({ model, call }) => tensors(model, call.outputs)),
  ];
  return [
    ...(isNamed(here) && isNamed(there) ? line("type", ({ call }) => call.name) : []),
    ...line("path", ({ call }) => call.path ?? ""),
    ...settingLines(here, there),
    ...(ran ? tensorLines : []),
    ...line("weights", weights),
    ...counts("parameters", short, here, there),
    ...(ran ? [...counts("flops", short, here, there), ...counts("activation_bytes", bytes, here, there)] : []),
  ];
}

/** Nothing is known of tensors and work of a model that was not run. */
function hasRun({ model }: One): boolean {
  return model.graph.calls.some(({ inputs, outputs }) => inputs.length + outputs.length > 0);
}

/** Of weights alone, what holds none of its own has no class. */
function isNamed(one: One): boolean {
  return !isInferred(one) || one.call.name !== "Module";
}

function isInferred(one: One): boolean {
  return (moduleOf(one)?.sure ?? null) !== null;
}

const TITLES = { parameters: "parameters", flops: "FLOPs", activation_bytes: "activations" };

/** In short where that tells the two apart, else in full; nothing where both have none. */
function counts(kind: keyof typeof TITLES, text: (count: number) => string, here: One, there: One): Facing[] {
  const [a, b] = [here, there].map(({ model, call }) => model.extras.numbers[kind][call.id] ?? 0) as [number, number];
  if (a === 0 && b === 0) return [];
  const say = a !== b && text(a) === text(b) ? exact : text;
  const least = ({ model, call }: One): string => (kind === "flops" && model.atLeast.has(call.id) ? "≥ " : "");
  const name = TITLES[kind];
  return [{ name, here: least(here) + say(a), there: least(there) + say(b), differs: a !== b }];
}

/** Each setting that differs; where none does, all of them in one line. */
function settingLines(here: One, there: One): Facing[] {
  const [a, b] = [moduleOf(here), moduleOf(there)];
  if (!a || !b) {
    const [one, other] = [here, there].map(({ model, call }) => argumentsText(model, call)) as [string, string];
    return one === "none" && other === "none"
      ? []
      : [{ name: "arguments", here: one, there: other, differs: one !== other }];
  }
  const [one, other] = [new Map(a.settings), new Map(b.settings)];
  const text = (of: ReadonlyMap<string, Tree>, name: string, whose: One): string =>
    of.has(name) ? treeText(whose.model, whose.call, of.get(name)!) : "";
  // What was inferred is silent about what cannot be seen in weights.
  const inferred = isInferred(here) || isInferred(there);
  const names = [...new Set([...one.keys(), ...other.keys()])];
  const lines = names
    .filter((name) => !inferred || (one.has(name) && other.has(name)))
    .map((name) => ({ name, here: text(one, name, here), there: text(other, name, there), differs: true }))
    .filter((each) => each.here !== each.there);
  if (lines.length > 0 || inferred || (a.extra === "" && b.extra === "")) return lines;
  return [{ name: "settings", here: a.extra, there: b.extra, differs: a.extra !== b.extra }];
}

function moduleOf({ model, call }: One): Module | null {
  return (call.path === null ? undefined : model.facts.moduleAt.get(call.path)) ?? null;
}

/** More tensors are counted, not listed. */
const MOST = 4;

function tensors({ graph }: Model, ids: readonly number[]): string {
  const each = ids.slice(0, MOST).map((id) => `${shapeText(graph.values[id]!)} ${graph.values[id]!.dtype}`);
  return each.join(", ") + (ids.length > MOST ? `, … ${ids.length - MOST} more` : "");
}

/** A module's own parameters, by name and shape. */
function weights(one: One): string {
  const module = moduleOf(one);
  if (!module) return "";
  const { values } = one.model.graph;
  return module.parameters.map(([name, id]) => `${name} ${shapeText(values[id]!)}`).join(", ");
}
