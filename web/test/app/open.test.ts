import { describe, expect, test } from "vitest";
import { closed, folded, opened, showing, unfolded } from "../../src/app/open.ts";
import { foldKey, foldOf } from "../../src/graph/folds.ts";
import { DEFAULT_STATE, index, visible } from "../../src/graph/index.ts";
import { network } from "../payloads.ts";

const graph = network("resnet152");
const indexed = index(graph, "op");
const callAt = (path: string): number => graph.calls.find((call) => call.path === path)!.id;
const shown = (view: typeof DEFAULT_STATE): Set<string> => new Set(visible(indexed, view).nodes.map(({ key }) => key));

describe("opening", () => {
  test("and closing undo each other", () => {
    const view = opened(DEFAULT_STATE, "#3");
    expect(view.expand).toEqual(["#3"]);
    expect(closed(view, "#3")).toMatchObject({ expand: [], collapse: ["#3"] });
    expect(opened(closed(view, "#3"), "#3")).toEqual(view);
  });

  test("any call shows it, whatever hid it", () => {
    for (const name of ["resnet152", "lstm", "llama32", "failing"]) {
      const other = network(name);
      const known = index(other, "op");
      const inside = other.calls.slice(1).filter(({ id }) => known.flow.constant[id] === 0);
      for (const { id } of inside.filter((_, i) => i % 37 === 0)) {
        const view = showing(known, { ...DEFAULT_STATE, depth: 1 }, id);
        const keys = visible(known, view).nodes.map(({ key }) => key);
        expect(keys, `${name} ${id}`).toContain(`#${id}`);
      }
    }
  });

  test("one repeat leaves the others closed", () => {
    const call = callAt("layer3.17.conv2");
    const nodes = visible(indexed, showing(indexed, { ...DEFAULT_STATE, depth: 1 }, call)).nodes;
    const open = nodes.filter((node) => node.open).map((node) => graph.calls[node.call]!.path);
    expect(open).toEqual(["layer3", "layer3.17"]);
  });

  test("what begins with a constant opens, closes and shows its repeats by the fold's own name", () => {
    const known = index(network("ramps"), "op");
    const [fold] = known.graph.folds;
    expect(known.flow.constant[fold!.calls[0]!]).not.toBe(0);
    const folds = (view: typeof DEFAULT_STATE) => visible(known, view).nodes.filter(({ kind }) => kind === "fold");
    const [box] = folds(DEFAULT_STATE);
    const inside = fold!.calls[1]!;
    expect(folds(showing(known, closed(DEFAULT_STATE, box!.key), inside)).map(({ open }) => open)).toEqual([true]);
    expect(folds(unfolded(DEFAULT_STATE, fold!))).toEqual([]);
    expect(box!.key).toBe(foldKey(fold!));
  });

  test("all repeats and folding them again gives the same drawing", () => {
    const first = callAt("layer3.1");
    const fold = foldOf(indexed, first)!;
    expect(fold.count).toBe(35);
    const view = { ...DEFAULT_STATE, depth: 2 };
    const all = unfolded(view, fold);
    expect(shown(all).size - shown(view).size).toBe(34);
    expect(folded(all, fold)).toEqual(view);
  });
});
