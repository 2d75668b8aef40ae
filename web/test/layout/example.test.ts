/** The worked examples in the headers of layout/: what they say is what happens. */

import { describe, expect, test } from "vitest";
import { coordinates } from "../../src/layout/coordinates.ts";
import { crossingsBelow, swapChange } from "../../src/layout/crossings.ts";
import { type LayoutBox, type LayoutInput, layout } from "../../src/layout/layout.ts";
import { type Level, cut } from "../../src/layout/levels.ts";
import { type Ordered, order } from "../../src/layout/order.ts";
import { portOrders } from "../../src/layout/ports.ts";
import { directed, ranks } from "../../src/layout/rank.ts";
import { rowsOf } from "../../src/layout/rows.ts";
import { chains } from "../../src/layout/straight.ts";
import { tracks } from "../../src/layout/tracks.ts";

const FREE = { entries: null, exits: null, main: -1 };

function box(given: Partial<LayoutBox> = {}): LayoutBox {
  return { parent: -1, children: [], size: { width: 60, height: 24 }, open: false, first: false, loop: null, ...given };
}

function input(boxes: LayoutBox[], nets: readonly (readonly [number, ...number[]])[]): LayoutInput {
  const size = { width: 40, height: 15 };
  return {
    ...{
      boxes,
      top: [...boxes.keys()].filter((i) => boxes[i]!.parent < 0),
      direction: "TB",
      still: false,
      restTag: size,
    },
    nets: nets.map(([source, ...readers]) => ({ source, readers, label: null, tag: size })),
  };
}

/** A level without ports; links are from, to, and every link is a net of its own. */
function level(count: number, links: readonly (readonly [number, number])[]): Level {
  return {
    ...{ children: Array.from({ length: count }, (_, i) => i), first: Array.from({ length: count }, () => true) },
    ...{ nets: links.map((_, net) => net), ins: [], outs: [], later: [] },
    links: links.flatMap(([from, to], net) => [from, to, net]),
  };
}

/** Two rows of boxes in this order. */
function twoRows(upper: number[], lower: number[], links: readonly (readonly [number, number])[]): Ordered {
  const rows = rowsOf(level(upper.length + lower.length, links));
  const position = new Int32Array(rows.count);
  for (const row of [upper, lower]) row.forEach((element, i) => (position[element] = i));
  return { id: 0, rows, elements: [upper, lower], position, ports: [], crossings: 0, main: -1 };
}

describe("a block with a skip connection (layout.ts)", () => {
  const [X, BLOCK, CONV, RELU, ADD, OUTPUT] = [0, 1, 2, 3, 4, 5] as const;
  const inside = box({ parent: BLOCK });
  const open = box({ open: true, children: [CONV, RELU, ADD], size: { width: 40, height: 26 } });
  const given = input(
    [box({ first: true }), open, inside, inside, inside, box()],
    [
      [X, CONV, ADD],
      [CONV, RELU],
      [RELU, ADD],
      [ADD, OUTPUT],
    ],
  );
  const block = cut(given).at[BLOCK]!;
  const ordered = order(block, FREE, 0);
  const made = layout(given);

  test("is cut at its border into entry ──▶ conv and entry ──▶ add", () => {
    const [entry, exit] = [3, 4];
    expect(block.links).toEqual([entry, 0, 0, entry, 2, 0, 0, 1, 1, 1, 2, 2, 2, exit, 3]);
    expect([block.ins, block.outs]).toEqual([[0], [3]]);
  });

  test("has rows 0 to 4, and a waypoint of the skip beside conv and beside relu", () => {
    expect(ordered.elements).toEqual([[3], [0, 5], [1, 6], [2], [4]]);
    expect([ordered.rows.ends, ordered.crossings]).toEqual([5, 0]);
  });

  test("is one column of boxes, and the skip in another, 43 to the right (coordinates.ts)", () => {
    const extents = { before: Int32Array.of(30, 30, 30, 0, 0, 0, 0), after: Int32Array.of(30, 30, 30, 0, 0, 0, 0) };
    const straight = { upper: new Int32Array(7), lower: new Int32Array(7) };
    straight.lower[ordered.rows.upper.findIndex((element, i) => element === 6 && ordered.rows.lower[i] === 2)] = 14;
    expect([...coordinates(ordered, extents, straight)]).toEqual([0, 0, 0, 0, 0, 43, 43]);
  });

  test("stands where the header says", () => {
    const area = (i: number): number[] => [made.x, made.y, made.width, made.height].map((all) => all[i]!);
    expect([area(X), area(BLOCK), area(CONV)]).toEqual([
      [52, 14, 60, 24],
      [14, 66, 126, 181],
      [52, 105, 60, 24],
    ]);
    expect([RELU, ADD].map((i) => made.y[i]! - made.y[BLOCK]!)).toEqual([91, 143]);
    expect(made.size).toEqual({ width: 154, height: 313 });
  });

  test("is left by the skip with one turn above conv, and reached with one above add, at its port 14 right of the middle", () => {
    const skip = made.wires.flatMap(({ branches }) => branches).find(({ points }) => points.length > 4)!;
    expect(skip.points).toEqual([82, 66, 82, 92, 125, 92, 125, 188, 96, 188, 96, 209]);
  });
});

