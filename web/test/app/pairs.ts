/** Two captured networks whose modules belong together by path, and the functions in them by name and turn. */

import { network } from "../payloads.ts";
import type { Marks } from "../../src/contract/payload.ts";
import { type Indexed, index } from "../../src/graph/index.ts";
import { type Mark, marked } from "../../src/scene/marks.ts";
import { type Way, ways } from "../../src/app/step.ts";

export type Pairs = [number, number][];

export function byPath(one: string, other: string): { pairs: Pairs; indexed: [Indexed, Indexed]; ways: [Way, Way] } {
  const indexed: [Indexed, Indexed] = [index(network(one), "op"), index(network(other), "op")];
  const there = new Map([...keys(indexed[1])].map(([call, key]) => [key, call]));
  const pairs: Pairs = [];
  for (const [call, key] of keys(indexed[0])) if (there.has(key)) pairs.push([call, there.get(key)!]);
  return { pairs, indexed, ways: ways(pairs, indexed) };
}

function keys({ graph }: Indexed): Map<number, string> {
  const found = new Map<number, string>();
  const turns = new Map<string, number>();
  for (const { id, parent, path, name } of graph.calls) {
    const plain = `${parent === null ? "" : found.get(parent)} / ${path ?? name}`;
    turns.set(plain, (turns.get(plain) ?? 0) + 1);
    found.set(id, `${plain} ${turns.get(plain)}`);
  }
  return found;
}

/** Marks of one graph, by mark. */
export function marks(indexed: Indexed, given: Partial<Record<Mark, readonly number[]>>): ReturnType<typeof marked> {
  const all: Marks = { added: [], removed: [], changed: [], ...given };
  return marked(indexed, all);
}

export function callAt({ graph }: Indexed, path: string): number {
  return graph.calls.find((call) => call.path === path)!.id;
}
