/** The differences of a comparison in the order of a walk through both graphs. */

import type { Fold } from "../contract/graph.ts";
import { isThin } from "../graph/calls.ts";
import type { Indexed } from "../graph/index.ts";
import { type Mark, type Marked } from "./marks.ts";
import { type Way, partnerOf } from "./step.ts";

/** One stop: a call of the first graph (side 0) or of the second, and for how many repeats in a row it stands. */
export interface Difference {
  readonly side: 0 | 1;
  readonly call: number;
  readonly mark: Mark;
  readonly repeats: number;
}

/** Where a stop comes in the walk: after which call of the first graph, then in the order of its own. */
interface Placed extends Difference {
  readonly after: number;
}

/**
 * Each difference once: what was added or removed whole, without what is in it; what changed where it did so, and not
 * in all the boxes around; a pair of changed calls on the first side; repeats that follow each other together.
 */
export function differences(ways: readonly [Way, Way], marks: readonly [Marked, Marked]): Difference[] {
  const [there, back] = ways;
  const first = stops(there.from, marks[0]).map((call): Placed => placed(0, call, marks[0], call));
  const after = befores(back);
  const second = stops(back.from, marks[1])
    .filter((call) => marks[1].own.get(call) !== "changed" || !isToldBy(back, marks[0], call))
    .map((call): Placed => placed(1, call, marks[1], after[call]!));
  const all = [...first, ...second].sort((a, b) => a.after - b.after || a.side - b.side || a.call - b.call);
  return together(all, [there.from, back.from]);
}

function placed(side: 0 | 1, call: number, { own }: Marked, after: number): Placed {
  return { side, call, mark: own.get(call)!, repeats: 1, after };
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

/** One stop for neighbouring repeats of a fold that bear the same mark. */
function together(all: readonly Placed[], graphs: readonly [Indexed, Indexed]): Difference[] {
  const places = graphs.map(repeats);
  const found: Difference[] = [];
  let end: readonly [Fold, number] | undefined;
  for (const { after: _, ...one } of all) {
    const last = found[found.length - 1];
    const place = places[one.side]!.get(one.call);
    const isNext = place && end && place[0] === end[0] && place[1] === end[1] + 1 && last!.mark === one.mark;
    if (isNext) found[found.length - 1] = { ...last!, repeats: last!.repeats + 1 };
    else found.push(one);
    end = place;
  }
  return found;
}

/** By call that is a repeat of its own: the fold, and which repeat it is. */
function repeats({ folds }: Indexed): Map<number, readonly [Fold, number]> {
  const all = [...folds.values()].flat().filter(({ period }) => period === 1);
  return new Map(all.flatMap((fold) => fold.calls.map((call, turn): [number, [Fold, number]] => [call, [fold, turn]])));
}
