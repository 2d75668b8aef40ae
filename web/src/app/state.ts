/** All that the page shows, as one value; every action makes the next one. */

import type { View } from "../contract/payload.ts";
import { DEFAULT_STATE, type ViewState } from "../graph/state.ts";
import type { LabelKind } from "../scene/words.ts";
import type { Drawn } from "../worker/protocol.ts";

export type ThemeChoice = "system" | "light" | "dark";
export type Tab = "drawing" | "table";

export interface AppState {
  readonly view: ViewState;
  readonly direction: View["direction"];
  readonly labels: readonly LabelKind[];
  readonly theme: ThemeChoice;
  /** Name of the overlay that colours the boxes. */
  readonly overlay: string | null;
  readonly tab: Tab;
  /** Key of a box. */
  readonly selected: string | null;
  readonly query: string;
  /** Which of the results was stepped to; -1 for none. */
  readonly step: number;
  readonly drawn: Drawn | null;
  /** The box that stays where it is while the drawing changes around it. */
  readonly anchor: string | null;
  /** A box to bring into sight once it is drawn. */
  readonly reveal: string | null;
  readonly outline: boolean;
  readonly panel: boolean;
  readonly problem: string | null;
  readonly said: string;
}

export const FIRST: AppState = {
  view: DEFAULT_STATE,
  direction: "TB",
  labels: ["shape", "params"],
  theme: "system",
  overlay: null,
  tab: "drawing",
  selected: null,
  query: "",
  step: -1,
  drawn: null,
  anchor: null,
  reveal: null,
  outline: true,
  panel: true,
  problem: null,
  said: "",
};

/** What two drawings side by side have in common; a view is theirs in parts. */
export const COMMON = [
  ...(["direction", "labels", "theme", "overlay", "tab", "query", "step"] as const),
  ...(["outline", "panel", "problem", "said"] as const),
] satisfies (keyof AppState)[];
export const COMMON_VIEW = ["fold", "constants", "level"] as const satisfies (keyof ViewState)[];

/** Holds a state and tells who listens. */
export class Store<State = AppState> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: State) {}

  get state(): State {
    return this.current;
  }

  set(change: Partial<State>): void {
    this.current = { ...this.current, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
