/** What the page asks of the worker, and what it answers. */

import type { ViewState } from "../graph/state.ts";
import type { VisibleGraph } from "../graph/visible.ts";
import type { Scene } from "../contract/scene.ts";
import type { SceneOptions } from "../scene/scene.ts";

/** One picture to be made. */
export interface Wanted {
  readonly view: ViewState;
  readonly options: SceneOptions;
}

/** A picture and the boxes in it: `visible.nodes[i]` stands at `scene.boxes[i]`. */
export interface Drawn {
  readonly wanted: Wanted;
  readonly scene: Scene;
  readonly visible: VisibleGraph;
  /** How long it took. */
  readonly milliseconds: number;
}

export type Request = { readonly payload: string } | { readonly id: number; readonly wanted: Wanted };

export type Reply = { readonly id: number; readonly drawn: Drawn } | { readonly id: number; readonly failed: string };
