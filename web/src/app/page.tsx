/** What the parts of the page share: the model, the state, and what can be done. Two graphs have one each. */

import { createContext } from "preact";
import { useContext, useEffect, useReducer } from "preact/hooks";
import type { Camera } from "../paint/camera.ts";
import type { Drawn, Wanted } from "../worker/protocol.ts";
import type { Draft } from "../worker/client.ts";
import { isAround } from "../graph/calls.ts";
import { foldKey } from "../graph/folds.ts";
import type { ViewState } from "../graph/state.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Fold } from "../contract/graph.ts";
import type { Model } from "./model.ts";
import { titleOf } from "./model.ts";
import { closed, folded, opened, showing, toDepth, toggled, unfolded } from "./open.ts";
import type { AppState, Store } from "./state.ts";
import type { Deed } from "./step.ts";

export class Page {
  private draft: Draft | null = null;
  /** A picture was asked for and is not there yet. */
  waiting = false;
  /** Told when the camera moves. */
  changed: () => void = () => {};
  /** Told what the reader did, where another drawing follows this one. */
  did: (deed: Deed) => void = () => {};
  /** Where the camera is; it moves too often to be part of the state. */
  camera: Camera | null = null;
  /** Moves the camera; set by the drawing. */
  moveTo: ((camera: Camera) => void) | null = null;
  private nodes: ReadonlyMap<string, VisibleNode> = new Map();

  constructor(
    readonly model: Model,
    readonly store: Store,
    /** Starts what draws. */
    private readonly begin: (page: Page) => Draft,
  ) {}

  get state(): AppState {
    return this.store.state;
  }

  node(key: string | null): VisibleNode | null {
    return (key === null ? undefined : this.nodes.get(key)) ?? null;
  }

  /** A picture is ready. */
  arrived(drawn: Drawn): void {
    this.waiting = false;
    this.nodes = new Map(drawn.visible.nodes.map((node) => [node.key, node]));
    this.store.set({ drawn });
  }

  moved(camera: Camera): void {
    this.camera = camera;
    this.changed();
  }

  /** A picture is on the screen: marked for whoever wants to know how long that took. */
  painted(): void {
    performance.mark("painted");
    setTimeout(() => this.drafting(), 50);
  }

  private drafting(): Draft {
    return (this.draft ??= this.begin(this));
  }

  /** What is shown now; a depth that was chosen to fit stays, whatever is opened from here on. */
  private get view(): ViewState {
    const { view, drawn } = this.state;
    return { ...view, depth: view.depth ?? drawn?.visible.depth ?? null };
  }

  get wanted(): Wanted {
    const { view, direction, labels } = this.state;
    return { view, options: { direction, labels } };
  }

  /** Change what is drawn, and ask for the picture. */
  redraw(change: Partial<AppState>): void {
    this.waiting = true;
    this.store.set(change);
    this.drafting().ask(this.wanted);
  }

  toggle(key: string): void {
    const node = this.node(key);
    if (!node?.openable) return;
    const said = `${titleOf(this.model, node).name} ${node.open ? "closed" : "opened"}`;
    this.redraw({ view: toggled(this.view, node), anchor: key, said });
    this.did({ kind: node.open ? "close" : "open", key });
  }

  open(key: string): void {
    if (this.node(key)?.open === false) this.toggle(key);
  }

  close(key: string): void {
    if (this.node(key)?.open) this.toggle(key);
  }

  select(key: string | null, reveal = false): void {
    this.store.set({
      selected: key,
      panel: key !== null || this.state.panel,
      reveal: reveal ? key : this.state.reveal,
    });
    this.did({ kind: "select", key });
  }

  /** Select a call wherever it is, opening what hides it. */
  show(call: number): void {
    const key = `#${call}`;
    const place = this.node(key);
    if (place) {
      this.select(key, true);
      return;
    }
    const { model, state } = this;
    const level = model.graph.calls[call]!.kind === "aten" ? "aten" : state.view.level;
    const view = showing(
      model.indexed,
      { ...this.view, level, constants: state.view.constants || this.isHidden(call) },
      call,
    );
    this.redraw({ view, selected: key, reveal: key, anchor: null, panel: true });
    this.did({ kind: "select", key });
  }

  /** Is it, or something around it, left out of the drawing as a constant? */
  private isHidden(call: number): boolean {
    const { calls } = this.model.graph;
    const { flow, revealed } = this.model.indexed;
    const { constant } = flow;
    for (let at = call, parent = calls[at]!.parent; parent !== null; at = parent, parent = calls[at]!.parent)
      if (constant[at] === 1 && constant[parent] === 0 && revealed.calls[at] === 0 && !isAround(calls[at]!.kind))
        return true;
    return false;
  }

  depth(depth: number | null): void {
    const said =
      depth === Infinity ? "everything opened" : depth === null ? "as fits a page" : `opened to depth ${depth}`;
    this.redraw({ view: toDepth(this.state.view, depth), anchor: this.state.selected, said });
    this.did({ kind: "depth", depth });
  }

  unfold(fold: Fold): void {
    const said = `${fold.count} repeats shown`;
    this.redraw({ view: unfolded(this.view, fold), anchor: foldKey(fold), reveal: this.state.selected, said });
    this.did({ kind: "unfold", fold });
  }

  fold(fold: Fold): void {
    const first = `#${fold.calls[0]!}`;
    const selected = fold.period === 1 ? first : this.state.selected;
    this.redraw({ view: folded(this.view, fold), selected, anchor: first, reveal: selected, said: "folded" });
    this.did({ kind: "fold", fold });
  }

  /** Open every box around the selected one, or close it with all that is inside. */
  openAll(key: string): void {
    const node = this.node(key);
    if (!node) return;
    const { children } = this.model.indexed.tree;
    let view = opened(this.view, key);
    const waiting = [...(node.call >= 0 ? children[node.call]! : [])];
    for (let call = waiting.pop(); call !== undefined; call = waiting.pop()) {
      if (children[call]!.length > 0) view = opened(view, `#${call}`);
      waiting.push(...children[call]!);
    }
    this.redraw({ view, anchor: key });
    this.did({ kind: "openAll", key });
  }

  closeAround(key: string): void {
    const node = this.node(key);
    const parent = node && node.parent >= 0 ? this.state.drawn!.visible.nodes[node.parent]! : null;
    if (!parent) return;
    this.redraw({ view: closed(this.view, parent.key), selected: parent.key, anchor: parent.key });
    this.did({ kind: "close", key: parent.key });
  }
}

export const PageContext = createContext<Page>(null as unknown as Page);

/** The page, and a new rendering whenever its state changes. */
export function usePage(): Page {
  const page = useContext(PageContext);
  const [, renew] = useReducer((count: number) => count + 1, 0);
  useEffect(() => page.store.listen(() => renew(undefined as never)), [page]);
  return page;
}
