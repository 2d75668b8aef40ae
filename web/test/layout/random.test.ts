/** What holds for every layout, whatever the boxes and nets. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { type LayoutBox, type LayoutInput, type LayoutNet, layout, newMemory } from "../../src/layout/layout.ts";
import { brokenNets, misplacedBoxes, piercedBoxes, struckTitles } from "../quality.ts";

interface Recipe {
  /** For each box: which of the open boxes before it holds it, whether it is open itself, and its size. */
  boxes: { parent: number; open: boolean; width: number; height: number; loop: boolean }[];
  nets: { ends: number[]; label: boolean }[];
  direction: "TB" | "LR";
}

const recipe: fc.Arbitrary<Recipe> = fc.record({
  boxes: fc.array(
    fc.record({
      parent: fc.nat(50),
      open: fc.boolean(),
      width: fc.integer({ min: 10, max: 90 }),
      height: fc.integer({ min: 8, max: 40 }),
      loop: fc.boolean(),
    }),
    { minLength: 1, maxLength: 24 },
  ),
  nets: fc.array(fc.record({ ends: fc.array(fc.nat(50), { minLength: 2, maxLength: 12 }), label: fc.boolean() }), {
    maxLength: 24,
  }),
  direction: fc.constantFrom("TB", "LR"),
});

/** Closed boxes stand for calls: a net leads from one to others, forwards unless `back`. */
function build({ boxes, nets, direction }: Recipe, back: boolean): LayoutInput {
  const made: (LayoutBox & { children: number[] })[] = [];
  const top: number[] = [];
  boxes.forEach(({ parent, open, width, height, loop }, i) => {
    const holders = made.flatMap((box, j) => (box.open ? [j] : []));
    const chosen = parent % (holders.length + 1);
    const around = chosen === holders.length ? -1 : holders[chosen]!;
    (around < 0 ? top : made[around]!.children).push(i);
    const size = { width: 2 * width, height };
    made.push({
      parent: around,
      children: [],
      size,
      open,
      first: i === 0,
      loop: loop ? { width: 20, height: 11 } : null,
    });
  });
  const order = [...leaves(made, top)];
  const found = nets.flatMap(({ ends, label }): LayoutNet[] => {
    const seats = ends.map((end) => end % Math.max(1, order.length));
    if (!back) seats.sort((a, b) => a - b);
    const [source, ...readers] = [...new Set(seats)].map((seat) => order[seat]!);
    if (source === undefined || readers.length === 0) return [];
    return [{ source, readers, label: label ? { width: 30, height: 11 } : null, tag: { width: 40, height: 15 } }];
  });
  return { boxes: made, top, nets: found, direction, still: false, restTag: { width: 60, height: 15 } };
}

/** Closed boxes in the order of execution. */
function* leaves(boxes: readonly LayoutBox[], group: readonly number[]): Generator<number> {
  for (const box of group) {
    if (boxes[box]!.open) yield* leaves(boxes, boxes[box]!.children);
    else yield box;
  }
}

function faults(input: LayoutInput): string[] {
  const made = layout(input);
  const tunnels = new Set(made.tags.flatMap((tag) => tag.nets));
  return [
    ...misplacedBoxes(input, made),
    ...piercedBoxes(input, made),
    ...struckTitles(input, made),
    ...brokenNets(input, made, tunnels),
  ];
}

/** The same cases in every run; other seeds are for looking for trouble. */
const RUNS = { numRuns: 400, seed: 1 };

test("no layout has overlapping boxes, wires through boxes or titles, or loose ends", () => {
  fc.assert(
    fc.property(recipe, (given) => {
      expect(faults(build(given, false))).toEqual([]);
    }),
    RUNS,
  );
});

test("wires that lead back are drawn without piercing a box", () => {
  fc.assert(
    fc.property(recipe, (given) => {
      const input = build(given, true);
      const made = layout(input);
      expect([...misplacedBoxes(input, made), ...piercedBoxes(input, made)]).toEqual([]);
    }),
    RUNS,
  );
});

test("the same input gives the same layout, with and without a memory of others", () => {
  const shared = newMemory();
  fc.assert(
    fc.property(recipe, (given) => {
      const input = build(given, false);
      const { distinct: _, ...fresh } = layout(input);
      const { distinct: __, ...again } = layout(input, shared);
      expect(again).toEqual(fresh);
    }),
    { numRuns: 150, seed: 1 },
  );
});

test("data flows forwards: a reader stands after what it reads", () => {
  fc.assert(
    fc.property(recipe, (given) => {
      const input = build(given, false);
      const made = layout(input);
      const start = input.direction === "TB" ? made.y : made.x;
      const length = input.direction === "TB" ? made.height : made.width;
      for (const { source, readers } of input.nets) {
        for (const reader of readers) expect(start[reader]!).toBeGreaterThanOrEqual(start[source]! + length[source]!);
      }
    }),
    RUNS,
  );
});
