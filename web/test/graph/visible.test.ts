/** What is drawn of a graph, depending on what is open, folded and hidden. */

import { describe, expect, test } from "vitest";
import type { Call, Graph, Value } from "../../src/contract/graph.ts";
import { DEFAULT_STATE, type ViewState, type VisibleGraph, index, visible } from "../../src/graph/index.ts";
import { network } from "../payloads.ts";

function show(graph: Graph, state: Partial<ViewState> = {}): VisibleGraph {
  return visible(index(graph, state.level ?? "op"), { ...DEFAULT_STATE, ...state });
}

/** The names of calls that have a box, with how often they repeat. */
function named(graph: Graph, shown: VisibleGraph): string[] {
  return shown.nodes.map(({ kind, call, name, repeat }) => {
    const said = kind === "call" ? graph.calls[call]!.path || graph.calls[call]!.name : name || kind;
    return repeat ? `${said} ×${repeat.count}` : said;
  });
}

/** Nets as "from -> to, to", by name. */
function edges(graph: Graph, shown: VisibleGraph): string[] {
  const names = named(graph, shown);
  return shown.nets.map(({ source, readers }) => `${names[source]} -> ${readers.map((box) => names[box]).join(", ")}`);
}

const llama = network("llama32");
const shared = network("shared");

describe("opening and closing", () => {
  const graph = network("resnet18");

  test("at depth 1 the model's children are closed boxes", () => {
    const shown = show(graph, { depth: 1 });
    expect(named(graph, shown)).toEqual(
      ["x", "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"].concat([
        "avgpool",
        "torch.flatten",
        "fc",
        "output",
      ]),
    );
    expect(shown.nodes.filter((node) => node.open)).toEqual([]);
  });

  test("a path opens the box of that module and no other", () => {
    const shown = show(graph, { depth: 1, expand: ["layer2"] });
    const open = shown.nodes.filter((node) => node.open).map((node) => graph.calls[node.call]!.path);
    expect(open).toEqual(["layer2"]);
    expect(edges(graph, shown)).toContain("layer2.1 -> layer3");
  });

  test("a key opens a box too, and closing wins over opening", () => {
    const layer = graph.calls.find((call) => call.path === "layer2")!;
    expect(show(graph, { depth: 1, expand: [`#${layer.id}`] }).nodes.some((node) => node.open)).toBe(true);
    expect(show(graph, { depth: 1, expand: ["layer2"], collapse: ["layer2"] }).nodes.some((node) => node.open)).toBe(
      false,
    );
  });

  test("a module that wraps one function stays closed when everything is opened, but opens by name", () => {
    const isOpen = (state: Partial<ViewState>): boolean =>
      show(graph, state).nodes.some((node) => node.open && graph.calls[node.call]?.path === "conv1");
    expect(isOpen({ depth: Infinity })).toBe(false);
    expect(isOpen({ depth: Infinity, expand: ["conv1"] })).toBe(true);
  });

  test("without a depth as much is open as fits on a page", () => {
    for (const name of ["resnet18", "llama32", "clip", "densenet121", "resnet152"]) {
      const boxes = show(network(name)).nodes.filter((node) => !node.open).length;
      expect(boxes, name).toBeLessThanOrEqual(60);
    }
  });
});

describe("folds", () => {
  test("repeats are shown once with their count", () => {
    const names = named(llama, show(llama, { depth: 2 }));
    expect(names).toContain("model.layers.0 ×32");
    expect(names).not.toContain("model.layers.1");
  });

  test("a fold's key shows all its repeats", () => {
    const key = `#${llama.calls.find((call) => call.path === "model.layers.0")!.id}x`;
    const names = named(llama, show(llama, { depth: 2, unfold: [key] }));
    expect(names.filter((name) => name.startsWith("model.layers."))).toHaveLength(32);
  });

  test("what the last repeat makes is read from the one that is shown", () => {
    const found = edges(llama, show(llama, { depth: 2 }));
    expect(found).toContain("model.layers.0 ×32 -> model.norm");
    expect(found).toContain("model.embed_tokens -> model.layers.0 ×32");
  });

  test("a repeat does not read itself", () => {
    for (const depth of [2, 3, Infinity]) {
      const shown = show(llama, { depth });
      for (const { source, readers } of shown.nets) expect(readers).not.toContain(source);
    }
  });

  test("repeats of several calls stand in a box of their own, marked as a loop where the weights are the same", () => {
    const graph = network("lstm");
    const fold = show(graph).nodes.find((node) => node.kind === "fold")!;
    expect(fold.repeat).toMatchObject({ count: 12, loop: true });
    expect(fold.children).toHaveLength(2);
  });

  test("folding and unfolding lose no reader of a value that comes from outside", () => {
    const readers = (state: Partial<ViewState>): Set<string> => {
      const graph = network("seq2seq");
      return new Set(edges(graph, show(graph, { depth: 1, ...state })).filter((edge) => edge.startsWith("encoder.")));
    };
    expect(readers({ fold: true })).toContain("encoder.0 ×4 -> decoder.0 ×4");
    expect([...readers({ fold: false })].at(-1)).toBe("encoder.3 -> decoder.0, decoder.1, decoder.2, decoder.3");
  });
});

