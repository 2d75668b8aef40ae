/** A fold of which one repeat is shown apart: what the parts before and after it say. */

import { expect, test } from "vitest";
import type { Fold } from "../../src/contract/graph.ts";
import { pieces } from "../../src/graph/chosen.ts";

/** Ten turns of one call each, the calls 10 to 19. */
function loop(growth: Fold["growth"]): Fold {
  const calls = Array.from({ length: 10 }, (_, turn) => 10 + turn);
  return { parent: 0, calls, period: 1, count: 10, kind: "loop", carried: 1, growth };
}

/** What the parts beside the fifth turn are: their first call, their turns, and what grows in them. */
function parts(growth: Fold["growth"]): unknown[] {
  return pieces(loop(growth), new Set([4])).map((part) => [
    part.calls[0],
    part.count,
    part.growth && `${part.growth.first}..${part.growth.last}`,
  ]);
}

test("a size is what each turn has, so that a part ends with the size of its last turn", () => {
  expect(parts({ name: "size", first: 1, last: 10 })).toEqual([
    [10, 4, "1..4"],
    [15, 5, "6..10"],
  ]);
});

test("what is handed on grows in every turn, so that a part ends with what its last turn makes", () => {
  expect(parts({ name: "cache", first: 3, last: 13 })).toEqual([
    [10, 4, "3..7"],
    [15, 5, "8..13"],
  ]);
});

test("where nothing grows the parts say nothing of it, and a single turn is no part", () => {
  expect(parts(null).map((part) => (part as unknown[])[2])).toEqual([null, null]);
  expect(pieces(loop(null), new Set([1, 9])).map(({ count }) => count)).toEqual([7]);
});
