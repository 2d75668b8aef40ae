/** The tensors that a node of a backward pass keeps until it runs. */

import type { Call, Value } from "../contract/graph.ts";
import { shapeText } from "../graph/numbers.ts";
import type { Model } from "./model.ts";
import { bytes } from "./numbers.ts";
import type { Page } from "./page.tsx";
import { Part } from "./parts.tsx";

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

export function Saved({ page, call }: { page: Page; call: Call }) {
  if (call.kind !== "backward") return null;
  const saved = savedBy(page.model, call);
  if (saved.length === 0) return null;
  const whole = saved.reduce((sum, { value }) => sum + (value.nbytes ?? 0), 0);
  return (
    <Part title={`Saved tensors (${bytes(whole)})`}>
      <ul class="tensors">
        {saved.map(({ name, value }, i) => (
          <li key={i}>
            <span class="tensor-name">{name}</span>
            <strong>{shapeText(value.shape)}</strong>
            <span>{value.dtype}</span>
            {value.nbytes !== null && <span class="dim">{bytes(value.nbytes)}</span>}
            {value.names.length > 0 && <span class="names">{value.names.join(" = ")}</span>}
          </li>
        ))}
      </ul>
    </Part>
  );
}
