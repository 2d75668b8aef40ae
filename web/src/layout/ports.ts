/** The order of wires along the borders of boxes. */

import type { Level } from "./levels.ts";
import type { PortOrder, Rows } from "./rows.ts";

/** For each child, its ports sorted by the places of what they are linked to. */
export function portOrders(level: Level, rows: Rows, place: Int32Array): PortOrder[] {
  const outs = level.children.map((_, child) => leaving(rows, place, child));
  return level.children.map((_, child) => ({ ins: entering(rows, place, child, outs), outs: outs[child]! }));
}

/** Nets by the mean place of where they lead; equal ones as the inside of the child likes, else by number. */
function leaving(rows: Rows, place: Int32Array, child: number): number[] {
  const sums = new Map<number, { sum: number; count: number; slot: number }>();
  for (const link of rows.down[child]!) {
    if (rows.back[link]) continue;
    const known = sums.get(rows.net[link]!) ?? { sum: 0, count: 0, slot: rows.slots?.upper[link] ?? 0 };
    known.sum += place[rows.lower[link]!]!;
    known.count += 1;
    sums.set(rows.net[link]!, known);
  }
  const mean = (net: number): number => sums.get(net)!.sum / sums.get(net)!.count;
  const slot = (net: number): number => sums.get(net)!.slot;
  return [...sums.keys()].sort((a, b) => mean(a) - mean(b) || slot(a) - slot(b) || a - b);
}

/** Nets by the place of where they come from; those from one box in the order in which they leave it. */
function entering(rows: Rows, place: Int32Array, child: number, outs: readonly (readonly number[])[]): number[] {
  const links = rows.up[child]!.filter((link) => !rows.back[link]);
  const port = (link: number): number => outs[rows.upper[link]!]?.indexOf(rows.net[link]!) ?? 0;
  links.sort((a, b) => place[rows.upper[a]!]! - place[rows.upper[b]!]! || port(a) - port(b));
  return [...new Set(links.map((link) => rows.net[link]!))];
}
