/** Tunnels, loops and unconnected parts, on small inputs. */

import { describe, expect, test } from "vitest";
import { type LayoutBox, type LayoutInput, type LayoutNet, layout } from "../../src/layout/layout.ts";

/** A value that is read at more places than this in one box is drawn as tags. */
const TUNNEL_READERS = 8;
/** Of a box that reads more values than this, only the first few have wires. */
const READ_AT_ONCE = 32;
const WIRED = 12;
/** Tags on one side of a box. */
const TAGS = 3;

function box(given: Partial<LayoutBox> = {}): LayoutBox {
  return { parent: -1, children: [], size: { width: 60, height: 24 }, open: false, first: false, loop: null, ...given };
}

function net(source: number, ...readers: number[]): LayoutNet {
  return { source, readers, label: null, tag: { width: 40, height: 15 } };
}

/** Closed boxes side by side in one level. */
function flat(count: number, nets: LayoutNet[], direction: "TB" | "LR" = "TB"): LayoutInput {
  const boxes = Array.from({ length: count }, () => box());
  return { boxes, top: [...boxes.keys()], nets, direction, still: false, restTag: { width: 50, height: 15 } };
}

const chain = (count: number): LayoutNet[] => Array.from({ length: count - 1 }, (_, i) => net(i, i + 1));
const many = Array.from({ length: TUNNEL_READERS + 1 }, (_, i) => i + 1);

describe("a box that reads very many values", () => {
  const reading = (count: number): LayoutInput =>
    flat(
      count + 1,
      Array.from({ length: count }, (_, i) => net(i, count)),
    );

  test("has a wire for the first few, and one tag for the rest", () => {
    const made = layout(reading(1000));
    expect(made.wires.map((wire) => wire.net)).toEqual(Array.from({ length: WIRED }, (_, i) => i));
    const tags = made.tags.filter((tag) => tag.end === "reader");
    expect(tags.map((tag) => tag.box)).toEqual(tags.map(() => 1000));
    expect(new Set(tags.flatMap((tag) => tag.nets)).size).toBe(1000 - WIRED);
    expect(tags.length).toBeLessThanOrEqual(TAGS + 1);
  });

  test("has a wire for each as long as they can be told apart", () => {
    const made = layout(reading(READ_AT_ONCE));
    expect(made.wires).toHaveLength(READ_AT_ONCE);
    expect(made.tags).toEqual([]);
    expect(layout(reading(READ_AT_ONCE + 1)).wires).toHaveLength(WIRED);
  });
});

describe("where nothing flows", () => {
  test.each(["TB", "LR"] as const)("boxes stand in order, side by side no two of them: %s", (direction) => {
    const { x, y } = layout({ ...flat(5, [], direction), still: true });
    const [along, across] = direction === "TB" ? [y, x] : [x, y];
    expect([...along]).toEqual([...new Set(along)].sort((a, b) => a - b));
    expect(new Set(across).size).toBe(1);
  });
});

describe("a value with many readers", () => {
  test("is drawn as tags, one where it is made and one at each reader, and not as wires", () => {
    const made = layout(flat(many.length + 1, [net(0, ...many)]));
    expect(made.wires).toEqual([]);
    expect(made.tags.filter((tag) => tag.end === "source").map((tag) => tag.box)).toEqual([0]);
    expect(made.tags.filter((tag) => tag.end === "reader").map((tag) => tag.box)).toEqual(many);
  });

  test("still comes before its readers", () => {
    for (const direction of ["TB", "LR"] as const) {
      const made = layout(flat(many.length + 1, [net(0, ...many)], direction));
      const start = direction === "TB" ? made.y : made.x;
      for (const reader of many) expect(start[reader]!).toBeGreaterThan(start[0]!);
    }
  });

  test("is drawn as a wire while there are not too many", () => {
    const made = layout(flat(TUNNEL_READERS + 1, [net(0, ...many.slice(0, -1))]));
    expect(made.tags).toEqual([]);
    expect(made.wires[0]!.branches).toHaveLength(TUNNEL_READERS);
  });

  test("is counted box by box: many readers in each of two boxes are not too many in either", () => {
    const inside = Array.from({ length: 2 * TUNNEL_READERS }, (_, i) => 3 + i);
    const [one, other] = [inside.slice(0, TUNNEL_READERS), inside.slice(TUNNEL_READERS)];
    const boxes = [box(), box({ open: true, children: one }), box({ open: true, children: other })].concat(
      inside.map((_, i) => box({ parent: i < TUNNEL_READERS ? 1 : 2 })),
    );
    const made = layout({ ...flat(0, [net(0, ...inside)]), boxes, top: [0, 1, 2] });
    expect(made.tags).toEqual([]);
    expect(made.wires.flatMap(({ branches }) => branches)).toHaveLength(2 + 2 * TUNNEL_READERS);
  });

  test("has its tags beside the boxes: to the sides, or above the reader and below the maker from left to right", () => {
    const made = layout(flat(many.length + 1, [net(0, ...many)]));
    const across = layout(flat(many.length + 1, [net(0, ...many)], "LR"));
    for (const tag of made.tags) {
      const [left, right] = [made.x[tag.box]!, made.x[tag.box]! + made.width[tag.box]!];
      if (tag.end === "reader") expect(tag.x + tag.width).toBeLessThan(left);
      else expect(tag.x).toBeGreaterThan(right);
    }
    for (const tag of across.tags) {
      const [top, bottom] = [across.y[tag.box]!, across.y[tag.box]! + across.height[tag.box]!];
      if (tag.end === "reader") expect(tag.y + tag.height).toBeLessThan(top);
      else expect(tag.y).toBeGreaterThan(bottom);
    }
  });

  test("shares a tag where more of its kind reach one box than have room", () => {
    const sources = [0, 1, 2, 3, 4];
    const readers = Array.from({ length: TUNNEL_READERS + 1 }, (_, i) => sources.length + i);
    const made = layout(
      flat(
        sources.length + readers.length,
        sources.map((source) => net(source, ...readers)),
      ),
    );
    const tags = made.tags.filter((tag) => tag.box === readers[0] && tag.end === "reader");
    expect(tags).toHaveLength(TAGS);
    expect(tags.flatMap((tag) => tag.nets)).toEqual([0, 1, 2, 3, 4]);
  });
});

