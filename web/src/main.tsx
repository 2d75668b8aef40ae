/** Where the page's script begins; the worker runs the same script and knows itself by having no document. */

import { render } from "preact";
import { App } from "./app/App.tsx";
import "./app/page.css";
import { followAddress } from "./app/address.ts";
import { type AtlasDocument, type Held, readDocument } from "./app/document.ts";
import { type LinkState, fromGiven, fromHash, pairFromHash } from "./app/link.ts";
import { modelOf } from "./app/model.ts";
import { Page } from "./app/page.tsx";
import { Pair } from "./app/pair.ts";
import { FIRST, Store } from "./app/state.ts";
import type { Camera } from "./paint/camera.ts";
import { drafter } from "./worker/drafter.ts";
import { startDraft } from "./worker/client.ts";
import { type Scope, serve } from "./worker/worker.ts";

if (typeof document === "undefined") serve(self as unknown as Scope);
else void start(document.currentScript?.textContent ?? null);

/** The first picture of a graph with no more calls than this is drawn before a worker would have started. */
const AT_ONCE = 10000;

/** From this width on, in pixels, two drawings leave room for the outline. */
const ROOMY = 1600;
/** Below this width drawings have the page to themselves, until something is selected. */
const NARROW = 760;

async function start(script: string | null): Promise<void> {
  const root = document.getElementById("page")!;
  const pages: Page[] = [];
  const failed = (problem: string): void => {
    for (const page of pages) page.store.set({ problem });
    if (!root.hasChildNodes() || root.dataset.state === "waiting")
      root.textContent = `This page ran into an error: ${problem}`;
  };
  addEventListener("error", (event) => failed(event.error?.stack ?? event.message));
  addEventListener("unhandledrejection", (event) => failed(String(event.reason?.stack ?? event.reason)));
  // A canvas does not paint again by itself when a font arrives.
  const fonts = ["12px", "bold 12px"].map((font) => document.fonts.load(`${font} "Atlas Sans"`));
  const document_ = await readDocument(document.getElementById("atlas"));
  await Promise.allSettled(fonts);
  const { beside } = document_;
  const held: Held[] = beside ? [document_, beside] : [document_];
  const begin = ({ text, payload }: Held, page: Page) =>
    startDraft(text, payload, script, { drawn: (drawn) => page.arrived(drawn), failed });
  pages.push(...held.map((one) => pageOf(one, (page) => begin(one, page))));
  const pair = beside && new Pair([pages[0]!, pages[1]!], beside);
  open(pages, pair, document_);
  pair?.begin();
  root.textContent = "";
  delete root.dataset.state;
  followAddress(pages[0]!, pair);
  render(<App page={pages[0]!} pair={pair} />, root);
}

function pageOf(held: Held, begin: ConstructorParameters<typeof Page>[2]): Page {
  return new Page(modelOf(held), new Store(FIRST), begin);
}

/** What is seen first: as a link says, else as the page was made to show. */
function open(pages: readonly Page[], pair: Pair | null, { payload }: AtlasDocument): void {
  const link = location.hash.length > 1 ? location.hash : null;
  const given = fromGiven(payload.view);
  const calls = pages.reduce((sum, { model }) => sum + model.graph.calls.length, 0);
  const room = { outline: innerWidth >= (pair ? ROOMY : NARROW), panel: innerWidth >= NARROW };
  for (const page of pages) page.store.set(room);
  const isAtOnce = ({ view }: LinkState): boolean => calls <= AT_ONCE && (link ? view : given.view).depth === null;
  if (!pair) {
    const { state, camera } = link ? fromHash(link) : { state: given, camera: null };
    first(pages[0]!, state, camera, isAtOnce(state));
    return;
  }
  const { states, cameras, sides } = link ? pairFromHash(link) : pair.first(given);
  pair.store.set(sides);
  pages.forEach((page, side) => first(page, states[side]!, cameras[side] ?? null, isAtOnce(states[side]!)));
}

function first(page: Page, state: LinkState, camera: Camera | null, atOnce: boolean): void {
  const shown = { ...state, selected: state.selected ?? failing(page) };
  page.camera = camera;
  if (atOnce) {
    page.store.set(shown);
    page.arrived(drafter(page.model.payload, page.model)(page.wanted));
  } else page.redraw(shown);
}

/** A run that failed opens at the call that failed. */
function failing({ model }: Page): string | null {
  return model.graph.error === null ? null : `#${model.graph.error}`;
}
