/** Two calls that belong together, line by line. */

import type { Call, Module } from "../contract/graph.ts";
import { countOf } from "../graph/facts.ts";
import { exact, figures, short, size } from "../graph/numbers.ts";
import { shapeText } from "../graph/shapes.ts";
import { argumentsText, treeText } from "./arguments.ts";
import type { Model } from "./model.ts";

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
    ...counts("params", short, here, there),
    ...(ran ? [...counts("flops", short, here, there), ...counts("activations", size, here, there)] : []),
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
  return (moduleOf(one)?.confidence ?? null) !== null;
}

const TITLES = { params: "parameters", flops: "FLOPs", activations: "activations" };

/** In short where that tells the two apart, else in full; nothing where both have none. */
function counts(kind: keyof typeof TITLES, text: (count: number) => string, here: One, there: One): Facing[] {
  const [a, b] = [here, there].map(({ model, call }) => countOf(model.facts, kind, call.id)) as [number, number];
  if (a === 0 && b === 0) return [];
  const say = a !== b && text(a) === text(b) ? exact : text;
  const least = ({ model, call }: One): string => (kind === "flops" && model.facts.atLeast.has(call.id) ? "≥ " : "");
  const name = TITLES[kind];
  return [{ name, here: least(here) + say(a), there: least(there) + say(b), differs: a !== b }];
}

/** Each setting that differs; where none does, all of them in one line. */
function settingLines(here: One, there: One): Facing[] {
  const [a, b] = [moduleOf(here), moduleOf(there)];
  if (!a || !b) {
    const line = told("arguments", here, there, ({ model, call }, inFull) => argumentsText(model, call, inFull));
    return line.here === "none" && line.there === "none" ? [] : [line];
  }
  // What was inferred is silent about what cannot be seen in weights.
  const inferred = isInferred(here) || isInferred(there);
  const [one, other] = [a, b].map(({ settings }) => settings.map(([name]) => name)) as [string[], string[]];
  const lines = [...new Set([...one, ...other])]
    .filter((name) => !inferred || (one.includes(name) && other.includes(name)))
    .map((name) => told(name, here, there, (of, inFull) => settingText(of, name, inFull)))
    .filter(({ differs }) => differs);
  if (lines.length > 0 || inferred || (a.extra === "" && b.extra === "")) return lines;
  return [told("settings", here, there, (of, inFull) => (inFull ? moduleOf(of)!.extra : figures(moduleOf(of)!.extra)))];
}

function settingText(of: One, name: string, inFull: boolean): string {
  const setting = moduleOf(of)!.settings.find(([key]) => key === name);
  return setting ? treeText(of.model, of.call, setting[1], inFull) : "";
}

/** Numbers in short, unless the two are told apart only in full. */
function told(name: string, a: One, b: One, say: (one: One, inFull: boolean) => string): Facing {
  const [short, full] = [false, true].map((inFull) => [say(a, inFull), say(b, inFull)] as const);
  const [here, there] = short![0] === short![1] && full![0] !== full![1] ? full! : short!;
  return { name, here, there, differs: here !== there };
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
