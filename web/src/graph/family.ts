/** Families of operations: what shares a hue in the drawing. The rule of `torchatlas/core/operators/families.py`. */

import type { Call } from "../contract/graph.ts";
import { FAMILIES, type Family, MOVEMENT } from "../contract/operators.ts";
import { shortName } from "./names.ts";

export type { Family };

const cache = new Map<string, Family>();

/** What shares a hue with a call, by its name without a count; a backward does with its forward. */
export function familyOf(call: Call): Family {
  const { kind, name } = call;
  const key = `${kind} ${name}`;
  let family = cache.get(key);
  if (!family) {
    family = decide(kind, kind === "group" ? name : shortName(call));
    if (cache.size < 10000) cache.set(key, family);
  }
  return family;
}

function decide(kind: Call["kind"], name: string): Family {
  if (kind === "saved") return "saved";
  const isFunction = kind === "function" || kind === "aten" || kind === "backward";
  const joined = name.replace(/_/g, "").toLowerCase();
  const word = isFunction ? joined.split("backward")[0]! : joined;
  for (const [family, functions, classes] of FAMILIES) if ((isFunction ? functions : classes).test(word)) return family;
  if (MOVEMENT.has(word)) return "movement";
  return kind === "module" || kind === "group" ? "module" : "arithmetic";
}
