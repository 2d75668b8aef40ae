/** The tensors that a node of a backward pass keeps until it runs. */

import type { Call, Value } from "../contract/graph.ts";
import type { Model } from "./model.ts";

/** Its saved tensors by name: those that stand inside it, and those that it reads. */
export function savedBy({ graph, indexed }: Model, call: Call): { name: string; value: Value }[] {
  const inside = indexed.tree.children[call.id]!.map((id) => graph.calls[id]!);
  const read = [...new Set(call.inputs)].flatMap((id) => {
    const { producer } = graph.values[id]!;
    return producer === null ? [] : [graph.calls[producer]!];
  });
  const all = [...new Set([...inside, ...read])].filter(({ kind }) => kind === "saved");
  return all.flatMap(({ name, outputs }) => outputs.map((id) => ({ name, value: graph.values[id]! })));
}
