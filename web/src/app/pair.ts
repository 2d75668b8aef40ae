/** Two drawings side by side: what is done in one is done in the other, and a walk through what differs. */

import { createContext } from "preact";
import { useContext, useEffect, useReducer } from "preact/hooks";
import type { GivenPair } from "./document.ts";
import { type Difference, differences } from "./differences.ts";
import { type LinkState, type Sides, SIDES } from "./link.ts";
import type { Page } from "./page.tsx";
import { visible } from "../graph/index.ts";
import { foldOf } from "../graph/folds.ts";
import { COMMON, COMMON_VIEW, type AppState, Store } from "./state.ts";
import { type Deed, type Way, callIn, mirrored, mirroredView, nearest, ways } from "./step.ts";

export interface PairState extends Sides {
  /** Which difference was walked to; -1 for none yet. */
  readonly at: number;
}

export class Pair {
  readonly store = new Store<PairState>({ ...SIDES, at: -1 });
  readonly ways: readonly [Way, Way];
  readonly differences: readonly Difference[];
  /** Is one drawing following the other just now? */
  private following = false;

  constructor(
    readonly pages: readonly [Page, Page],
    readonly given: GivenPair,
  ) {
    const [a, b] = pages.map(({ model }) => model) as [Page["model"], Page["model"]];
    this.ways = ways(given.pairs, [a.indexed, b.indexed]);
    this.differences = a.marks && b.marks ? differences(this.ways, [a.marks, b.marks]) : [];
  }

  /** From now on one follows the other. */
  begin(): void {
    this.pages.forEach((page, side) => {
      page.did = (deed) => this.follow(side as 0 | 1, deed);
      page.store.listen(() => this.share(page, this.other(page)));
    });
  }

  get state(): PairState {
    return this.store.state;
  }

  get active(): Page {
    return this.pages[this.state.active];
  }

  other(page: Page): Page {
    return this.pages[this.sideOf(page) === 0 ? 1 : 0];
  }

  sideOf(page: Page): 0 | 1 {
    return page === this.pages[1] ? 1 : 0;
  }

  titleOf(page: Page): string {
    return this.given.titles[this.sideOf(page)];
  }

  partners(page: Page, call: number): readonly number[] {
    return this.ways[this.sideOf(page)].partners.get(call) ?? [];
  }

  activate(side: 0 | 1): void {
    if (side !== this.state.active) this.store.set({ active: side });
  }

  /** Select a call of one side, which is then the one that is told of. */
  show(side: 0 | 1, call: number): void {
    this.activate(side);
    this.pages[side].show(call);
  }

  /** Go over to the other drawing, to what belongs to the selected box. */
  cross(): void {
    const from = this.active;
    const { selected } = from.state;
    this.activate(this.state.active === 0 ? 1 : 0);
    if (!this.state.inStep && selected !== null) this.perform(this.sideOf(from), { kind: "select", key: selected });
  }

  setInStep(inStep: boolean): void {
    this.store.set({ inStep });
    const { selected } = this.active.state;
    if (inStep) this.follow(this.state.active, { kind: "select", key: selected });
  }

  /** The next difference, or with -1 the one before. */
  walk(by: 1 | -1): void {
    const count = this.differences.length;
    if (count === 0) return;
    const from = this.state.at < 0 && by < 0 ? 0 : this.state.at;
    const at = (from + by + count) % count;
    const { side, call } = this.differences[at]!;
    this.store.set({ at });
    this.show(side, call);
  }

  /** Of the boxes that belong to what is selected on the other side, those that are not selected themselves. */
  alsoMeant(page: Page): string[] {
    const other = this.other(page);
    const call = callIn(other.state.selected ?? "");
    if (call === null || !this.state.inStep) return [];
    const keys = this.partners(other, call).map((partner) => `#${partner}`);
    return keys.filter((key) => key !== page.state.selected);
  }

