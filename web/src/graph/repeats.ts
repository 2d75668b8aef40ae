/** The calls that a box stands for. */

import type { Fold } from "../contract/graph.ts";
import { foldOf } from "./folds.ts";
import type { Indexed } from "./index.ts";
import type { VisibleNode } from "./visible.ts";

/** All calls that a box stands for: itself, or its place in every repeat of the fold that is shown once. */
export function repeatsOf(indexed: Indexed, node: VisibleNode): readonly number[] {
  if (node.kind === "range") return node.members;
  if (node.call < 0) return [];
  const fold = node.repeat ? foldOf(indexed, node.call) : null;
  if (!fold) return node.kind === "fold" ? node.members : [node.call];
  const all = whole(fold);
  const start = all.indexOf(node.call);
  const stop = start + node.repeat!.count * fold.period;
  return all.slice(start, stop).filter((_, i) => node.kind === "fold" || i % fold.period === 0);
}

/** Of those, the ones that hold weights of their own: all turns of a loop have the same. */
export function holdersOf(indexed: Indexed, node: VisibleNode): readonly number[] {
  const isLoop = node.repeat !== null && foldOf(indexed, node.call)?.kind === "loop";
  if (!isLoop) return repeatsOf(indexed, node);
  return node.kind === "fold" ? node.members : [node.call];
}

/** The calls of a fold with the turns that were left out of the graph (`shortened.ts`), which follow each other evenly. */
function whole({ calls, period, count }: Fold): readonly number[] {
  if (calls.length === period * count) return calls;
  const kept = calls.slice(0, calls.length - period);
  const last = calls.slice(calls.length - period);
  const turns = kept.length / period;
  const size = (last[0]! - kept[kept.length - period]!) / (count - turns);
  const left = Array.from({ length: count - turns - 1 }, (_, turn) =>
    kept.slice(kept.length - period).map((call) => call + size * (turn + 1)),
  );
  return [...kept, ...left.flat(), ...last];
}
