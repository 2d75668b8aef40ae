/** The captured networks, by name. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Graph } from "../src/contract/graph.ts";
import type { Payload, View } from "../src/contract/payload.ts";

export const NETWORKS = [
  "branches",
  "resnet18",
  "bottleneck",
  "dense_block",
  "inception",
  "unet",
  "lstm",
  "seq2seq",
  "llama32",
  "clip",
  "shared",
  "messages",
  "ramps",
  "failing",
  "unrun",
] as const;

/** How a picture is asked for in tests; `depth` may be "all". */
export type Asked = Partial<Omit<View, "depth">> & { readonly depth?: number | "all" | null };

export function payload(name: string): Payload {
  return JSON.parse(
    gunzipSync(readFileSync(new URL(`fixtures/${name}.json.gz`, import.meta.url))).toString(),
  ) as Payload;
}

export function network(name: string): Graph {
  return payload(name).graph;
}

/** What is asked of the engine. */
export function asked(given: Payload | string, { depth = null, ...view }: Asked = {}): Payload {
  const known = typeof given === "string" ? payload(given) : given;
  return { ...known, view: { ...known.view, ...view, depth: depth === "all" ? 1e6 : depth } };
}

/** A graph of which nothing is counted. */
export function uncounted(graph: Graph): Payload {
  return { ...payload("branches"), graph, measures: [] };
}