describe("values", () => {
  test("inputs and outputs carry the names of arguments and dictionary keys", () => {
    const shown = show(shared);
    const ends = (kind: string): string[] => shown.nodes.filter((node) => node.kind === kind).map((node) => node.name);
    expect(ends("input")).toEqual(["left", "right"]);
    expect(ends("output")).toEqual(["distance", "left", "right"]);
  });

  test("a module that runs twice has a box for each run", () => {
    const runs = named(shared, show(shared, { depth: 1 })).filter((name) => name.startsWith("encoder"));
    expect(runs).toEqual(["encoder", "encoder"]);
  });

  test("a residual comes from before the norm, although the norm's first step returned the same tensor", () => {
    const found = edges(llama, show(llama, { depth: 3 }));
    const residual = found.find((edge) => edge.startsWith("model.embed_tokens -> "))!;
    expect(residual).toBe("model.embed_tokens -> model.layers.0.input_layernorm, Tensor.add");
  });

  test("every reader of a drawn value comes after its source, or is inside a loop", () => {
    const shown = show(network("clip"), { depth: Infinity, fold: false });
    for (const { source, readers } of shown.nets) {
      for (const reader of readers) {
        const [from, to] = [shown.nodes[source]!, shown.nodes[reader]!];
        if (from.call >= 0 && to.call >= 0) expect(to.call).toBeGreaterThan(from.call);
      }
    }
  });

  test("parameters are no boxes", () => {
    const graph = network("branches");
    const sources = new Set(show(graph, { depth: Infinity }).nets.map((net) => graph.values[net.value]!.kind));
    expect([...sources].sort()).toEqual(["activation", "input", "output"]);
  });
});

describe("constants", () => {
  test("calls that depend on no input are hidden, and shown when asked for", () => {
    const hidden = show(llama, { depth: 2 });
    const all = show(llama, { depth: 2, constants: true });
    expect(hidden.hidden).toBeGreaterThan(0);
    expect(all.hidden).toBe(0);
    expect(named(llama, hidden)).not.toContain("torch.where");
    expect(named(llama, all).length).toBeGreaterThan(named(llama, hidden).length);
  });

  test("what is all that a module reads is drawn, for that module alone", () => {
    const wires = edges(llama, show(llama, { depth: 2 })).filter((edge) => edge.startsWith("torch.arange"));
    expect(wires).toEqual(["torch.arange -> model.rotary_emb"]);
  });

  test("a module that makes only constants keeps its box, and its readers keep their edge past what is hidden", () => {
    const cosAndSin = edges(llama, show(llama, { depth: 2 })).filter((edge) => edge.startsWith("model.rotary_emb"));
    expect(cosAndSin).toEqual(Array(2).fill("model.rotary_emb -> model.layers.0 ×32"));
  });
});

describe("constants that are drawn", () => {
  const graph = network("messages");
  const wires = edges(graph, show(graph));
  const readers = (source: string): string[] =>
    wires.filter((edge) => edge.startsWith(`${source} -> `)).map((edge) => edge.slice(source.length + 4));

  test("a module that reads nothing else gets what its constant was computed from", () => {
    expect(readers("torch.arange")).toEqual(["degree"]);
  });

  test("a tensor of the module around it, whatever was cut out of it, stands beside the module that reads it", () => {
    const shown = show(graph);
    expect(readers("ids")).toEqual(["positions.table"]);
    const box = shown.nodes.find(({ kind, name }) => kind === "constant" && name === "ids")!;
    const around = shown.nodes[box.parent]!;
    expect(graph.calls[around.call]!.path).toBe("positions");
    expect(around.children.indexOf(box.index)).toBeLessThan(around.children.length - 1);
  });

  test("a plain attribute has its name, one of another kind of value than another its kind", () => {
    expect(readers("anchor")).toEqual(["project"]);
    const kinds = show(graph)
      .nodes.filter(({ kind }) => kind === "constant")
      .map(({ members }) => members[0]!);
    expect(kinds.map((value) => graph.values[value]!.kind).sort()).toEqual(["buffer", "buffer", "constant"]);
  });

  test("what a call fills in place is drawn, made in the run or before it", () => {
    expect(readers("torch.zeros")).toEqual(["Tensor.index_add_"]);
    expect(readers("total")).toEqual(["Tensor.add_"]);
  });

  test("closed, the module that holds the constant needs no box beside it", () => {
    const closed = show(graph, { depth: 1 });
    expect(closed.nodes.some(({ name }) => name === "ids")).toBe(false);
  });

  test("every box that is no end of the run is reached by a wire, or holds one that is", () => {
    const shown = show(graph);
    const reached = new Set(shown.nets.flatMap((net) => net.readers));
    for (const node of shown.nodes)
      for (let at = node; reached.has(node.index) && at; at = shown.nodes[at.parent]!) reached.add(at.index);
    const alone = shown.nodes.filter(({ index, kind, open }) => kind === "call" && !open && !reached.has(index));
    expect(alone.map(({ call }) => graph.calls[call]!.name)).toEqual(["torch.arange", "torch.zeros"]);
  });
});

