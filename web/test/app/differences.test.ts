import { describe, expect, test } from "vitest";
import { differences } from "../../src/app/differences.ts";
import { closedMark, markOf } from "../../src/scene/marks.ts";
import { foldOf } from "../../src/graph/folds.ts";
import { DEFAULT_STATE, visible } from "../../src/graph/index.ts";
import { byPath, callAt, marks } from "./pairs.ts";

const { indexed, ways } = byPath("resnet152", "resnet18");
const [deep, shallow] = indexed;
const inside = (graph: typeof deep, path: string): number[] =>
  graph.graph.calls.filter((call) => call.path === path || call.path?.startsWith(`${path}.`)).map(({ id }) => id);
const none = marks(shallow, {});
const walked = (...given: Parameters<typeof differences>[1]) =>
  differences(ways, given).map(({ side, call, mark, repeats }) => [
    side,
    indexed[side].graph.calls[call]!.path,
    mark,
    repeats,
  ]);

describe("marks", () => {
  test("make every closed box around changed, and no open one that has none itself", () => {
    const known = marks(deep, { changed: [callAt(deep, "layer3.7.conv1")] });
    for (const path of ["layer3.7", "layer3", ""]) expect(closedMark(known, callAt(deep, path))).toBe("changed");
    expect(closedMark(known, callAt(deep, "layer2"))).toBeNull();
    const nodes = visible(deep, { ...DEFAULT_STATE, depth: 2 }).nodes;
    const of = (path: string) => nodes.find(({ key }) => key === `#${callAt(deep, path)}`)!;
    expect(markOf(known, of("layer3"), [of("layer3").call])).toBeNull();
    const deeply = marks(deep, { changed: [callAt(deep, "layer3"), callAt(deep, "layer3.7.conv1")] });
    expect(markOf(deeply, of("layer3"), [of("layer3").call])).toBe("changed");
    const fold = foldOf(deep, callAt(deep, "layer3.1"))!;
    expect(markOf(known, of("layer3.1"), fold.calls)).toBe("changed");
  });

  test("of repeats that have all the same stay what they are", () => {
    const fold = foldOf(deep, callAt(deep, "layer3.1"))!;
    const node = visible(deep, { ...DEFAULT_STATE, depth: 2 }).nodes.find(({ key }) => key === `#${fold.calls[0]!}`)!;
    expect(markOf(marks(deep, { removed: fold.calls }), node, fold.calls)).toBe("removed");
    expect(markOf(marks(deep, { removed: fold.calls.slice(3) }), node, fold.calls)).toBe("changed");
  });
});

describe("a walk through the differences", () => {
  test("stops at what was removed, not at what is in it", () => {
    expect(walked(marks(deep, { removed: inside(deep, "layer2.5") }), none)).toEqual([[0, "layer2.5", "removed", 1]]);
  });

  test("stops once at repeats in a row, and again after a gap", () => {
    const removed = [4, 5, 6, 9].flatMap((i) => inside(deep, `layer3.${i}`));
    expect(walked(marks(deep, { removed }), none)).toEqual([
      [0, "layer3.4", "removed", 3],
      [0, "layer3.9", "removed", 1],
    ]);
  });

  test("stops at what changed in every repeat once, with their count", () => {
    const changed = Array.from({ length: 35 }, (_, i) => callAt(deep, `layer3.${i + 1}.conv2`));
    expect(walked(marks(deep, { changed }), none)).toEqual([[0, "layer3.1.conv2", "changed", 35]]);
  });

  test("stops where something changed, not at the boxes around or at the function inside", () => {
    const conv = callAt(deep, "layer1.0.conv1");
    const changed = [0, callAt(deep, "layer1"), callAt(deep, "layer1.0"), conv, ...deep.tree.children[conv]!];
    expect(walked(marks(deep, { changed }), none)).toEqual([[0, "layer1.0.conv1", "changed", 1]]);
  });

  test("goes through both sides in the order of the first, pairs once", () => {
    const first = marks(deep, { changed: [callAt(deep, "conv1"), callAt(deep, "fc")] });
    const second = marks(shallow, {
      changed: [callAt(shallow, "conv1"), callAt(shallow, "fc")],
      added: inside(shallow, "layer2.1"),
    });
    expect(walked(first, second)).toEqual([
      [0, "conv1", "changed", 1],
      [1, "layer2.1", "added", 1],
      [0, "fc", "changed", 1],
    ]);
  });

  test("takes little time in a long graph", () => {
    const all = deep.graph.calls.map(({ id }) => id);
    const start = performance.now();
    differences(ways, [
      marks(deep, { changed: all }),
      marks(shallow, { added: shallow.graph.calls.map(({ id }) => id) }),
    ]);
    expect(performance.now() - start).toBeLessThan(500);
  });
});
