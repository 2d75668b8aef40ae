/** Groups, which a reader has put around calls: closed until they are opened. */

import { expect, test } from "vitest";
import type { Call, Graph } from "../../src/contract/graph.ts";
import { facts, parameterCount } from "../../src/graph/facts.ts";
import { DEFAULT_STATE, type ViewState, index, visible } from "../../src/graph/index.ts";
import { payload } from "../payloads.ts";

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

const graph = grouped(payload("resnet18"), "layer1", "Stage");

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

test("it holds the parameters of the modules in it", () => {
  const known = facts(index(graph, "op").tree);
  const [group, module] = [{ kind: "group" }, { path: "layer1" }].map((wanted) =>
    graph.calls.find((call) => Object.entries(wanted).every(([key, value]) => call[key as keyof Call] === value)),
  );
  expect(parameterCount(known, group!)).toBe(parameterCount(known, module!));
  expect(parameterCount(known, group!)).toBeGreaterThan(0);
});
