/** The saved tensors of a node of a backward pass, in the panel. */

import type { Call } from "../contract/graph.ts";
import { size } from "../graph/numbers.ts";
import { shapeText } from "../graph/shapes.ts";
import type { Page } from "./page.tsx";
import { Part } from "./parts.tsx";
import { savedBy } from "./saved.ts";

export function Saved({ page, call }: { page: Page; call: Call }) {
  if (call.kind !== "backward") return null;
  const saved = savedBy(page.model, call);
  if (saved.length === 0) return null;
  // The sum of the sizes listed below it, which nothing else counts: what is saved is no activation of its own.
  const whole = saved.reduce((sum, { value }) => sum + (value.nbytes ?? 0), 0);
  return (
    <Part title={`Saved tensors (${size(whole)})`}>
      <ul class="tensors">
        {saved.map(({ name, value }, i) => (
          <li key={i}>
            <span class="tensor-name">{name}</span>
            <strong>{shapeText(value)}</strong>
            <span>{value.dtype}</span>
            {value.nbytes !== null && <span class="dim">{size(value.nbytes)}</span>}
            {value.names.some((other) => other !== name) && <span class="names">{value.names.join(" = ")}</span>}
          </li>
        ))}
      </ul>
    </Part>
  );
}
