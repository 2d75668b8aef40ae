/** The page: header, outline, drawing or table, panel. */

import { useEffect } from "preact/hooks";
import { Drawing } from "./Drawing.tsx";
import { Header } from "./Header.tsx";
import { Outline } from "./Outline.tsx";
import { Panel } from "./Panel.tsx";
import { Problem } from "./Problem.tsx";
import { Table } from "./Table.tsx";
import { pathOf } from "./model.ts";
import { type Page, PageContext, usePage } from "./page.tsx";
import { useTheme } from "./theme.ts";

export function App({ page }: { page: Page }) {
  return (
    <PageContext.Provider value={page}>
      <Parts />
    </PageContext.Provider>
  );
}

function Parts() {
  const page = usePage();
  const { state } = page;
  const theme = useTheme(state.theme);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => shortcut(page, event);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [page]);
  return (
    <div class="page">
      <Header />
      {state.problem !== null && <Problem text={state.problem} close={() => page.store.set({ problem: null })} />}
      <Failure />
      {state.drawn?.visible.still && (
        <p class="unrun">
          Not run: these are the modules that the model holds, in order. Nothing is known of what flows between them.
        </p>
      )}
      <main class="parts">
        {state.outline && <Outline />}
        <section class="middle" hidden={state.tab !== "drawing"} id="drawing" role="tabpanel" aria-label="Drawing">
          <Drawing theme={theme} />
        </section>
        {state.tab === "table" && (
          <section class="middle" id="table" role="tabpanel" aria-label="Table">
            <Table />
          </section>
        )}
        {state.panel && <Panel />}
      </main>
      <div class="unseen" role="status" aria-live="polite">
        {state.said}
      </div>
    </div>
  );
}

/** Where the run failed, and with what. */
function Failure() {
  const page = usePage();
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

function shortcut(page: Page, event: KeyboardEvent): void {
  const { target } = event;
  const typing = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    document.querySelector<HTMLInputElement>("#search")?.focus();
    event.preventDefault();
  } else if (event.key === "Escape") page.select(null);
}
