/** The order of wires along the borders of boxes. */

import type { Level } from "./levels.ts";
import type { Rows } from "./rows.ts";

/** Of one child: its nets, as positions in the level's list, from left to right on the side where data enters, and where it leaves. */
export interface PortOrder {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
}

/** For each child, its ports sorted by the places of what they are linked to. */
export function portOrders(level: Level, rows: Rows, place: Int32Array): PortOrder[] {
  return level.children.map((_, child) => ({
    ins: byPlace(
      rows.up[child]!.filter((link) => !rows.back[link]).map((link) => [rows.net[link]!, place[rows.upper[link]!]!]),
    ),
    outs: byPlace(
      rows.down[child]!.filter((link) => !rows.back[link]).map((link) => [rows.net[link]!, place[rows.lower[link]!]!]),
    ),
  }));
}

/** Nets by the mean place of their links; equal ones by number, on both sides alike. */
function byPlace(found: readonly (readonly [number, number])[]): number[] {
  const sums = new Map<number, [number, number]>();
  for (const [net, place] of found) {
    const [sum, count] = sums.get(net) ?? [0, 0];
    sums.set(net, [sum + place, count + 1]);
  }
  const mean = (net: number): number => sums.get(net)![0] / sums.get(net)![1];
  return [...sums.keys()].sort((a, b) => mean(a) - mean(b) || a - b);
}
