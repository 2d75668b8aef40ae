/** Tensors that go in or come out: name, shape, dtype, and where from or where to. */

import type { Call, Value } from "../contract/graph.ts";
import { shortName } from "../graph/names.ts";
import { size } from "../graph/numbers.ts";
import { shapeText, storedText } from "../graph/shapes.ts";
import { slotNames } from "./arguments.ts";
import type { Page } from "./page.tsx";
import { Part } from "./parts.tsx";

/** More are not listed. */
const MOST = 40;

interface Given {
  page: Page;
  title: string;
  call?: Call;
  side?: "inputs" | "outputs";
  values?: readonly number[];
}

export function Tensors({ page, title, call, side = "outputs", values }: Given) {
  const ids = values ?? call?.[side] ?? [];
  if (ids.length === 0) return null;
  const names = call ? slotNames(side === "inputs" ? call.arguments : call.returns) : new Map<number, string>();
  return (
    <Part title={ids.length > 1 ? `${title} (${ids.length})` : title}>
      <ul class="tensors">
        {ids.slice(0, MOST).map((id, slot) => (
          <Tensor key={slot} page={page} value={page.model.graph.values[id]!} name={names.get(slot) ?? ""} of={call} />
        ))}
      </ul>
      {ids.length > MOST && <p class="hint">and {ids.length - MOST} more</p>}
    </Part>
  );
}

function Tensor({ page, value, name, of }: { page: Page; value: Value; name: string; of: Call | undefined }) {
  const { calls } = page.model.graph;
  const producer = value.producer === null ? null : calls[value.producer]!;
  const known = value.names.filter((other) => other !== name);
  return (
    <li>
      {name && <span class="tensor-name">{name}</span>}
      <strong>{shapeText(value)}</strong>
      <span>{value.dtype}</span>
      {storedText(value) && <span class="dim">{storedText(value)}</span>}
      {value.nbytes !== null && <span class="dim">{size(value.nbytes)}</span>}
      {value.device !== "cpu" && <span class="dim">{value.device}</span>}
      {known.length > 0 && <span class="names">{known.join(" = ")}</span>}
      {producer && producer.parent !== null && producer !== of && (
        <button class="inline" title="Show what made it" onClick={() => page.show(producer.id)}>
          {(producer.path || shortName(producer)).slice(0, 80)}
        </button>
      )}
    </li>
  );
}