test("unconnected parts stand side by side", () => {
  const made = layout(flat(6, [net(0, 1), net(1, 2), net(3, 4), net(4, 5)]));
  expect([3, 4, 5].map((i) => made.y[i])).toEqual([0, 1, 2].map((i) => made.y[i]));
  const right = Math.max(...[0, 1, 2].map((i) => made.x[i]! + made.width[i]!));
  for (const i of [3, 4, 5]) expect(made.x[i]!).toBeGreaterThan(right);
});

test("a chain is straight", () => {
  const down = layout(flat(5, chain(5)));
  expect(new Set(down.x)).toHaveProperty("size", 1);
  const across = layout(flat(5, chain(5), "LR"));
  expect(new Set(across.y)).toHaveProperty("size", 1);
});

test("left to right, what stood below stands right", () => {
  const made = layout(flat(4, chain(4), "LR"));
  for (let i = 1; i < 4; i++) expect(made.x[i]!).toBeGreaterThan(made.x[i - 1]! + made.width[i - 1]!);
});

test("a loop keeps room beside its box for the arc", () => {
  const boxes = [box(), box({ loop: { width: 20, height: 11 } }), box()];
  const input = { ...flat(3, [net(0, 1), net(0, 2)]), boxes };
  const made = layout(input);
  const gap = made.x[2]! - (made.x[1]! + made.width[1]!);
  const plain = layout(flat(3, [net(0, 1), net(0, 2)]));
  expect(gap - (plain.x[2]! - (plain.x[1]! + plain.width[1]!))).toBeGreaterThanOrEqual(20);
});

test("nothing gives an empty drawing", () => {
  const made = layout(flat(0, []));
  expect(made.wires).toEqual([]);
  expect(made.size.width).toBeGreaterThan(0);
});

describe("what goes on among side outputs", () => {
  /** Boxes 0, 3, 6, … in a row; each gives the next one a wire, and one each to two boxes that lead nowhere. */
  const steps = 12;
  const row = Array.from({ length: steps }, (_, i) => 3 * i);
  const sides = row.flatMap((i) => [net(i, i + 1), net(i, i + 2)]);
  const onward = row.slice(0, -1).map((i) => net(i, i + 3));

  test.each([
    ["before them", [...onward, ...sides]],
    ["after them", [...sides, ...onward]],
  ])("runs straight, so that the picture does not drift to a side: %s", (_, nets) => {
    const made = layout(flat(3 * steps, nets));
    const wires = made.wires.filter((wire) => onward.includes(nets[wire.net]!));
    expect(wires).toHaveLength(steps - 1);
    for (const { branches } of wires) expect(new Set(branches[0]!.points.filter((_, i) => i % 2 === 0)).size).toBe(1);
    expect(made.size.width).toBeLessThan(6 * 60 + 100);
  });
});

test("in a box whose title is wider than all that is in it, what is in it stands in the middle", () => {
  const wide = box({ open: true, children: [1], size: { width: 301, height: 26 } });
  const made = layout({ ...flat(0, []), boxes: [wide, box({ parent: 0 })], top: [0] });
  const middle = (i: number): number => made.x[i]! + made.width[i]! / 2;
  expect(made.width[0]!).toBeGreaterThan(301);
  expect(Math.abs(middle(0) - middle(1))).toBeLessThanOrEqual(1);
});
