/** The names of outputs: as the reader would write them. */

import { expect, test } from "vitest";
import type { Tree } from "../../src/contract/graph.ts";
import { outputs } from "../../src/graph/ends.ts";
import { network } from "../payloads.ts";

/** The names of the outputs of a run that returned this; slots are positions among its outputs. */
function names(returns: Tree): string[] {
  const graph = network("branches");
  const [root, ...others] = graph.calls;
  return outputs({ ...graph, calls: [{ ...root!, returns, outputs: [0, 1] }, ...others] }).map(({ name }) => name);
}

const pair: readonly Tree[] = [{ slot: 0 }, { slot: 1 }];

test.each<[string, Tree, string[]]>([
  ["a tuple", { type: "tuple", keys: [], items: pair }, ["output 0", "output 1"]],
  ["a dictionary", { type: "dict", keys: ["loss", "logits"], items: pair }, ["loss", "logits"]],
  [
    "a list in a dictionary",
    { type: "dict", keys: ["states"], items: [{ type: "list", keys: [], items: pair }] },
    ["states[0]", "states[1]"],
  ],
  [
    "an object that holds one thing, in private",
    { type: "dict", keys: ["mask"], items: [{ type: "Mask", keys: ["_data"], items: [{ slot: 0 }] }] },
    ["mask"],
  ],
  [
    "an object that holds one thing, for all to see",
    { type: "dict", keys: ["mask"], items: [{ type: "Mask", keys: ["data"], items: [{ slot: 0 }] }] },
    ["mask.data"],
  ],
])("of %s", (_, returns, expected) => {
  expect(names(returns)).toEqual(expected);
});
