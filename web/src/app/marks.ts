/** Marks of a comparison: what was added, removed and changed, in colours that colour-blind people can tell apart. */

import type { Indexed } from "../graph/index.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Tint } from "../paint/look.ts";
import type { Theme } from "../scene/theme.ts";
import { mix } from "./overlay.ts";

export type Mark = "added" | "removed" | "changed";

/** Of one graph: the calls that bear each mark. */
export type GivenMarks = Readonly<Record<Mark, readonly number[]>>;

/** The name by which colouring by marks is asked for. */
export const DIFFERENCE = "difference";

export const MARKS: readonly Mark[] = ["added", "removed", "changed"];

/** Okabe and Ito's hues, and a sign, so that nothing is said by colour alone. */
export const SIGNS: Readonly<Record<Mark, { readonly sign: string; readonly hue: string }>> = {
  added: { sign: "+", hue: "#009e73" },
  removed: { sign: "−", hue: "#d55e00" },
  changed: { sign: "~", hue: "#e69f00" },
};

export interface Marked {
  /** By call: its own mark. */
  readonly own: ReadonlyMap<number, Mark>;
  /** By call: 1 where something inside it is marked. */
  readonly inside: Uint8Array;
}

export function marked({ graph }: Indexed, given: GivenMarks): Marked {
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

/** The mark of one call as an open box: what is changed in it says so itself. */
function openMark({ own, inside }: Marked, call: number): Mark | null {
  const mark = own.get(call) ?? null;
  return mark === "changed" && inside[call] === 1 ? null : mark;
}

/** The mark of a box that stands for `repeats`: theirs where all have the same, changed where some differ. */
export function markOf(known: Marked, node: VisibleNode, repeats: readonly number[]): Mark | null {
  let found: Mark | null | undefined;
  for (const call of repeats) {
    const mark = node.open ? openMark(known, call) : closedMark(known, call);
    if (found !== undefined && found !== mark) return "changed";
    found = mark;
  }
  return found ?? null;
}

export function markTint(theme: Theme, mark: Mark): Tint {
  const { hue } = SIGNS[mark];
  return {
    fill: mix(theme.background, hue, 0.28),
    line: mix(theme.background, hue, 0.8),
    bar: hue,
  };
}
