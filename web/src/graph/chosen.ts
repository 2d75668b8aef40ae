/** Repeats of a fold that are shown by themselves, while those before and after them stay folded. */

import type { Fold, Graph } from "../contract/graph.ts";
import { type Folds, foldOf, keyOf, repeatOf } from "./folds.ts";
import type { ViewState } from "./state.ts";

/** By the first call of a fold: which of its repeats, from 0. */
export type Chosen = ReadonlyMap<number, ReadonlySet<number>>;

/** Repeats are chosen by their own key (`#12x3`), or because they, or for a path what is in them, shall be open. */
export function chosen(graph: Graph, folds: Folds, { expand, unfold }: ViewState): Chosen {
  const turnsOf = new Map<number, Set<number>>();
  const choose = (first: number, turn: number): void => {
    const turns = turnsOf.get(first);
    if (turns) turns.add(turn);
    else turnsOf.set(first, new Set([turn]));
  };
  for (const key of unfold) {
    const [, first, turn] = /^#(\d+)x(\d+)$/.exec(key) ?? [];
    if (first !== undefined) choose(Number(first), Number(turn));
  }
  if (folds.size === 0 || expand.length === 0) return turnsOf;
  const named = new Set(expand);
  for (const { id, path } of graph.calls) {
    if (named.has(keyOf(id))) chooseOne(graph, folds, id, choose);
    if (path === null || !named.has(path)) continue;
    for (let at: number | null = id; at !== null; at = graph.calls[at]!.parent) chooseOther(graph, folds, at, choose);
  }
  return turnsOf;
}

/** A later repeat; the first one stands for all already. */
function chooseOne(graph: Graph, folds: Folds, call: number, choose: (first: number, turn: number) => void): void {
  const fold = foldOf({ graph, folds }, call);
  const turn = fold ? repeatOf(fold, call) : 0;
  if (fold && turn > 0) choose(fold.calls[0]!, turn);
}

/** A path that the first repeat has too names all of them, and none apart. */
function chooseOther(graph: Graph, folds: Folds, call: number, choose: (first: number, turn: number) => void): void {
  chooseOne(graph, folds, call, (first, turn) => {
    const fold = folds.get(graph.calls[call]!.parent!)!.find(({ calls }) => calls[0] === first)!;
    const same = fold.calls[fold.calls.indexOf(call) % fold.period]!;
    if (graph.calls[same]!.path !== graph.calls[call]!.path) choose(first, turn);
  });
}

/** What is left of a fold on both sides of the chosen repeats, and between them: two repeats at least. */
export function pieces(fold: Fold, turns: ReadonlySet<number> | undefined): readonly Fold[] {
  if (!turns) return [fold];
  const parts: Fold[] = [];
  for (let start = 0, turn = 0; turn <= fold.count; turn++) {
    if (turn < fold.count && !turns.has(turn)) continue;
    const count = turn - start;
    const calls = fold.calls.slice(start * fold.period, turn * fold.period);
    if (count > 1) parts.push({ ...fold, calls, count, growth: growthOfPart(fold, start, count) });
    start = turn + 1;
  }
  return parts;
}

/** What grows in some turns of a fold alone; of a size the last turn has the last, of what is handed on it makes it. */
function growthOfPart({ growth, count: all }: Fold, start: number, count: number): Fold["growth"] {
  if (growth === null) return null;
  const after = growth.name === "size" ? 1 : 0;
  const step = (growth.last - growth.first) / (all - after);
  const first = growth.first + step * start;
  return { ...growth, first, last: first + step * (count - after) };
}
