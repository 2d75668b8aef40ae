/** What repeats, to be shown once: by the call around it, and by its name. */

import type { Fold, Graph } from "../contract/graph.ts";

/** By the call around them. */
export type Folds = ReadonlyMap<number, readonly Fold[]>;

export function foldsOf(graph: Graph): Folds {
  const byParent = new Map<number, Fold[]>();
  for (const fold of graph.folds) {
    const siblings = byParent.get(fold.parent);
    if (siblings) siblings.push(fold);
    else byParent.set(fold.parent, [fold]);
  }
  return byParent;
}

/** The fold among whose repeats a call is. */
export function foldOf({ graph, folds }: { readonly graph: Graph; readonly folds: Folds }, call: number): Fold | null {
  const parent = graph.calls[call]?.parent;
  if (parent === null || parent === undefined) return null;
  return folds.get(parent)?.find(({ calls }) => calls.includes(call)) ?? null;
}

/** The key of a call's box. */
export function keyOf(call: number): string {
  return `#${call}`;
}

/** The key of all repeats of a fold together. */
export function foldKey({ calls }: Fold): string {
  return `${keyOf(calls[0]!)}x`;
}

/** The repeat of a fold that a call is in, from 0. */
export function repeatOf({ calls, period }: Fold, call: number): number {
  return Math.floor(calls.indexOf(call) / period);
}
