/** Marks of a comparison: what was added, removed and changed, in colours that colour-blind people can tell apart. */

import type { Indexed } from "../graph/index.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Marks } from "../contract/payload.ts";
import { type Hex, OKABE_ITO } from "./hex.ts";

export type Mark = keyof Marks;

/** The name by which colouring by marks is asked for. */
export const DIFFERENCE = "difference";

export const MARKS: readonly Mark[] = ["added", "removed", "changed"];

/** A hue, and a sign, so that nothing is said by colour alone. */
export const SIGNS: Readonly<Record<Mark, { readonly sign: string; readonly hue: Hex }>> = {
  added: { sign: "+", hue: OKABE_ITO.green },
  removed: { sign: "−", hue: OKABE_ITO.vermillion },
  changed: { sign: "~", hue: OKABE_ITO.orange },
};

export interface Marked {
  /** By call: its own mark. */
  readonly own: ReadonlyMap<number, Mark>;
  /** By call: 1 where something inside it is marked. */
  readonly inside: Uint8Array;
}

export function marked({ graph }: Indexed, given: Marks): Marked {
  const own = new Map<number, Mark>();
  for (const mark of MARKS) for (const call of given[mark]) own.set(call, mark);
  const inside = new Uint8Array(graph.calls.length);
  for (let call = graph.calls.length - 1; call > 0; call--) {
    const { parent } = graph.calls[call]!;
    if (parent !== null && (own.has(call) || inside[call] === 1)) inside[parent] = 1;
  }
  return { own, inside };
}

/** The mark of one call as a closed box: changed where anything inside it differs. */
export function closedMark({ own, inside }: Marked, call: number): Mark | null {
  return own.get(call) ?? (inside[call] === 1 ? "changed" : null);
}

/** The mark of a box that stands for `repeats`; of an open one its own, for what is in it says so itself: theirs where all have the same, changed where some differ. */
export function markOf(known: Marked, node: VisibleNode, repeats: readonly number[]): Mark | null {
  if (node.open && node.kind !== "call") return null;
  let common: Mark | null | undefined;
  for (const call of repeats) {
    const mark = node.open ? (known.own.get(call) ?? null) : closedMark(known, call);
    if (common !== undefined && common !== mark) return "changed";
    common = mark;
  }
  return common ?? null;
}
