import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { showing } from "../../src/app/open.ts";
import { foldKey, foldOf } from "../../src/graph/folds.ts";
import { mirrored, mirroredView, nearest, partnerKey, partnerOf, ways, worthALook } from "../../src/app/step.ts";
import { DEFAULT_STATE, visible } from "../../src/graph/index.ts";
import { byPath, callAt } from "./pairs.ts";

const { indexed, ways: both } = byPath("resnet152", "resnet18");
const [deep, shallow] = indexed;
const [there, back] = both;
const at = (graph: typeof deep, path: string): string => `#${callAt(graph, path)}`;

describe("partners", () => {
  test("are found both ways", () => {
    const call = callAt(deep, "layer2.1.conv2");
    expect(partnerOf(there, call)).toBe(callAt(shallow, "layer2.1.conv2"));
    expect(partnerOf(back, callAt(shallow, "layer2.1.conv2"))).toBe(call);
    expect(partnerOf(there, callAt(deep, "layer3.30"))).toBeNull();
  });

  test("may be many, the first of which is gone to", () => {
    const [way, home] = ways(
      [
        [3, 5],
        [3, 4],
        [7, 4],
      ],
      indexed,
    );
    expect(way.partners.get(3)).toEqual([5, 4]);
    expect(home.partners.get(4)).toEqual([3, 7]);
    expect(partnerOf(way, 3)).toBe(5);
  });

  test("that are kept by another come after it", () => {
    const calls = shallow.graph.calls.map((call) => (call.id === 4 ? { ...call, kind: "saved" as const } : call));
    const kept = { ...shallow, graph: { ...shallow.graph, calls } };
    const given = [4, 5, 6].map((call): [number, number] => [3, call]);
    expect(ways(given, [deep, kept])[0].partners.get(3)).toEqual([5, 6, 4]);
  });

  test("that are missing are looked for around, but not in the whole model", () => {
    expect(nearest(there, callAt(deep, "layer3.30.conv1"))).toBe(callAt(shallow, "layer3"));
    expect(nearest(there, callAt(deep, "layer1"))).toBeNull();
  });

  test("of a fold are the fold that holds them, and of a repeat the repeat", () => {
    const fold = foldOf(deep, callAt(deep, "layer1.1"))!;
    expect(partnerKey(there, foldKey(fold))).toBe(foldKey(foldOf(shallow, callAt(shallow, "layer1.1"))!));
    expect(partnerKey(there, `${foldKey(fold)}0`)).toBe(`${foldKey(foldOf(shallow, callAt(shallow, "layer1.0"))!)}1`);
  });

  test("of inputs, outputs and paths go by the same name", () => {
    for (const key of ["input:x", "output:output", "layer1.0"]) expect(partnerKey(there, key)).toBe(key);
  });
});

describe("what is done here", () => {
  test("opens, closes and selects what belongs to it there", () => {
    const [here, other] = [at(deep, "layer4.0"), at(shallow, "layer4.0")];
    for (const kind of ["open", "close", "openAll", "select"] as const)
      expect(mirrored(there, { kind, key: here })).toEqual({ kind, key: other });
    expect(mirrored(there, { kind: "depth", depth: 3 })).toEqual({ kind: "depth", depth: 3 });
    expect(mirrored(there, { kind: "select", key: null })).toEqual({ kind: "select", key: null });
  });

  test("does nothing there where nothing belongs to it, and takes the selection away", () => {
    const alone = at(deep, "layer3.30");
    expect(mirrored(there, { kind: "open", key: alone })).toBeNull();
    expect(mirrored(there, { kind: "select", key: alone })).toEqual({ kind: "select", key: null });
    const fold = foldOf(deep, callAt(deep, "layer3.30"))!;
    expect(mirrored(there, { kind: "unfold", fold: { ...fold, calls: fold.calls.slice(10) } })).toBeNull();
  });

  test("shows a module rather than the one function in it, unless that is what was selected", () => {
    const module = callAt(shallow, "conv1");
    const inside = shallow.tree.children[module]![0]!;
    expect(worthALook(shallow, inside)).toBe(module);
    const way = ways([[callAt(deep, "layer1.0"), inside]], indexed)[0];
    expect(mirrored(way, { kind: "select", key: at(deep, "layer1.0") })).toEqual({ kind: "select", key: `#${module}` });
    const same = deep.tree.children[callAt(deep, "conv1")]![0]!;
    expect(mirrored(there, { kind: "select", key: `#${same}` })).toEqual({ kind: "select", key: `#${inside}` });
  });
});

describe("a mirrored view", () => {
  test("of a graph beside itself is the same view", () => {
    const self = byPath("llama32", "llama32");
    const calls = self.indexed[0].graph.calls.length;
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: calls - 1 }), { maxLength: 6 }), (chosen) => {
        const view = chosen.reduce((so, call) => showing(self.indexed[0], so, call), DEFAULT_STATE);
        expect(mirroredView(self.ways[0], view)).toEqual(view);
      }),
    );
  });

  test("can be drawn, whatever is open in the other", () => {
    for (const path of ["layer1.0.conv1", "layer3.30.conv2", "layer4.1.bn3", "fc"]) {
      const view = mirroredView(there, showing(deep, { ...DEFAULT_STATE, depth: 1 }, callAt(deep, path)));
      const open = visible(shallow, view).nodes.filter((node) => node.open);
      const stage = path.split(".")[0]!;
      expect(open.map(({ call }) => shallow.graph.calls[call]!.path)).toEqual(
        path === "fc" ? [] : path.startsWith("layer3.30") ? [stage] : [stage, path.split(".").slice(0, 2).join(".")],
      );
    }
  });
});
