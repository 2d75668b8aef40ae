/** The page: header, outline, drawing or table, panel. */

import { useEffect } from "preact/hooks";
import { Drawing } from "./Drawing.tsx";
import { Header } from "./Header.tsx";
import { Outline } from "./Outline.tsx";
import { PairBar } from "./PairBar.tsx";
import { Panel } from "./Panel.tsx";
import { Panes } from "./Panes.tsx";
import { Problem } from "./Problem.tsx";
import { Failure, Unrun } from "./Failure.tsx";
import { Table } from "./Table.tsx";
import { type Page, PageContext, usePage } from "./page.tsx";
import { type Pair, PairContext, usePair } from "./pair.ts";
import { useTheme } from "./theme.ts";

/** `pair` where there are two graphs; then `page` is the first of it. */
export function App({ page, pair }: { page: Page; pair: Pair | null }) {
  return (
    <PairContext.Provider value={pair}>
      <Side page={page} />
    </PairContext.Provider>
  );
}

/** All but the drawings tells of one graph: of two, of the one that is active. */
function Side({ page }: { page: Page }) {
  const pair = usePair();
  return (
    <PageContext.Provider value={pair?.active ?? page}>
      <Parts />
    </PageContext.Provider>
  );
}

function Parts() {
  const page = usePage();
  const pair = usePair();
  const { state } = page;
  const theme = useTheme(state.theme);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => shortcut(page, pair, event);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [page, pair]);
  return (
    <div class={pair ? "page paired" : "page"}>
      <Header />
      {pair && <PairBar pair={pair} />}
      {state.problem !== null && <Problem text={state.problem} close={() => page.store.set({ problem: null })} />}
      {!pair && <Failure page={page} />}
      {!pair && <Unrun page={page} />}
      <main class="parts">
        {state.outline && <Outline />}
        <section class="middle" hidden={state.tab !== "drawing"} id="drawing" role="tabpanel" aria-label="Drawing">
          {pair ? <Panes pair={pair} theme={theme} /> : <Drawing theme={theme} />}
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

function shortcut(page: Page, pair: Pair | null, event: KeyboardEvent): void {
  const { target } = event;
  const typing = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") document.querySelector<HTMLInputElement>("#search")?.focus();
  else if (event.key === "Escape") page.select(null);
  else if (event.key === "n") pair?.walk(1);
  else if (event.key === "p") pair?.walk(-1);
  else if (event.key === "x" && pair) {
    pair.cross();
    document.querySelectorAll<HTMLElement>("canvas.canvas")[pair.state.active]?.focus();
  }
  if (event.key === "/") event.preventDefault();
}
