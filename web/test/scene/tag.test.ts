/** Tags: the stub between a tag and its box meets the box. */

import { expect, test } from "vitest";
import { drawTag } from "../../src/scene/tag.ts";

const BOX = { x: 100, y: 100, width: 60, height: 24 };

/** The numbers of the stub's line. */
function stub(end: "source" | "reader", x: number, y: number, flat: boolean): number[] {
  const [line] = drawTag({ nets: [0], box: 0, end, x, y, width: 40, height: 15 }, BOX, "name", flat);
  return line!.kind === "path" ? line!.d.match(/-?[\d.]+/g)!.map(Number) : [];
}

test.each([60, 90, 105, 140, 180])("a tag whose top is at %i is joined to the side of its box", (y) => {
  const arriving = stub("reader", 40, y, true);
  const leaving = stub("source", 172, y, true);
  for (const at of [arriving[arriving.length - 1]!, leaving[1]!]) {
    expect(at).toBeGreaterThanOrEqual(BOX.y + 4);
    expect(at).toBeLessThanOrEqual(BOX.y + BOX.height - 4);
  }
  expect(arriving.slice(0, 2)).toEqual([80, y + 7.5]);
  expect(leaving[0]).toBe(BOX.x + BOX.width);
  expect(leaving.slice(-2)).toEqual([172, y + 7.5]);
});

test("from left to right it is joined to the top of the reader, and to the bottom of the maker", () => {
  expect(stub("source", 100, 136, false)).toEqual([110, 124, 110, 136]);
  const [fromX, fromY, toX, toY] = stub("reader", 100, 73, false);
  expect([fromX, fromY, toX]).toEqual([110, 88, 110]);
  expect(toY).toBeLessThanOrEqual(BOX.y);
});
