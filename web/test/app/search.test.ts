import { describe, expect, test } from "vitest";
import { merged, search, searchIndex } from "../../src/app/search.ts";
import { modelFor } from "./model.ts";

const model = modelFor("resnet152");
const entries = searchIndex(model);
const found = (query: string): string[] => search(entries, query).map(({ path, name }) => `${path} ${name}`);

describe("search", () => {
  test("finds by name, type, shape and path", () => {
    expect(found("maxpool")[0]).toBe("maxpool MaxPool2d");
    expect(found("BATCHNORM2D")).toHaveLength(model.graph.calls.filter(({ name }) => name === "BatchNorm2d").length);
    expect(found("1x64x112x112")).toEqual(found("1×64×112×112"));
    expect(found("layer2.3 conv2")[0]).toBe("layer2.3.conv2 Conv2d");
  });

  test("finds nothing for nothing, and nothing for what is not there", () => {
    expect(found("  ")).toEqual([]);
    expect(found("layer2 attention")).toEqual([]);
  });

  test("lists what is named so before what merely touches it", () => {
    const names = search(entries, "downsample").map(({ path }) => path);
    const isNamed = names.map((path) => path.endsWith("downsample"));
    expect(isNamed).toEqual([...isNamed].sort((a, b) => Number(b) - Number(a)));
    expect(isNamed[0]).toBe(true);
  });

  test("in two graphs lists calls that belong together once", () => {
    const one = (call: number) => ({ call, name: "conv", path: "" });
    const partners = new Map([
      [1, [11]],
      [2, [12, 13]],
      [3, [99]],
    ]);
    const all = merged([one(1), one(2), one(3)], [one(10), one(11), one(13)], partners);
    expect(all.map(({ side, call, both }) => [side, call, both])).toEqual([
      [0, 1, true],
      [0, 2, true],
      [0, 3, false],
      [1, 10, false],
    ]);
    expect(merged([one(1)], [], new Map())).toEqual([{ ...one(1), side: 0, both: false }]);
  });
});
