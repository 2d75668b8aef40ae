/** The hue of a box: the family of what it does. */

import type { Graph } from "../contract/graph.ts";
import { familyOf } from "../graph/family.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Hue } from "./theme.ts";

export function hueOf({ calls }: Graph, node: VisibleNode): Hue {
  if (node.kind === "input" || node.kind === "output" || node.kind === "constant") return "end";
  if (node.kind !== "call") return "module";
  const call = calls[node.call]!;
  return call.error !== null ? "error" : familyOf(call);
}
