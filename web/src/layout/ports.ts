/**
 * The order of ports along the borders of boxes.
 *
 * Example: of one box, net m leads to the elements at positions 1 and 2 of the next row, net n to position 0. Their means
 * are 1.5 and 0, so n leaves the box left of m.
 */

import type { Level } from "./levels.ts";
import type { PortOrder, Rows } from "./rows.ts";

/** For each child, its ports sorted by the positions of what they are linked to. */
export function portOrders(level: Level, rows: Rows, position: Int32Array): PortOrder[] {
  const outs = level.children.map((_, child) => leaving(rows, position, child));
  return level.children.map((_, child) => ({ ins: entering(rows, position, child, outs), outs: outs[child]! }));
}

/** Nets by the mean position of their ends; equal ones in the order that the inside of the child prefers, else by number. */
function leaving(rows: Rows, position: Int32Array, child: number): number[] {
  const sums = new Map<number, { sum: number; count: number; slot: number }>();
  for (const link of rows.down[child]!) {
    if (rows.back[link]) continue;
    const mean = sums.get(rows.net[link]!) ?? { sum: 0, count: 0, slot: rows.slots?.upper[link] ?? 0 };
    mean.sum += position[rows.lower[link]!]!;
    mean.count += 1;
    sums.set(rows.net[link]!, mean);
  }
  const mean = (net: number): number => sums.get(net)!.sum / sums.get(net)!.count;
  const slot = (net: number): number => sums.get(net)!.slot;
  return [...sums.keys()].sort((a, b) => mean(a) - mean(b) || slot(a) - slot(b) || a - b);
}

/** Nets by the position of their starts; those from one box in the order in which they leave it. */
function entering(rows: Rows, position: Int32Array, child: number, outs: readonly (readonly number[])[]): number[] {
  const links = rows.up[child]!.filter((link) => !rows.back[link]);
  const port = (link: number): number => outs[rows.upper[link]!]?.indexOf(rows.net[link]!) ?? 0;
  links.sort((a, b) => position[rows.upper[a]!]! - position[rows.upper[b]!]! || port(a) - port(b));
  return [...new Set(links.map((link) => rows.net[link]!))];
}
