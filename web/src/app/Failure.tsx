/** What must be known before a drawing is looked at: where the run failed, or that there was none. */

import { pathOf } from "./model.ts";
import type { Page } from "./page.tsx";

export function Unrun({ page }: { page: Page }) {
  if (!page.state.drawn?.visible.still) return null;
  return (
    <p class="unrun">
      Not run: these are the modules that the model holds, in order. Nothing is known of what flows between them.
    </p>
  );
}

/** Where the run failed, and with what. */
export function Failure({ page }: { page: Page }) {
  const { error, calls } = page.model.graph;
  if (error === null) return null;
  const call = calls[error]!;
  return (
    <div class="failure" role="alert">
      <strong>The run failed{pathOf(page.model, call) && ` in ${pathOf(page.model, call)}`}</strong>
      <span class="message">{(call.error ?? "").slice(0, 400)}</span>
      <button onClick={() => page.show(error)}>Show</button>
    </div>
  );
}
