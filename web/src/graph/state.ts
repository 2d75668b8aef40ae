/** What the reader has opened, closed and asked to see. */

import type { Level } from "./calls.ts";

/**
 * Boxes are named by key (`#12` is call 12) or by module path (`layer4.0`), which means every call of that module, or by the name of groups.
 */
export interface ViewState {
  /** Levels of boxes shown open below the model; null chooses what fits on a page, Infinity opens everything. */
  depth: number | null;
  /** Opened although `depth` would leave them closed. */
  expand: readonly string[];
  /** Closed although `depth` would open them. */
  collapse: readonly string[];
  /** Show repeats once, with their count. */
  fold: boolean;
  /** Keys of folds whose repeats are all shown (`#12x`), or of one repeat, from 0, that is shown apart (`#12x3`). */
  unfold: readonly string[];
  /** Show what depends on no input and no parameter. */
  constants: boolean;
  level: Level;
}

export const DEFAULT_STATE: ViewState = {
  depth: null,
  expand: [],
  collapse: [],
  fold: true,
  unfold: [],
  constants: false,
  level: "op",
};
