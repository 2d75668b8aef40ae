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

/** A drawing and what is known of its graph. */
export interface Shown {
  readonly model: Model;
  readonly drawn: Drawn | null;
}

/** Colours mean the same in the drawing `beside` this one. */
export function colouring(
  model: Model,
  drawn: Drawn | null,
  name: string | null,
  theme: "light" | "dark",
  beside: Shown | null = null,
): Colouring | null {
  const overlay = model.overlays.find((each) => each.name === name);
  if (!drawn || !overlay) return null;
  const all = saidOfClosed(model, drawn, overlay);
  const other = beside?.model.overlays.find((each) => each.name === name);
  const others = other && beside?.drawn ? saidOfClosed(beside.model, beside.drawn, other) : NOTHING;
  const scale = scaleOf([...all.values(), ...others.values()], overlay.even);
  const tints = new Map<string, Tint>();
  // Nothing is a number like others to an overlay that was laid over the graph.
  const given = overlay.name.startsWith("+");
  for (const [key, one] of all)
    if (one !== null && (one !== 0 || given)) tints.set(key, tint(scale, THEMES[theme], one));
  return { overlay, scale, tints, theme };
}

type Said = ReadonlyMap<string, number | string | null>;

const NOTHING: Said = new Map();

function saidOfClosed(model: Model, { visible }: Drawn, overlay: Overlay): Said {
  const closed = visible.nodes.filter(({ open }) => !open);
  return new Map(closed.map((node) => [node.key, said(overlay, node, repeatsOf(model, node))]));
}
