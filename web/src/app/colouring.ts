/** An overlay applied to the boxes that are shown. */

import type { Tint } from "../paint/look.ts";
import { THEMES } from "../scene/theme.ts";
import type { Drawn } from "../worker/protocol.ts";
import { type Model, repeatsOf } from "./model.ts";
import { type Overlay, type Scale, said, scaleOf, tint } from "./overlay.ts";

export interface Colouring {
  readonly overlay: Overlay;
  readonly scale: Scale;
  readonly tints: ReadonlyMap<string, Tint>;
  readonly theme: "light" | "dark";
}

export function colouring(
  model: Model,
  drawn: Drawn | null,
  name: string | null,
  theme: "light" | "dark",
): Colouring | null {
  const overlay = model.overlays.find((each) => each.name === name);
  if (!drawn || !overlay) return null;
  const all = new Map<string, number | string | null>();
  for (const node of drawn.visible.nodes)
    if (!node.open) all.set(node.key, said(overlay, node, repeatsOf(model, node)));
  const scale = scaleOf(all.values());
  const tints = new Map<string, Tint>();
  // Nothing is a number like others to an overlay that was laid over the graph.
  const given = overlay.name.startsWith("+");
  for (const [key, one] of all)
    if (one !== null && (one !== 0 || given)) tints.set(key, tint(scale, THEMES[theme], one));
  return { overlay, scale, tints, theme };
}
