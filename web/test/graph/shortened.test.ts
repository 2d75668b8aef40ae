/** Graphs with gaps, as pictures of long loops are drawn from. */

import { expect, test } from "vitest";
import type { Call, Fold, Graph, Value } from "../../src/contract/graph.ts";
import { callTree } from "../../src/graph/calls.ts";
import { filled } from "../../src/graph/shortened.ts";

const TURNS = 10;

/** A loop of ten turns, each a module with one function in it; `turns` are those that are there. */
function loop(turns: readonly number[]): Graph {
  const call = (id: number, kind: Call["kind"], parent: number | null, path: string | null): Call =>
    ({ id, kind, name: "f", path, parent, inputs: [id - 1], outputs: [id] }) as unknown as Call;
  const calls = [
    call(0, "module", null, ""),
    ...turns.flatMap((turn) => [
      call(1 + 2 * turn, "module", 0, "cell"),
      call(2 + 2 * turn, "function", 1 + 2 * turn, null),
    ]),
  ];
  const values = calls.map(({ id }) => ({ id, kind: "activation", names: [], producer: id }) as unknown as Value);
  const fold = {
    parent: 0,
    calls: turns.map((turn) => 1 + 2 * turn),
    period: 1,
    count: TURNS,
    kind: "loop",
  } as unknown as Fold;
  return { name: "Loop", calls, values, folds: [fold] } as unknown as Graph;
}

const whole = loop([...Array(TURNS).keys()]);
const short = loop([0, 1, 2, TURNS - 1]);

test("a graph without gaps is left as it is", () => {
  expect(filled(whole)).toBe(whole);
});

test("gaps are filled, so that every id is a position again", () => {
  const { calls, values } = filled(short);
  expect(calls.map(({ id }) => id)).toEqual(whole.calls.map(({ id }) => id));
  expect(values).toHaveLength(whole.values.length);
  for (const value of short.values) expect(values[value.id]).toBe(value);
});

test("a module ran as often as before", () => {
  const runs = ({ calls }: Graph): number => calls.filter(({ path }) => path === "cell").length;
  expect(runs(filled(short))).toBe(TURNS);
});

test.each(["op", "aten"] as const)("what was left out is in no tree, at level %s", (level) => {
  const { children, position, depth } = callTree(filled(short), level);
  expect(children[0]).toEqual(short.folds[0]!.calls);
  for (const { id } of whole.calls) {
    if (short.calls.some((call) => call.id === id)) continue;
    expect([children[id], position[id], depth[id]]).toEqual([[], -1, -1]);
  }
});