describe("inputs", () => {
  test("of a container with many tensors those that are read have boxes of their own, the others one", () => {
    const graph = network("messages");
    const found = show(graph).nodes.filter(({ kind }) => kind === "input");
    expect(found.map(({ name, members }) => [name, members.length])).toEqual([
      ["batch.x", 1],
      ["batch.edge_index", 1],
      ["rest of batch", 3],
    ]);
  });
});

describe("a run that failed", () => {
  const graph = network("failing");

  test("is open down to the call that raised", () => {
    const shown = show(graph, { depth: 1 });
    expect(shown.nodes.some((node) => node.call === graph.error)).toBe(true);
  });

  test("has no boxes for what never ran", () => {
    expect(named(graph, show(graph, { depth: Infinity }))).not.toContain("head.1");
  });
});

/** A chain of `count` functions, each reading the one before. */
function chain(count: number): Graph {
  const call = (id: number, given: Partial<Call>): Call => ({
    ...{ id, kind: "function", name: "torch.relu", path: null, parent: 0, inputs: [], outputs: [] },
    ...{ arguments: { type: "arguments", keys: [], items: [] }, returns: null, writes: [], flops: 0 },
    ...{
      arithmetic: "elementwise",
      source: null,
      error: null,
      reads_data: false,
      thread: 0,
      seconds: null,
      forward: null,
      repeats: 1,
    },
    ...given,
  });
  const value = (id: number, producer: number | null): Value => ({
    ...{ id, kind: producer === null ? "input" : "activation", names: [], shape: [4], dtype: "float32", device: "cpu" },
    ...{ nbytes: 16, requires_grad: false, producer, slot: 0, previous: null, alias_of: null, view_of: null },
    ...{ storage: null, freed: null, type: "", inner: [], original: null, placements: [], mesh: [] },
  });
  const slot = { slot: 0 };
  const root = call(0, {
    ...{ kind: "module", name: "Long", path: "", parent: null, inputs: [0], outputs: [count] },
    ...{ arguments: { type: "arguments", keys: ["x"], items: [slot] }, returns: slot },
  });
  const steps = Array.from({ length: count }, (_, i) => call(i + 1, { inputs: [i], outputs: [i + 1] }));
  const values = Array.from({ length: count + 1 }, (_, i) => value(i, i === 0 ? null : i));
  return {
    ...{
      name: "Long",
      calls: [root, ...steps],
      values,
      modules: [],
      notes: [],
      error: null,
      provenance: network("unrun").provenance,
    },
    ...{ overlays: [], forward: null, folds: [] },
  };
}

describe("long lists", () => {
  test("of a thousand children are shown whole", () => {
    expect(show(chain(1000), { depth: 1 }).nodes.some((node) => node.kind === "range")).toBe(false);
  });

  test("of more are split into ranges that say what they hold", () => {
    const shown = show(chain(1100), { depth: 1 });
    const ranges = shown.nodes.filter((node) => node.kind === "range");
    expect(ranges.map((node) => node.name)).toEqual([
      "1–250 of 1100",
      "251–500 of 1100",
      "501–750 of 1100",
      "751–1000 of 1100",
      "1001–1100 of 1100",
    ]);
    expect(shown.nets).toHaveLength(6);
  });

  test("show their calls when a range is opened", () => {
    const shown = show(chain(1100), { depth: 1, expand: ["#251-"] });
    expect(shown.nodes.filter((node) => node.kind === "call")).toHaveLength(250);
  });
});

test("a graph without calls shows nothing, and does not fail", () => {
  const graph: Graph = { ...chain(1), calls: [], values: [] };
  expect(show(graph).nodes).toEqual([]);
});

