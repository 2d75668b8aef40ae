/** The differences of a comparison in the order of a walk through both graphs. */

import { isThin } from "../graph/calls.ts";
import type { Indexed } from "../graph/index.ts";
import { type Mark, type Marked } from "../scene/marks.ts";
import { type Way, partnerOf } from "./step.ts";

/** One stop: a call of the first graph (side 0) or of the second, and for how many repeats in a row it stands. */
export interface Difference {
  readonly side: 0 | 1;
  readonly call: number;
  readonly mark: Mark;
  readonly repeats: number;
}

/**
 * Each difference once: what was added or removed whole, without what is in it; what changed where it did so, and not
 * in all the boxes around; a pair of changed calls on the first side; what is the same from one repeat to the next
 * with the first of these. The second graph's stand where the calls before them have their partners in the first.
 */
export function differences(ways: readonly [Way, Way], marks: readonly [Marked, Marked]): Difference[] {
  const [there, back] = ways;
  const first = told(0, there.from, marks[0], stops(there.from, marks[0]));
  const own = stops(back.from, marks[1]);
  const untold = own.filter((call) => marks[1].own.get(call) !== "changed" || !isToldBy(back, marks[0], call));
  const second = told(1, back.from, marks[1], untold);
  const after = befores(back);
  const place = ({ side, call }: Difference): number => (side === 0 ? call : after[call]!);
  return [...first, ...second].sort((a, b) => place(a) - place(b) || a.side - b.side || a.call - b.call);
}

function stops(indexed: Indexed, known: Marked): number[] {
  const { calls } = indexed.graph;
  const found: number[] = [];
  for (const [call, mark] of known.own) {
    const { parent } = calls[call]!;
    const around = parent === null ? undefined : known.own.get(parent);
    if (mark !== "changed") {
      if (around !== mark) found.push(call);
    } else if (isThin(indexed.tree, calls[call]!)) found.push(call);
    else if (known.inside[call] === 0 && !(around === mark && isThin(indexed.tree, calls[parent!]!))) found.push(call);
  }
  return found.sort((a, b) => a - b);
}

/** Is its partner in the first graph marked as changed as well? */
function isToldBy({ partners }: Way, { own }: Marked, call: number): boolean {
  return partners.get(call)?.some((other) => own.get(other) === "changed") ?? false;
}

/** By call: the partner of the last call up to it that has any. */
function befores(back: Way): Int32Array {
  const found = new Int32Array(back.from.graph.calls.length).fill(-1);
  for (let call = 0, last = -1; call < found.length; call++) found[call] = last = partnerOf(back, call) ?? last;
  return found;
}

/** The stops of one side; one that is the same in the repeat before is told by the stop of that. */
function told(side: 0 | 1, indexed: Indexed, { own }: Marked, calls: readonly number[]): Difference[] {
  const before = repeatBefore(indexed);
  const found = new Map<number, Difference>();
  const head = new Map<number, number>();
  for (const call of calls) {
    const mark = own.get(call)!;
    const last = head.get(before[call]!);
    const known = last === undefined ? undefined : found.get(last);
    if (known?.mark === mark) found.set(known.call, { ...known, repeats: known.repeats + 1 });
    else found.set(call, { side, call, mark, repeats: 1 });
    head.set(call, known?.mark === mark ? known.call : call);
  }
  return [...found.values()];
}

/** By call: the one at the same place in the repeat before, or -1. */
function repeatBefore({ graph, tree, folds }: Indexed): Int32Array {
  const found = new Int32Array(graph.calls.length).fill(-1);
  for (const { calls, period } of [...folds.values()].flat())
    for (let i = period; i < calls.length; i++) found[calls[i]!] = calls[i - period]!;
  for (const { id, parent } of graph.calls) {
    const around = parent === null ? -1 : found[parent]!;
    if (found[id] === -1 && around >= 0) found[id] = tree.children[around]![tree.position[id]!] ?? -1;
  }
  return found;
}
