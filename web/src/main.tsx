/** Where the page's script begins; the worker runs the same script and knows itself by having no document. */

import { render } from "preact";
import { App } from "./app/App.tsx";
import "./app/page.css";
import { readDocument } from "./app/document.ts";
import { fromGiven, fromHash, toHash } from "./app/link.ts";
import { modelOf } from "./app/model.ts";
import { Page } from "./app/page.tsx";
import { FIRST, Store } from "./app/state.ts";
import { drafter } from "./worker/drafter.ts";
import { startDraft } from "./worker/client.ts";
import { type Scope, serve } from "./worker/worker.ts";

if (typeof document === "undefined") serve(self as unknown as Scope);
else void start(document.currentScript?.textContent ?? null);

/** The first picture of a graph with no more calls than this is drawn before a worker would have started. */
const AT_ONCE = 10000;

async function start(script: string | null): Promise<void> {
  const root = document.getElementById("page")!;
  const store = new Store(FIRST);
  const failed = (problem: string): void => {
    store.set({ problem });
    if (!root.hasChildNodes() || root.dataset.state === "waiting")
      root.textContent = `This page ran into an error: ${problem}`;
  };
  addEventListener("error", (event) => failed(event.error?.stack ?? event.message));
  addEventListener("unhandledrejection", (event) => failed(String(event.reason?.stack ?? event.reason)));
  // A canvas does not paint again by itself when a font arrives.
  const fonts = ["12px", "bold 12px"].map((font) => document.fonts.load(`${font} "Atlas Sans"`));
  const document_ = await readDocument(document.getElementById("atlas"));
  await Promise.allSettled(fonts);
  const { text, graph } = document_;
  const page = new Page(modelOf(document_), store, (asked) =>
    startDraft(text, graph, script, { drawn: (drawn) => asked.arrived(drawn), failed }),
  );
  const first = location.hash.length > 1 ? fromHash(location.hash).state : fromGiven(document_.extras.view);
  const shown = { ...first, selected: first.selected ?? failing(page) };
  if (graph.calls.length <= AT_ONCE && first.view.depth === null) {
    store.set(shown);
    page.arrived(drafter(graph, page.model)(page.wanted));
  } else page.redraw(shown);
  root.textContent = "";
  delete root.dataset.state;
  followAddress(page);
  render(<App page={page} />, root);
}

/** A run that failed opens at the call that failed. */
function failing({ model }: Page): string | null {
  return model.graph.error === null ? null : `#${model.graph.error}`;
}

/** The address says what is seen, and seeing changes when the address does. */
function followAddress(page: Page): void {
  let timer = 0;
  let written = location.hash;
  const write = (): void => {
    const hash = `#${toHash(page.state, page.store.camera)}`;
    if (hash === written) return;
    written = hash;
    try {
      history.replaceState(null, "", hash);
    } catch {
      // A frame without an address of its own has none to write to.
    }
  };
  page.changed = () => {
    clearTimeout(timer);
    timer = window.setTimeout(write, 250);
  };
  page.store.listen(page.changed);
  addEventListener("hashchange", () => {
    if (location.hash === written) return;
    written = location.hash;
    const { state, camera } = fromHash(location.hash);
    page.redraw({ ...state, anchor: null, reveal: camera ? null : state.selected });
    if (camera) page.moveTo?.(camera);
  });
}
