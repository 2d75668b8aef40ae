/** Finding calls by name, type, shape or path. */

import { shortName } from "../graph/names.ts";
import { type Model, pathOf } from "./model.ts";

/** One call that was found, and why. */
export interface Found {
  readonly call: number;
  readonly name: string;
  readonly path: string;
}

interface Entry extends Found {
  readonly isModule: boolean;
  /** All that can be searched, in lower case. */
  readonly text: string;
}

/** What is searched in. */
export type Entries = readonly Entry[];

/** Everything that can be found; calls finer than functions only where they were recorded. */
export function searchIndex(model: Model): Entries {
  const { graph } = model;
  return graph.calls.slice(1).map((call) => {
    const name = shortName(call);
    const path = pathOf(model, call);
    const shapes = [...call.outputs, ...call.inputs].map((id) => {
      const { shape, names, dtype, kind } = graph.values[id]!;
      return `${shape.join("×")} ${shape.join("x")} ${shape.join(",")} ${dtype} ${kind === "activation" ? "" : names.join(" ")}`;
    });
    const text = [name, call.name, path, ...new Set(shapes), call.error ?? ""].join(" \u0000 ").toLowerCase();
    return { call: call.id, name, path, text, isModule: call.path !== null };
  });
}

/**
 * The calls that hold every word of a query; first those that are called like its last word, then those whose name has
 * it in it, so that `layer2.3 conv2` begins with the layer of that name, and not with any `Conv2d`.
 */
export function search(entries: Entries, query: string): readonly Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const last = words[words.length - 1];
  if (last === undefined) return [];
  const found = entries.filter(({ text }) => words.every((word) => text.includes(word)));
  const ranks = new Map(found.map((entry) => [entry, rank(entry, last)]));
  return found.sort((a, b) => ranks.get(a)! - ranks.get(b)!);
}

function rank({ name, path, isModule }: Entry, word: string): number {
  // The path of a function is that of the module around it, and no name of its own.
  if (!isModule) return name.toLowerCase() === word ? 0 : name.toLowerCase().includes(word) ? 1 : 2;
  const names = [name.toLowerCase(), path.toLowerCase(), path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
  if (names.includes(word)) return 0;
  return names[0]!.includes(word) || names[2]!.includes(word) ? 1 : 2;
}

/** A call that was found in one of two graphs; `both` where what belongs to it in the other was found too. */
export interface FoundOn extends Found {
  readonly side: 0 | 1;
  readonly both: boolean;
}

/**
 * What was found in two graphs, as one list: calls that belong together once, on the first side; those of the second
 * side alone come after, and all stay in their order.
 */
export function merged(
  one: readonly Found[],
  other: readonly Found[],
  partners: ReadonlyMap<number, readonly number[]>,
): readonly FoundOn[] {
  const found = new Set(other.map(({ call }) => call));
  const told = new Set<number>();
  const first = one.map((each): FoundOn => {
    const like = partners.get(each.call)?.filter((call) => found.has(call)) ?? [];
    for (const call of like) told.add(call);
    return { ...each, side: 0, both: like.length > 0 };
  });
  const second = other.filter(({ call }) => !told.has(call));
  return [...first, ...second.map((each): FoundOn => ({ ...each, side: 1, both: false }))];
}
