/** Graphs with gaps: of a folded loop, turns that no picture shows are left out, and ids stay as they are. */

import type { Call, Graph, Value } from "../contract/graph.ts";

/** A call that is around itself is in no tree, so nothing is drawn of it. */
const CALL: Call = {
  id: 0,
  kind: "aten",
  name: "",
  path: null,
  parent: null,
  inputs: [],
  outputs: [],
  arguments: { type: "arguments", keys: [], items: [] },
  returns: null,
  writes: [],
  flops: 0,
  arithmetic: "movement",
  source: null,
  error: null,
  reads_data: false,
  thread: 0,
  seconds: null,
  forward: null,
  repeats: 1,
};

/** No call reads it. */
const VALUE: Value = {
  id: 0,
  kind: "activation",
  names: [],
  shape: [],
  dtype: "",
  device: "",
  nbytes: null,
  requires_grad: false,
  producer: null,
  slot: null,
  previous: null,
  alias_of: null,
  view_of: null,
  storage: null,
  freed: null,
  type: "",
  inner: [],
  original: null,
  placements: [],
  mesh: [],
};

/** The graph with a record at every id again. Calls left out have the paths of the turn before: modules ran as often. */
export function filled(graph: Graph): Graph {
  if (graph.calls.length === count(graph.calls) && graph.values.length === count(graph.values)) return graph;
  const calls: Call[] = [];
  for (const call of graph.calls) calls[call.id] = call;
  for (const { calls: kept, period, count: turns } of graph.folds) {
    if (kept.length === period * turns) continue;
    const end = kept[kept.length - period]!;
    const size = (end - kept[period]!) / (turns - 2);
    for (let id = kept[kept.length - 2 * period]! + size; id < end; id++)
      calls[id] = { ...CALL, id, parent: id, path: calls[id - size]!.path };
  }
  const values: Value[] = [];
  for (const value of graph.values) {
    while (values.length < value.id) values.push(VALUE);
    values.push(value);
  }
  return { ...graph, calls, values };
}

function count(records: readonly { id: number }[]): number {
  return records.length === 0 ? 0 : records[records.length - 1]!.id + 1;
}
