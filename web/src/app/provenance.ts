/** Where a graph comes from, in words: versions, how the model ran, what file it was read from. */

import type { Provenance } from "../contract/graph.ts";
import { duration, figure } from "../graph/numbers.ts";

/** What is known, each with its name; a yes is said, a no is not. */
export function known(provenance: Provenance): [name: string, text: string][] {
  return Object.entries(provenance).flatMap(([field, value]: [string, string | number | boolean | null]) =>
    value === null || value === false ? [] : [[field.replaceAll("_", " "), said(field, value)]],
  );
}

function said(field: string, value: string | number | true): string {
  if (value === true) return "yes";
  if (typeof value === "string") return value;
  if (field.startsWith("plain_")) return duration(value);
  return figure(value);
}
