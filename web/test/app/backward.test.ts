import { describe, expect, test } from "vitest";
import { modelOf } from "../../src/app/model.ts";
import { tableRows } from "../../src/app/rows.ts";
import { savedBy } from "../../src/app/saved.ts";
import { search, searchIndex } from "../../src/app/search.ts";
import type { Call, Graph } from "../../src/contract/graph.ts";
import { modelFor } from "./model.ts";
import { network } from "../payloads.ts";

/** The captured network with some of its calls made into others; numbers are those of the network. */
function changed(name: string, change: (call: Call) => Partial<Call>) {
  const graph: Graph = network(name);
  const calls = graph.calls.map((call) => ({ ...call, ...change(call) }));
  const { payload, about } = modelFor(name);
  return modelOf({ payload: { ...payload, graph: { ...graph, calls } }, text: "", about });
}

describe("nodes of a backward pass", () => {
  const model = changed("resnet18", ({ kind, name, id }) =>
    kind === "function" && name.endsWith("relu")
      ? { kind: "backward", name: "ReluBackward0", forward: id }
      : name.endsWith("conv2d")
        ? { kind: "saved", name: "result" }
        : {},
  );
  const nodes = model.graph.calls.filter(({ kind }) => kind === "backward");

  test("are rows of the table of modules, and found by name", () => {
    const rows = tableRows(model, true).filter(({ cells }) => cells[1] === "backward");
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ cells }) => cells[0]))).toEqual(new Set(["Relu"]));
    expect(search(searchIndex(model), "relubackward0")).toHaveLength(nodes.length);
  });

  test("know the tensors that are saved for them", () => {
    const readsSaved = model.graph.calls.find((call) =>
      call.inputs.some((id) => {
        const { producer } = model.graph.values[id]!;
        return producer !== null && model.graph.calls[producer]!.kind === "saved";
      }),
    )!;
    const saved = savedBy(model, readsSaved);
    expect(saved.map(({ name }) => name)).toContain("result");
    const made = saved.map(({ value }) => model.graph.calls[value.producer!]!.kind);
    expect(new Set(made)).toEqual(new Set(["saved"]));
    expect(nodes.every((node) => savedBy(model, node).every(({ name }) => name === "result"))).toBe(true);
  });
});

describe("groups", () => {
  const model = changed("resnet18", ({ path }) =>
    path?.startsWith("layer") && !path.includes(".") ? { kind: "group", name: "Stage", path: null } : {},
  );

  test("are rows of the table, and what is in them too", () => {
    const rows = tableRows(model, true);
    const at = rows.findIndex(({ cells }) => cells[0] === "Stage");
    expect(rows[at]!.cells[1]).toBe("group");
    expect(rows[at + 1]!.level).toBe(rows[at]!.level + 1);
    expect(rows.some(({ whole }) => whole === "layer4.0.conv1")).toBe(true);
  });

  test("are found by name", () => {
    expect(search(searchIndex(model), "stage")).toHaveLength(4);
  });
});
