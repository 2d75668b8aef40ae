/** Real networks, laid out in both directions, folded for a page and with everything open. */

import { describe, expect, test } from "vitest";
import { drawn } from "../drawn.ts";
import { elkSegments } from "../elk.ts";
import { NETWORKS, network, payload } from "../payloads.ts";
import {
  allSegments,
  brokenNets,
  crossings,
  misplacedBoxes,
  overlaid,
  piercedBoxes,
  struckTexts,
  struckTitles,
} from "../quality.ts";

const DEPTHS = [
  ["for a page", null],
  ["all open", Infinity],
] as const;

describe.each(NETWORKS)("%s", (name) => {
  const given = payload(name);

  describe.each(DEPTHS)("%s", (_, depth) => {
    test.each(["TB", "LR"] as const)("is drawn without faults from %s", (direction) => {
      const { input, made, tunnels } = drawn(given, { depth }, direction);
      expect(misplacedBoxes(input, made)).toEqual([]);
      expect(piercedBoxes(input, made)).toEqual([]);
      expect(struckTitles(input, made)).toEqual([]);
      expect(struckTexts(input, made)).toEqual([]);
      expect(brokenNets(input, made, tunnels)).toEqual([]);
      expect(overlaid(allSegments(made))).toEqual([]);
    });

    test("has no more crossings than ELK's layered layout of the same boxes", async () => {
      const { input, made, tunnels } = drawn(given, { depth });
      const peer = crossings(await elkSegments(input, tunnels));
      expect(crossings(allSegments(made))).toBeLessThanOrEqual(peer);
    });
  });
});

test("the skips of a U-Net do not cross", () => {
  for (const depth of [1, 2, Infinity]) {
    const { made } = drawn(payload("unet"), { depth });
    expect(crossings(allSegments(made))).toBe(0);
  }
});

test("a stack of equal layers stands in one column", () => {
  const { shown, made } = drawn(payload("llama32"), { depth: Infinity, fold: false });
  const layers = shown.nodes.filter((node) => node.name === "" && /^#/.test(node.key) && isLayer(node.call));
  expect(layers).toHaveLength(32);
  expect(new Set(layers.slice(0, -1).map((node) => made.x[node.index]))).toHaveProperty("size", 1);
});

const LAYERS = new Set(
  network("llama32")
    .calls.filter((call) => /^model\.layers\.\d+$/.test(call.path ?? ""))
    .map((call) => call.id),
);

function isLayer(call: number): boolean {
  return LAYERS.has(call);
}

test("identical groups are laid out once", () => {
  const { shown, made } = drawn(payload("llama32"), { depth: Infinity, fold: false });
  const open = shown.nodes.filter((node) => node.open).length;
  expect(open).toBeGreaterThan(150);
  expect(made.distinct).toBeLessThan(20);
});
