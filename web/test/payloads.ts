/** The captured networks, by name. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Graph } from "../src/contract/graph.ts";

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
  "failing",
  "unrun",
] as const;

export function payloadText(name: string): string {
  return gunzipSync(readFileSync(new URL(`fixtures/${name}.json.gz`, import.meta.url))).toString();
}

export function payload(name: string): Graph {
  return JSON.parse(payloadText(name)) as Graph;
}
