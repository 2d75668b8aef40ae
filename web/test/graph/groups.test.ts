/** Groups, which a reader has put around calls: closed until they are opened. */

import { expect, test } from "vitest";
import type { Call, Graph } from "../../src/contract/graph.ts";
import { DEFAULT_STATE, type ViewState, index, visible } from "../../src/graph/index.ts";
import { drawScene } from "../../src/engine.ts";
import { asked, network, payload } from "../payloads.ts";

/** The network with a group of that name around one of the calls directly in it. */
function grouped(graph: Graph, path: string, name: string): Graph {
  const at = graph.calls.findIndex((call) => call.path === path);
  const moved = (id: number | null): number | null => (id === null || id < at ? id : id + 1);
  const around: Call = { ...graph.calls[at]!, id: at, kind: "group", name, path: null };
  const calls = graph.calls.map((call) => ({
    ...call,
    id: moved(call.id)!,
    parent: call.id === at ? at : moved(call.parent),
  }));
  calls.splice(at, 0, around);
  const values = graph.values.map((value) => ({ ...value, producer: moved(value.producer) }));
  return { ...graph, calls, values, folds: [] };
}

function closed(graph: Graph, state: Partial<ViewState> = {}): string[] {
  const shown = visible(index(graph, "op"), { ...DEFAULT_STATE, ...state });
  return shown.nodes
    .filter(({ kind, open }) => kind === "call" && !open)
    .map(({ call }) => graph.calls[call]!.path ?? graph.calls[call]!.name);
}

const graph = grouped(network("resnet18"), "layer1", "Stage");

test("a group is closed where the depth is left to the drawing", () => {
  expect(closed(graph)).toContain("Stage");
});

test("it is opened by its name or key, and the module it consists of with it", () => {
  const key = `#${graph.calls.find(({ kind }) => kind === "group")!.id}`;
  for (const expand of [["Stage"], [key]]) {
    expect(closed(graph, { expand })).not.toContain("Stage");
    expect(closed(graph, { expand })).not.toContain("layer1");
  }
});

test("it is a level where levels are counted", () => {
  expect(closed(graph, { depth: 1 })).toContain("Stage");
  expect(closed(graph, { depth: 2 })).toContain("layer1");
});

/** The network with a group around the calls of its longest fold, as `fold_repeats` makes it. */
function gathered(source: Graph, title: string): { graph: Graph; group: number; repeat: number[] } {
  const fold = source.folds.reduce((best, each) => (each.count > best.count ? each : best));
  const at = fold.calls[0]!;
  const moved = (id: number): number => (id < at ? id : id + 1);
  const members = new Set(fold.calls);
  const group = { id: at, kind: "group", name: title, path: null, repeats: fold.count } as const;
  const around: Call = { ...source.calls[at]!, ...group };
  const calls: Call[] = source.calls.map((call) => ({
    ...call,
    id: moved(call.id),
    parent: members.has(call.id) ? at : call.parent === null ? null : moved(call.parent),
  }));
  calls.splice(at, 0, around);
  const values = source.values.map((value) => ({
    ...value,
    producer: value.producer === null ? null : moved(value.producer),
  }));
  const folds = source.folds.map((each) => ({
    ...each,
    parent: each === fold ? at : moved(each.parent),
    calls: each.calls.map(moved),
  }));
  return { graph: { ...source, calls, values, folds }, group: at, repeat: fold.calls.map(moved) };
}

test("a group that says how often it repeats opens to one repeat, in no second frame", () => {
  const { graph: made, group, repeat } = gathered(network("resnet152"), "Residual");
  const shown = visible(index(made, "op"), { ...DEFAULT_STATE, expand: [`#${group}`], depth: 2 });
  const frame = shown.nodes.find(({ call, kind }) => call === group && kind === "call")!;
  const inside = frame.children.map((at) => shown.nodes[at]!);
  expect(inside.length).toBeGreaterThan(3);
  expect(inside.map(({ call }) => made.calls[call]!.parent)).toEqual(inside.map(() => repeat[0]));
  expect(inside.every((node) => node.repeat === null)).toBe(true);
  const within = new Set(frame.children);
  expect(shown.nets.some(({ source, readers }) => !within.has(source) && readers.some((at) => within.has(at)))).toBe(
    true,
  );
  expect(shown.nets.some(({ source, readers }) => within.has(source) && readers.some((at) => !within.has(at)))).toBe(
    true,
  );
  for (const at of repeat) expect(shown.box[at]).toBe(frame.index);
});

test("all of its repeats are shown when asked for, and one of them apart", () => {
  const { graph: made, group, repeat } = gathered(network("resnet152"), "Residual");
  const children = (unfold: string[]): number[] => {
    const shown = visible(index(made, "op"), { ...DEFAULT_STATE, expand: [`#${group}`], depth: 2, unfold });
    return shown.nodes.find(({ call }) => call === group)!.children.map((at) => shown.nodes[at]!.repeat?.count ?? 1);
  };
  expect(children([`#${repeat[0]}x`])).toEqual(repeat.map(() => 1));
  expect(children([`#${repeat[0]}x3`])).toEqual([3, 1, repeat.length - 4]);
});

test("a group of repeats is opened by its name with and without their count", () => {
  const { graph: made, group, repeat } = gathered(network("resnet152"), "Residual");
  for (const expand of ["Residual", `Residual ×${repeat.length}`]) {
    const shown = visible(index(made, "op"), { ...DEFAULT_STATE, expand: [expand] });
    expect(shown.nodes.find(({ call }) => call === group)!.open).toBe(true);
  }
});

test("a group that does not know of its repeats shows how often they are, whatever its name says", () => {
  const { graph: made, group, repeat } = gathered(network("resnet152"), "Stage");
  const name = `Stage ×${repeat.length}`;
  const silent = made.calls.map((call) => (call.id === group ? { ...call, name, repeats: 1 } : call));
  const shown = visible(index({ ...made, calls: silent }, "op"), { ...DEFAULT_STATE, expand: [name] });
  expect(shown.nodes.some((node) => node.call === repeat[0] && node.repeat?.count === repeat.length)).toBe(true);
});

test("a group around one module says which module that is", () => {
  const drawn = drawScene(asked({ ...payload("resnet18"), graph }, { depth: 1 }));
  expect(drawn.boxes.find(({ says }) => says[0] === "Stage")!.says[1]).toContain("layer1");
});
