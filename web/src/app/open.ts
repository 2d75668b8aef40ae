/** Opening and closing boxes: from one view state to the next. */

import type { Fold } from "../contract/graph.ts";
import type { Indexed } from "../graph/index.ts";
import { foldKey, foldOf, keyOf, repeatOf } from "../graph/folds.ts";
import type { ViewState } from "../graph/state.ts";
import type { VisibleNode } from "../graph/visible.ts";

function without(list: readonly string[], key: string): readonly string[] {
  return list.filter((other) => other !== key);
}

export function toggled(view: ViewState, node: VisibleNode): ViewState {
  return node.open ? closed(view, node.key) : opened(view, node.key);
}

export function opened(view: ViewState, key: string): ViewState {
  return { ...view, expand: [...without(view.expand, key), key], collapse: without(view.collapse, key) };
}

export function closed(view: ViewState, key: string): ViewState {
  return { ...view, collapse: [...without(view.collapse, key), key], expand: without(view.expand, key) };
}

/** Everything open to a depth, and nothing besides; null is what fits on a page. */
export function toDepth(view: ViewState, depth: number | null): ViewState {
  return { ...view, depth, expand: [], collapse: [] };
}

/** Show every repeat of a fold, each closed, so that one of them can be opened. */
export function unfolded(view: ViewState, fold: Fold): ViewState {
  const key = foldKey(fold);
  const keys = new Set(fold.calls.map(keyOf));
  const expand = view.expand.filter((other) => !keys.has(other));
  const collapse = [...view.collapse.filter((other) => !keys.has(other)), ...keys];
  return { ...view, expand, collapse, unfold: [...without(view.unfold, key), key] };
}

/** Show one repeat of a fold, from 0, by itself; those before and after it stay folded. */
export function apart(view: ViewState, fold: Fold, repeat: number): ViewState {
  const key = `${foldKey(fold)}${repeat}`;
  return { ...view, unfold: [...without(view.unfold, key), key] };
}

/** Show the repeats of a fold once again. */
export function folded(view: ViewState, fold: Fold): ViewState {
  const keys = new Set(fold.calls.map(keyOf));
  const keep = (list: readonly string[]): readonly string[] => list.filter((key) => !keys.has(key));
  return {
    ...view,
    expand: keep(view.expand),
    collapse: keep(view.collapse),
    unfold: view.unfold.filter((key) => !key.startsWith(foldKey(fold))),
  };
}

/** Open whatever hides a call: the boxes around it, and show the later repeat of a fold that it is in. */
export function showing(indexed: Indexed, view: ViewState, call: number): ViewState {
  const { calls } = indexed.graph;
  let next = view;
  const chain: number[] = [];
  for (let at: number | null = call; at !== null; at = calls[at]!.parent) chain.unshift(at);
  for (const at of chain) {
    const fold = foldOf(indexed, at);
    const repeat = fold ? repeatOf(fold, at) : 0;
    if (fold && repeat > 0 && next.fold && !next.unfold.includes(foldKey(fold))) next = apart(next, fold, repeat);
    else if (fold && fold.period > 1) next = { ...next, collapse: without(next.collapse, foldKey(fold)) };
    if (at !== call && at !== 0) next = opened(next, keyOf(at));
  }
  return next;
}
