/** Two graphs in step: which boxes of one belong to which of the other, and what is done to both at once. */

import type { Fold } from "../contract/graph.ts";
import { isThin } from "../graph/calls.ts";
import type { Indexed } from "../graph/index.ts";
import type { ViewState } from "../graph/state.ts";
import { foldKey, foldOf, repeatOf } from "../graph/folds.ts";

/** By call of one graph: the calls of the other that belong to it, in order. */
export type Partners = ReadonlyMap<number, readonly number[]>;

/** The way from one graph to the other. */
export interface Way {
  readonly from: Indexed;
  readonly to: Indexed;
  readonly partners: Partners;
}

/** What a reader does in one drawing and may want done in the other. */
export type Deed =
  | { readonly kind: "select"; readonly key: string | null }
  | { readonly kind: "open" | "close" | "openAll"; readonly key: string }
  | { readonly kind: "unfold" | "fold"; readonly fold: Fold }
  | { readonly kind: "depth"; readonly depth: number | null };

/** Both ways: from the first graph to the second, and back. */
export function ways(pairs: readonly (readonly [number, number])[], graphs: readonly [Indexed, Indexed]): [Way, Way] {
  const [there, back] = [new Map<number, number[]>(), new Map<number, number[]>()];
  const add = (to: Map<number, number[]>, one: number, other: number): void => {
    const known = to.get(one);
    if (known) known.push(other);
    else to.set(one, [other]);
  };
  for (const [one, other] of pairs) {
    add(there, one, other);
    add(back, other, one);
  }
  const [a, b] = graphs;
  return [
    { from: a, to: b, partners: savedLast(there, b) },
    { from: b, to: a, partners: savedLast(back, a) },
  ];
}

/** What a node of a backward pass keeps belongs to the same call as the node, which is the one to go to. */
function savedLast(partners: ReadonlyMap<number, number[]>, { graph }: Indexed): Partners {
  const isSaved = (call: number): boolean => graph.calls[call]?.kind === "saved";
  for (const calls of partners.values())
    if (calls.length > 1) calls.sort((a, b) => Number(isSaved(a)) - Number(isSaved(b)));
  return partners;
}

/** The call that stands first for a call in the other graph. */
export function partnerOf({ partners }: Way, call: number): number | null {
  return partners.get(call)?.[0] ?? null;
}

/** The call whose box is worth a look: a function that is all there is in a module reads best as that module. */
export function worthALook({ tree, graph }: Indexed, call: number): number {
  const parent = graph.calls[call]?.parent;
  if (parent === null || parent === undefined || parent === 0) return call;
  return isThin(tree, graph.calls[parent]!) ? parent : call;
}

/** The nearest call around one that has a partner, as that partner; the whole model's is no news. */
export function nearest(way: Way, call: number): number | null {
  const { calls } = way.from.graph;
  for (let at = calls[call]?.parent ?? null; at !== null && at !== 0; at = calls[at]!.parent) {
    const partner = partnerOf(way, at);
    if (partner !== null && partner !== 0) return partner;
  }
  return null;
}

/** The call that a key names, be it a call's own, a fold's or a range's; null for inputs, outputs and paths. */
export function callIn(key: string): number | null {
  const [, call] = /^#(\d+)(?:x\d*|-)?$/.exec(key) ?? [];
  return call === undefined ? null : Number(call);
}

/** The key of the box that belongs to one; inputs, outputs and paths go by the same name on both sides. */
export function partnerKey(way: Way, key: string): string | null {
  const call = callIn(key);
  if (call === null) return key;
  const turn = /x(\d+)$/.exec(key)?.[1];
  if (turn !== undefined) return repeatKey(way, call, Number(turn));
  if (key.endsWith("x")) {
    const fold = foldOf(way.from, call);
    const other = fold && partnerFold(way, fold);
    return other ? foldKey(other) : null;
  }
  const partner = partnerOf(way, call);
  return partner === null ? null : `#${partner}${key.endsWith("-") ? "-" : ""}`;
}

/** One repeat of a fold that is shown apart. */
function repeatKey(way: Way, first: number, turn: number): string | null {
  const fold = foldOf(way.from, first);
  const call = fold?.calls[turn * fold.period];
  const partner = call === undefined ? null : partnerOf(way, call);
  const other = partner === null ? null : foldOf(way.to, partner);
  return other ? `${foldKey(other)}${repeatOf(other, partner!)}` : null;
}

/** The fold that holds what belongs to a fold. */
function partnerFold(way: Way, { calls }: Fold): Fold | null {
  for (const call of calls) {
    const partner = partnerOf(way, call);
    const fold = partner === null ? null : foldOf(way.to, partner);
    if (fold) return fold;
  }
  return null;
}

/** The same deed in the other graph; null where nothing there belongs to it. */
export function mirrored(way: Way, deed: Deed): Deed | null {
  if (deed.kind === "depth") return deed;
  if ("fold" in deed) {
    const fold = partnerFold(way, deed.fold);
    return fold && { ...deed, fold };
  }
  if (deed.key === null) return deed;
  const key = partnerKey(way, deed.key);
  if (deed.kind !== "select") return key === null ? null : { ...deed, key };
  const [call, from] = [key === null ? null : callIn(key), callIn(deed.key)];
  const isCall = call !== null && from !== null && key === `#${call}`;
  // Whoever has opened the module to look at its function wants to see the other function too.
  const isOpened = from !== null && worthALook(way.from, from) !== from;
  return { kind: "select", key: isCall && !isOpened ? `#${worthALook(way.to, call)}` : key };
}

/** A view of one graph as the other's: what is open, closed and unfolded there is so here. */
export function mirroredView(way: Way, view: ViewState): ViewState {
  const each = (keys: readonly string[]): string[] => [
    ...new Set(keys.map((key) => partnerKey(way, key)).filter((key) => key !== null)),
  ];
  return { ...view, expand: each(view.expand), collapse: each(view.collapse), unfold: each(view.unfold) };
}
