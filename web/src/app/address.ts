/** The address says what is seen, and seeing changes when the address does. */

import { type LinkState, fromHash, pairFromHash, pairToHash, toHash } from "./link.ts";
import type { Camera } from "../paint/camera.ts";
import type { Page } from "./page.tsx";
import type { Pair } from "./pair.ts";

/** What is seen now, as the part of an address after #. */
export function hashOf(page: Page, pair: Pair | null): string {
  if (!pair) return toHash(page.state, page.camera);
  const [a, b] = pair.pages;
  return pairToHash([a.state, b.state], [a.camera, b.camera], pair.state);
}

export function followAddress(page: Page, pair: Pair | null): void {
  let timer = 0;
  let written = location.hash;
  const write = (): void => {
    const hash = `#${hashOf(page, pair)}`;
    if (hash === written) return;
    written = hash;
    try {
      history.replaceState(null, "", hash);
    } catch {
      // A frame without an address of its own has none to write to.
    }
  };
  const changed = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(write, 250);
  };
  for (const each of pair?.pages ?? [page]) {
    each.changed = changed;
    each.store.listen(changed);
  }
  pair?.store.listen(changed);
  addEventListener("hashchange", () => {
    if (location.hash === written) return;
    written = location.hash;
    go(page, pair);
  });
}

/** Show what the address says. */
function go(page: Page, pair: Pair | null): void {
  if (!pair) {
    const { state, camera } = fromHash(location.hash);
    show(page, state, camera);
    return;
  }
  const { states, cameras, sides } = pairFromHash(location.hash);
  pair.store.set(sides);
  pair.pages.forEach((each, i) => show(each, states[i]!, cameras[i]!));
}

function show(page: Page, state: LinkState, camera: Camera | null): void {
  page.redraw({ ...state, anchor: null, reveal: camera ? null : state.selected });
  if (camera) page.moveTo?.(camera);
}
