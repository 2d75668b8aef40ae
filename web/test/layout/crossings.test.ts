/** What the search for an order relies on: the price of a swap, and where an element cannot gain by a move. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Arrangement, crossingsBelow, totalCrossings, swapChange } from "../../src/layout/crossings.ts";
import { SLOTS, type Rows, rowsOf, withSlots } from "../../src/layout/rows.ts";
import { crossesAfter, crossesBefore, measureRow, sift, working } from "../../src/layout/sift.ts";

/** Three rows of some boxes, wired at random; half of them with ports that are told apart. */
const drawn: fc.Arbitrary<{ rows: Rows; now: Arrangement }> = fc
  .record({
    sizes: fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 2, max: 7 }))),
    ends: fc.array(fc.tuple(fc.nat(60), fc.nat(60), fc.boolean()), { minLength: 1, maxLength: 25 }),
    slots: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ sizes, ends, slots, seed }) => {
    const [first, second, third] = sizes as [number, number, number];
    const count = first + second + third;
    // What ties every box to its row, then what was drawn.
    const links = Array.from({ length: second }, (_, i) => [i % first, first + i, i % first]).flat();
    for (let i = 0; i < third; i++) links.push(first + (i % second), first + second + i, 100 + (i % second));
    ends.forEach(([a, b, up], i) => {
      if (up) links.push(a % first, first + (b % second), 200 + i);
      else links.push(first + (a % second), first + second + (b % third), 200 + i);
    });
    const nets = Array.from({ length: 300 }, (_, i) => i);
    const children = Array.from({ length: count }, (_, i) => i);
    const level = { children, first: children.map(() => true), nets, ins: [], outs: [], links, later: [] };
    const found = rowsOf(level);
    const mixed = (element: number): number => Math.imul(element + 1 + seed, 0x9e3779b1) >>> 0;
    const at = Array.from({ length: found.height }, (_, row) =>
      children.filter((element) => found.row[element] === row).sort((a, b) => mixed(a) - mixed(b)),
    );
    const ports = { ins: nets.map((_, i) => (i * 7) % 300), outs: nets.map((_, i) => (i * 11) % 300) };
    const shown = slots
      ? withSlots(
          found,
          children.map(() => ports),
        )
      : found;
    return { rows: shown, now: arrangement(found.count, at) };
  });

function arrangement(count: number, elements: readonly (readonly number[])[]): Arrangement {
  const position = new Int32Array(count);
  for (const line of elements) line.forEach((element, i) => (position[element] = i));
  return { elements, position };
}

function swapped({ elements, position }: Arrangement, row: number, seat: number): Arrangement {
  const line = [...elements[row]!];
  [line[seat], line[seat + 1]] = [line[seat + 1]!, line[seat]!];
  return arrangement(
    position.length,
    elements.map((other, i) => (i === row ? line : other)),
  );
}

/** Every pair of neighbours in every row. */
function neighbours({ elements }: Arrangement): [number, number][] {
  return elements.flatMap((line, row) => line.slice(1).map((_, seat): [number, number] => [row, seat]));
}

describe("crossings", () => {
  test("a swap of neighbours costs what counting before and after says", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        for (const [row, seat] of neighbours(now)) {
          const [a, b] = [now.elements[row]![seat]!, now.elements[row]![seat + 1]!];
          const counted = totalCrossings(found, swapped(now, row, seat)) - totalCrossings(found, now);
          expect(swapChange(found, now.position, a, b)).toBe(counted);
        }
      }),
    );
  });

  test("are what comparing every two links between two rows finds", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        for (let row = 0; row + 1 < found.height; row++) {
          expect(crossingsBelow(found, now, row)).toBe(pairsThatCross(found, now, row));
        }
      }),
    );
  });

  test("an element that crosses nothing on one hand gains nothing by any move to there", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        const { sides } = working(found, now);
        for (const [row, line] of now.elements.entries()) {
          for (const side of [sides.up, sides.down]) measureRow(side, line, now.position);
          line.forEach((element, here) => {
            for (let seat = 0; seat < line.length; seat++) {
              const crosses = seat < here ? crossesBefore : crossesAfter;
              if (seat === here || crosses(sides, element, here)) continue;
              expect(totalCrossings(found, shifted(now, row, here, seat))).toBeGreaterThanOrEqual(
                totalCrossings(found, now),
              );
            }
          });
        }
      }),
    );
  });

  test("a sifted arrangement is left better or as it was, and no single move betters it", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        const after = working(found, now);
        sift(found, after, new Set([0]));
        const crossings = totalCrossings(found, after);
        expect(crossings).toBeLessThanOrEqual(totalCrossings(found, now));
        expect(after.elements[0]).toEqual(now.elements[0]);
        expect(arrangement(found.count, after.elements).position).toEqual(after.position);
        if (after.settled.subarray(1).some((row) => row === 0)) return;
        for (const [row, line] of after.elements.entries()) {
          for (const [here, seat] of row === 0 ? [] : line.flatMap((_, i) => line.map((__, j) => [i, j] as const))) {
            expect(totalCrossings(found, shifted(after, row, here, seat))).toBeGreaterThanOrEqual(crossings);
          }
        }
      }),
    );
  });
});

function shifted({ elements, position }: Arrangement, row: number, here: number, seat: number): Arrangement {
  const others = elements[row]!.filter((_, i) => i !== here);
  const line = [...others.slice(0, seat), elements[row]![here]!, ...others.slice(seat)];
  return arrangement(
    position.length,
    elements.map((other, i) => (i === row ? line : other)),
  );
}

/** By definition: two links cross if their upper ends stand the other way round than their lower ones. */
function pairsThatCross({ upper, lower, slots, row: at }: Rows, { position }: Arrangement, row: number): number {
  const links = [...upper.keys()].filter((link) => at[upper[link]!] === row);
  const from = (link: number): number => position[upper[link]!]! * SLOTS + (slots?.upper[link] ?? 0);
  const to = (link: number): number => position[lower[link]!]! * SLOTS + (slots?.lower[link] ?? 0);
  const pairs = links.flatMap((a, i) => links.slice(i + 1).map((b) => (from(a) - from(b)) * (to(a) - to(b))));
  return pairs.filter((product) => product < 0).length;
}