  /** What both show at first, where only the first was told: the same, and versions of one thing equally deep. */
  first(state: LinkState): { states: readonly [LinkState, LinkState]; cameras: readonly []; sides: Sides } {
    const { selected } = state;
    const deed = selected === null ? null : mirrored(this.ways[0], { kind: "select", key: selected });
    const key = deed?.kind === "select" ? deed.key : null;
    const other = { ...state, view: mirroredView(this.ways[0], state.view), selected: key };
    return { states: this.equallyDeep([state, other]), cameras: [], sides: SIDES };
  }

  /** Where each would open as many levels as fit a page, the one that would open more does as the other. */
  private equallyDeep(states: readonly [LinkState, LinkState]): readonly [LinkState, LinkState] {
    if (!this.given.compared || states[0].view.depth !== null) return states;
    const depths = this.pages.map(({ model }, side) => visible(model.indexed, states[side]!.view).depth);
    const least = Math.min(...depths);
    const [one, other] = states.map((state, side) =>
      depths[side]! > least ? { ...state, view: { ...state.view, depth: least } } : state,
    );
    return [one!, other!];
  }

  private follow(side: 0 | 1, deed: Deed): void {
    if (this.following || !this.state.inStep) return;
    this.perform(side, deed);
  }

  /** Do in the other drawing what was done in that of `side`. */
  private perform(side: 0 | 1, deed: Deed): void {
    const page = this.pages[side === 0 ? 1 : 0];
    const like = mirrored(this.ways[side], deed);
    this.following = true;
    try {
      if (deed.kind === "select") this.select(side, page, deed.key, like?.kind === "select" ? like.key : null);
      else if (like && like.kind !== "select") perform(page, like);
    } finally {
      this.following = false;
    }
  }

  private select(side: 0 | 1, page: Page, from: string | null, key: string | null): void {
    const call = key === null ? null : callIn(key);
    if (key === null) {
      page.select(null);
      const at = callIn(from ?? "");
      const around = at === null ? null : nearest(this.ways[side], at);
      if (around !== null && page.node(`#${around}`)) page.store.set({ reveal: `#${around}` });
    } else if (call === null || key !== `#${call}`) page.select(page.node(key) ? key : null, true);
    else {
      const folded = this.pages[side].node(from)?.repeat ? foldedBox(page, call) : null;
      if (folded === null) page.show(call);
      else page.select(folded, true);
    }
  }

  /** What one drawing is told and both have in common. */
  private share(from: Page, to: Page): void {
    const changed = COMMON.filter((name) => from.state[name] !== to.state[name]);
    const view = COMMON_VIEW.filter((name) => from.state.view[name] !== to.state.view[name]);
    if (changed.length + view.length === 0) return;
    const change: Partial<AppState> = Object.fromEntries(changed.map((name) => [name, from.state[name]]));
    const isDrawnAnew = view.length > 0 || "direction" in change || "labels" in change;
    if (!isDrawnAnew) to.store.set(change);
    else {
      const own = Object.fromEntries(view.map((name) => [name, from.state.view[name]]));
      to.redraw({ ...change, view: { ...to.state.view, ...own }, anchor: null, reveal: to.state.selected });
    }
  }
}

/** The box that stands for a call among the repeats of its fold. */
function foldedBox(page: Page, call: number): string | null {
  const { drawn } = page.state;
  const node = drawn?.visible.nodes[drawn.visible.box[call] ?? -1];
  const isOfTheFold = node?.repeat && foldOf(page.model.indexed, call)?.calls.includes(node.call);
  return isOfTheFold ? node.key : null;
}

function perform(page: Page, deed: Exclude<Deed, { kind: "select" }>): void {
  if (deed.kind === "depth") page.depth(deed.depth);
  else if ("fold" in deed) page[deed.kind](deed.fold);
  else page[deed.kind](deed.key);
}

export const PairContext = createContext<Pair | null>(null);

/** Both drawings, where there are two, and a new rendering whenever what they have in common changes. */
export function usePair(): Pair | null {
  const pair = useContext(PairContext);
  const [, renew] = useReducer((count: number) => count + 1, 0);
  useEffect(() => pair?.store.listen(() => renew(undefined as never)), [pair]);
  return pair;
}
