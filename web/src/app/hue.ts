/** The hue of a box: the family of what it does. */

import { shortName } from "../graph/names.ts";
import { familyOf } from "../graph/family.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Hue } from "../scene/theme.ts";
import type { Model } from "./model.ts";

export function hueOf({ graph }: Model, node: VisibleNode): Hue {
  if (node.kind === "input" || node.kind === "output" || node.kind === "constant") return "end";
  if (node.kind !== "call") return "module";
  const call = graph.calls[node.call]!;
  if (call.error !== null) return "error";
  return familyOf(call, shortName(call));
}
