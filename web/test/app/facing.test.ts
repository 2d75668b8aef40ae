import { describe, expect, test } from "vitest";
import { facing } from "../../src/app/facing.ts";
import { facts } from "../../src/graph/facts.ts";
import { measureOf, modelFor } from "./model.ts";

const [deep, shallow] = [modelFor("resnet152"), modelFor("resnet18")];
const one = (model: typeof deep, path: string) => ({
  model,
  call: model.graph.calls.find((call) => call.path === path)!,
});

describe("two calls line by line", () => {
  test("of which nothing differs are the same", () => {
    const lines = facing(one(deep, "bn1"), one(deep, "bn1"));
    expect(lines.every(({ differs, here, there }) => !differs && here === there)).toBe(true);
    expect(lines.map(({ name }) => name)).toContain("settings");
  });

  test("say each setting that differs", () => {
    const lines = facing(one(deep, "layer1.0.conv1"), one(shallow, "layer1.0.conv1"));
    const differing = Object.fromEntries(lines.filter(({ differs }) => differs).map((line) => [line.name, line]));
    expect(differing.kernel_size).toMatchObject({ here: "(1, 1)", there: "(3, 3)" });
    expect(differing.weights).toMatchObject({ here: "weight 64×64×1×1", there: "weight 64×64×3×3" });
    expect(differing.stride).toBeUndefined();
  });

  test("give numbers in full where they would look the same", () => {
    const flops = (model: typeof deep, each: number) =>
      one(
        {
          ...model,
          facts: facts(model.indexed.tree, [
            measureOf(
              "flops",
              model.graph.calls.map(() => each),
            ),
          ]),
        },
        "fc",
      );
    const [a, b] = [flops(deep, 1_000_001), flops(shallow, 1_000_002)];
    const line = facing(a, b).find(({ name }) => name === "FLOPs");
    expect(line).toEqual({ name: "FLOPs", here: "1,000,001", there: "1,000,002", differs: true });
  });

  test("give settings in full where they would look the same, else in short", () => {
    const withMomentum = (momentum: number): typeof deep => {
      const module = { ...deep.facts.moduleAt.get("bn1")!, settings: [["momentum", momentum]] as [string, number][] };
      return { ...deep, facts: { ...deep.facts, moduleAt: new Map([["bn1", module]]) } };
    };
    const momentum = (a: number, b: number) =>
      facing(one(withMomentum(a), "bn1"), one(withMomentum(b), "bn1")).find(({ name }) => name === "momentum");
    expect(momentum(1 / 3, 1 / 7)).toMatchObject({ here: "0.333333", there: "0.142857" });
    expect(momentum(0.1, 0.10000000149011612)).toMatchObject({ here: "0.1", there: "0.10000000149011612" });
    expect(momentum(0.1, 0.1)).toBeUndefined();
  });

  test("say nothing differs that is not known of one of them", () => {
    const { graph } = shallow;
    const calls = graph.calls.map((call) => ({ ...call, inputs: [], outputs: [] }));
    const modules = graph.modules.map((module) => ({
      ...module,
      confidence: 0.9,
      settings: module.settings.slice(0, 2),
    }));
    const moduleAt = new Map(modules.map((module) => [module.path, module]));
    const unrun = { ...shallow, graph: { ...graph, calls, modules }, facts: { ...shallow.facts, moduleAt } };
    const lines = facing(one(shallow, "layer1.0.conv1"), one(unrun, "layer1.0.conv1"));
    expect(lines.filter(({ differs }) => differs)).toEqual([]);
    expect(lines.map(({ name }) => name)).toEqual(["type", "path", "weights", "parameters"]);
  });
});
