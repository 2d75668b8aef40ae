/** Wires as lines: nothing of them is missing where they branch. */

import { expect, test } from "vitest";
import { wire } from "../../src/scene/wire.ts";

test("a branch that runs on begins where the one before begins to turn", () => {
  const turning = [0, 0, 0, 40, 50, 40, 50, 80];
  const lines = wire([
    { points: turning, arrow: false },
    { points: [0, 0, 0, 90, 30, 90, 30, 120], arrow: false },
  ])[0]!.d.split(/(?=M)/);
  expect(lines[0]).toMatch(/^M0,0L0,34Q0,40 6,40/);
  expect(lines[1]).toMatch(/^M0,34L0,84Q0,90 6,90/);
});

test("points on one line, or twice at one place, are no corners", () => {
  const across = [0, 0, 0, 0, 0, 20, 0, 20, 0, 40, 30, 40, 60, 40, 60, 90];
  const [direct] = wire([{ points: [0, 0, 0, 40, 60, 40, 60, 90], arrow: true }]);
  expect(wire([{ points: across, arrow: true }])[0]).toEqual(direct);
});
