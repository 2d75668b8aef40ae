/** What the search for an order relies on: the price of a swap, and which elements cannot gain by a move. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Arrangement, markCrossed, totalCrossings, turning } from "../../src/layout/crossings.ts";
import { type Rows, rows, withSlots } from "../../src/layout/rows.ts";

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
    const found = rows(level);
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

function arrangement(count: number, at: readonly (readonly number[])[]): Arrangement {
  const place = new Int32Array(count);
  for (const line of at) line.forEach((element, i) => (place[element] = i));
  return { at, place };
}

function swapped({ at, place }: Arrangement, row: number, seat: number): Arrangement {
  const line = [...at[row]!];
  [line[seat], line[seat + 1]] = [line[seat + 1]!, line[seat]!];
  return arrangement(
    place.length,
    at.map((other, i) => (i === row ? line : other)),
  );
}

/** Every pair of neighbours in every row. */
function neighbours({ at }: Arrangement): [number, number][] {
  return at.flatMap((line, row) => line.slice(1).map((_, seat): [number, number] => [row, seat]));
}

describe("crossings", () => {
  test("a swap of neighbours costs what counting before and after says", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        for (const [row, seat] of neighbours(now)) {
          const [a, b] = [now.at[row]![seat]!, now.at[row]![seat + 1]!];
          const counted = totalCrossings(found, swapped(now, row, seat)) - totalCrossings(found, now);
          expect(turning(found, now.place, a, b)).toBe(counted);
        }
      }),
    );
  });

  test("an element without a mark gains nothing by any move in its row", () => {
    fc.assert(
      fc.property(drawn, ({ rows: found, now }) => {
        const marks = new Uint8Array(found.count).fill(1);
        for (const [row, line] of now.at.entries()) {
          markCrossed(found, now, row, marks);
          for (const element of line.filter((one) => marks[one] === 0)) {
            const others = line.filter((one) => one !== element);
            for (let seat = 0; seat <= others.length; seat++) {
              const moved = [...others.slice(0, seat), element, ...others.slice(seat)];
              const at = now.at.map((other, i) => (i === row ? moved : other));
              expect(totalCrossings(found, arrangement(found.count, at))).toBeGreaterThanOrEqual(
                totalCrossings(found, now),
              );
            }
          }
        }
      }),
    );
  });

  test("without crossings no element is marked, with one both sides of it are", () => {
    const level = {
      children: [0, 1, 2, 3],
      first: [true, true, true, true],
      nets: [0, 1],
      ins: [],
      outs: [],
      later: [],
    };
    const found = rows({ ...level, links: [0, 2, 0, 1, 3, 1] });
    for (const [line, marked] of [
      [[2, 3], 0],
      [[3, 2], 1],
    ] as const) {
      const marks = new Uint8Array(found.count).fill(1 - marked);
      const now = arrangement(found.count, [[0, 1], line]);
      markCrossed(found, now, 0, marks);
      markCrossed(found, now, 1, marks);
      expect([...marks]).toEqual([marked, marked, marked, marked]);
    }
  });
});