test("a tensor with two readers in another box is cut into four pieces (levels.ts)", () => {
  const [a, b, inA, inB] = [
    { open: true, children: [2] },
    { open: true, children: [3, 4] },
    { parent: 0 },
    { parent: 1 },
  ];
  const { at } = cut(input([a, b, inA, inB, inB].map(box), [[2, 3, 4]]));
  expect([0, 1, 5].map((box) => at[box]!.links)).toEqual([
    [0, 1, 0],
    [2, 0, 0, 2, 1, 0],
    [0, 1, 0],
  ]);
});

test("what only one box reads stands beside what comes before it there (rank.ts)", () => {
  const links = [
    [0, 1],
    [1, 2],
    [2, 4],
    [3, 4],
  ] as const;
  const given = level(5, links);
  expect([...ranks(given, directed(given)).rank]).toEqual([0, 1, 2, 2, 3]);
});

test("readers of one net share its waypoints (rows.ts)", () => {
  const given = level(4, [
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  const shared = 3;
  const { upper, lower, net, row } = rowsOf({ ...given, links: [...given.links, 0, 2, shared, 0, 3, shared] });
  const links = [...net.keys()].filter((i) => net[i] === shared).map((i) => [upper[i], lower[i]]);
  expect(links).toEqual([
    [0, 4],
    [4, 2],
    [4, 5],
    [5, 3],
  ]);
  expect([row[4], row[5]]).toEqual([1, 2]);
});

test("a row sorted by the means of its links has no crossing left (order.ts, crossings.ts)", () => {
  const links = [
    [0, 3],
    [1, 2],
    [1, 3],
  ] as const;
  const { rows, ...now } = twoRows([0, 1], [2, 3], links);
  expect(crossingsBelow(rows, now, 0)).toBe(1);
  expect(order(level(4, links), FREE, 0)).toMatchObject({ crossings: 0 });
});

test("an element that is moved past two others loses a crossing with each (sift.ts)", () => {
  const links = [
    [2, 3],
    [0, 4],
    [1, 5],
  ] as const;
  const { rows, position } = twoRows([0, 1, 2], [3, 4, 5], links);
  expect([swapChange(rows, position, 3, 4), swapChange(rows, position, 3, 5)]).toEqual([-1, -1]);
});

test("nets leave a box in the order of the mean positions where they end (ports.ts)", () => {
  const [m, n] = [0, 1];
  const given = { ...level(4, []), nets: [m, n], links: [0, 2, m, 0, 3, m, 0, 1, n] };
  const position = Int32Array.of(0, 0, 1, 2);
  expect(portOrders(given, rowsOf(given), position)[0]!.outs).toEqual([n, m]);
});

test("of two wires that cross the heavier one is straight (straight.ts)", () => {
  const [a, b, c, d] = [0, 1, 2, 3] as const;
  const crossing = [
    [a, d],
    [b, c],
  ] as const;
  const ordered = twoRows([a, b], [c, d], crossing);
  const none = { upper: new Int32Array(2), lower: new Int32Array(2) };
  const rootsWith = (ends: number): number[] => [...chains({ ...ordered, rows: { ...ordered.rows, ends } }, none).root];
  // Elements from `ends` on are waypoints: with 1, b ──▶ c is a part of a long net, and a ──▶ d leads out of a box.
  expect(rootsWith(1)).toEqual([a, b, b, d]);
});

test("the turn that would be crossed from above lies above (tracks.ts)", () => {
  const ordered = twoRows(
    [0, 1],
    [2, 3],
    [
      [0, 2],
      [1, 3],
    ],
  );
  const none = { upper: new Int32Array(2), lower: new Int32Array(2) };
  const { of, count } = tracks(ordered, none, Int32Array.of(10, 30, 50, 70));
  expect([[...of], count[0]]).toEqual([[1, 0], 2]);
});