describe("one repeat of a fold", () => {
  const layers = llama.calls.filter((call) => /^model\.layers\.\d+$/.test(call.path ?? ""));
  const stack = (state: Partial<ViewState>): string[] =>
    named(llama, show(llama, { depth: 2, ...state })).filter((name) => /^model\.layers\.\d+( |$)/.test(name));

  test("is shown apart when its path is to be open, between what stays folded", () => {
    expect(stack({ expand: ["model.layers.7"] })).toEqual([
      "model.layers.0 ×7",
      "model.layers.7",
      "model.layers.8 ×24",
    ]);
    const open = show(llama, { depth: 2, expand: ["model.layers.7"] }).nodes.filter((node) => node.open);
    expect(open.map((node) => llama.calls[node.call]!.path)).toContain("model.layers.7");
  });

  test("may be the first, the last, or several", () => {
    const key = (repeat: number): string => `#${layers[0]!.id}x${repeat}`;
    expect(stack({ unfold: [key(0)] })).toEqual(["model.layers.0", "model.layers.1 ×31"]);
    expect(stack({ unfold: [key(31)] })).toEqual(["model.layers.0 ×31", "model.layers.31"]);
    expect(stack({ unfold: [key(1), key(30)] })).toEqual(
      [0, 1, 2, 30, 31].map((layer) => (layer === 2 ? "model.layers.2 ×28" : `model.layers.${layer}`)),
    );
    expect(stack({ unfold: [key(99)] })).toEqual(["model.layers.0 ×32"]);
  });

  test("is shown apart for what is in it, too, but the first stands for all", () => {
    expect(stack({ expand: ["model.layers.7.mlp"] })).toHaveLength(3);
    expect(stack({ expand: ["model.layers.0", "model.layers.0.mlp"] })).toEqual(["model.layers.0 ×32"]);
    expect(stack({ expand: [`#${layers[7]!.id}`] })).toHaveLength(3);
  });

  test("reads what the ones before it give, and is read by those after it", () => {
    const shown = show(llama, { depth: 2, unfold: [`#${layers[0]!.id}x7`] });
    const between = edges(llama, shown);
    expect(between).toContain("model.layers.0 ×7 -> model.layers.7");
    expect(between).toContain("model.layers.7 -> model.layers.8 ×24");
  });

  test("a module that every repeat runs again names none of them apart", () => {
    const looped = show(network("lstm"), { depth: 3, expand: network("lstm").calls.map((call) => call.path ?? "") });
    const plain = show(network("lstm"), { depth: 3 });
    const counts = ({ nodes }: VisibleGraph): number[] => nodes.flatMap(({ repeat }) => repeat?.count ?? []);
    expect(counts(looped)).toEqual(expect.arrayContaining(counts(plain)));
  });
});

describe("tensors that a backward pass keeps", () => {
  const graph = chain(3);
  const kept: Graph = {
    ...graph,
    calls: graph.calls.map((call) =>
      call.id === 2 ? { ...call, kind: "saved", name: "weight", inputs: [] } : { ...call, kind: "backward" },
    ),
  };

  test("are shown, though they depend on nothing", () => {
    expect(edges(kept, show(kept))).toContain("weight -> torch.relu");
    expect(show(kept).hidden).toBe(0);
  });
});

describe("an input of many tensors", () => {
  const graph = chain(2);
  const slots = Array.from({ length: 6 }, (_, slot) => ({ slot }));
  const cache = { type: "list", keys: [], items: slots };
  /** A step reads all six tensors of a list, which differ in shape where `sizes` do. */
  const reading = (sizes: readonly number[]): Graph => {
    const extra = sizes.map((size, i) => ({ ...graph.values[0]!, id: 3 + i, shape: [size] }));
    const calls = graph.calls.map((call) => {
      const inputs = [...call.inputs, ...extra.map(({ id }) => id)].filter((id) => id > 2);
      if (call.id === 0) return { ...call, inputs, arguments: { type: "arguments", keys: ["cache"], items: [cache] } };
      return call.id === 1 ? { ...call, inputs } : call;
    });
    return { ...graph, calls, values: [...graph.values, ...extra] };
  };

  test("has one wire to a box that reads several of one shape", () => {
    const alike = reading([4, 4, 4, 4, 4, 4]);
    expect(edges(alike, show(alike)).filter((edge) => edge.startsWith("cache"))).toEqual(["cache -> torch.relu"]);
    const unlike = reading([4, 4, 4, 5, 5, 5]);
    expect(edges(unlike, show(unlike)).filter((edge) => edge.startsWith("cache"))).toHaveLength(2);
  });
});

describe("a model is said not to have run", () => {
  const unrun = network("unrun");

  test("where no module reads or makes a tensor", () => {
    expect(show(unrun).still).toBe(true);
  });

  test("but not where a run failed before it read one, or where more than its modules were called", () => {
    expect(show({ ...unrun, error: 0 }).still).toBe(false);
    expect(show({ ...unrun, modules: unrun.modules.slice(1) }).still).toBe(false);
  });
});
