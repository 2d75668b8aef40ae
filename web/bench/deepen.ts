/** A deeper network from a captured one: one of its equal layers repeated, for graphs too large to keep as files. */

import type { Call, Graph, Value } from "../src/contract/graph.ts";

/** Where the layers stand among the calls: layer i is calls [starts[i], starts[i + 1]). */
function layerStarts(graph: Graph, prefix: string): number[] {
  const layers = graph.calls.filter((call) => call.path !== null && isLayer(call.path, prefix));
  const parent = layers[0]!.parent!;
  const after = graph.calls.find((call) => call.id > layers[layers.length - 1]!.id && call.parent === parent);
  return [...layers.map((call) => call.id), after?.id ?? graph.calls.length];
}

function isLayer(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && /^\d+$/.test(path.slice(prefix.length));
}

/** The graph with `count` layers under `prefix` (`model.layers.`); weights are shared between the copies. */
export function deepen(graph: Graph, prefix: string, count: number): Graph {
  const starts = layerStarts(graph, prefix);
  const [first, second, third] = starts as [number, number, number];
  const [lastStart, end] = starts.slice(-2) as [number, number];
  const size = third - second;
  const calls: Call[] = graph.calls.slice(0, second);
  const values: Value[] = [...graph.values];
  /** Values of the pattern (the second layer) and of the first, as the latest copy has them. */
  let previous = new Map<number, number>();
  const twin = twins(graph, first, second, size);
  for (let copy = 1; copy < count; copy++) {
    const shift = calls.length - second;
    const made = new Map<number, number>();
    for (const value of graph.values) {
      if (value.producer === null || value.producer < second || value.producer >= third) continue;
      made.set(value.id, values.length);
      values.push({
        ...value,
        id: values.length,
        producer: value.producer + shift,
        previous: null,
        alias_of: null,
        view_of: null,
      });
    }
    const before = previous;
    const rename = (value: number): number => {
      const carried = twin.get(value);
      return made.get(value) ?? (carried === undefined ? value : (before.get(carried) ?? value));
    };
    for (const call of graph.calls.slice(second, third)) {
      const path = call.path?.replace(`${prefix}1`, `${prefix}${copy}`) ?? null;
      const parent = call.parent! >= second ? call.parent! + shift : call.parent!;
      const [inputs, outputs] = [call.inputs.map(rename), call.outputs.map(rename)];
      calls.push({ ...call, id: call.id + shift, parent, path, inputs, outputs, writes: [] });
    }
    previous = made;
  }
  return close(graph, calls, values, twins(graph, lastStart, second, size), previous, end);
}

/** Values made in the layer that starts at `layer`, and their like in the pattern. */
function twins(graph: Graph, layer: number, pattern: number, size: number): Map<number, number> {
  const like = new Map<string, number>();
  for (const { id, producer, slot } of graph.values) {
    if (producer !== null && producer >= pattern && producer < pattern + size)
      like.set(`${producer - pattern} ${slot}`, id);
  }
  const found = new Map<number, number>();
  for (const { id, producer, slot } of graph.values) {
    const twin = producer === null ? undefined : like.get(`${producer - layer} ${slot}`);
    if (twin !== undefined) found.set(id, twin);
  }
  return found;
}

/** Append what came after the layers. */
function close(
  graph: Graph,
  calls: Call[],
  values: Value[],
  twin: ReadonlyMap<number, number>,
  last: ReadonlyMap<number, number>,
  end: number,
): Graph {
  const shift = calls.length - end;
  const rename = (value: number): number => last.get(twin.get(value) ?? -1) ?? value;
  for (const call of graph.calls.slice(end)) {
    const parent = call.parent! >= end ? call.parent! + shift : call.parent!;
    const writes = call.writes;
    calls.push({
      ...call,
      id: call.id + shift,
      parent,
      inputs: call.inputs.map(rename),
      outputs: call.outputs,
      writes,
    });
  }
  for (const [i, value] of values.entries()) {
    if (value.producer !== null && value.producer >= end && i < graph.values.length)
      values[i] = { ...value, producer: value.producer + shift };
  }
  return { ...graph, calls, values, folds: [] };
}
