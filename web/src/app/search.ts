/** Finding calls by name, type, shape or path. */

import { shortName } from "../graph/facts.ts";
import { type Model, pathOf } from "./model.ts";

/** One call that was found, and why. */
export interface Found {
  readonly call: number;
  readonly name: string;
  readonly path: string;
}

interface Entry extends Found {
  /** All that can be searched, in lower case. */
  readonly text: string;
}

/** Everything that can be found; calls finer than functions only where they were recorded. */
export function searchIndex(model: Model): readonly Entry[] {
  const { graph } = model;
  return graph.calls.slice(1).map((call) => {
    const name = shortName(call);
    const path = pathOf(model, call);
    const shapes = [...call.outputs, ...call.inputs].map((id) => {
      const { shape, names, dtype, kind } = graph.values[id]!;
      return `${shape.join("×")} ${shape.join("x")} ${shape.join(",")} ${dtype} ${kind === "activation" ? "" : names.join(" ")}`;
    });
    const text = [name, call.name, path, ...new Set(shapes), call.error ?? ""].join(" \u0000 ").toLowerCase();
    return { call: call.id, name, path, text };
  });
}

/** The calls that hold every word of a query, in order; those whose own name or path holds it come first. */
export function search(entries: readonly Entry[], query: string): readonly Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found = entries.filter(({ text }) => words.every((word) => text.includes(word)));
  const isNamed = ({ name, path }: Entry): boolean =>
    words.every((word) => name.toLowerCase().includes(word) || lastPart(path).toLowerCase().includes(word));
  return [...found.filter(isNamed), ...found.filter((entry) => !isNamed(entry))];
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
