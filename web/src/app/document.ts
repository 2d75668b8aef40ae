/** What the page was given: the graph, its numbers, and overlays; compressed, in the page itself. */

import type { Graph } from "../contract/graph.ts";
import type { ViewState } from "../graph/state.ts";
import type { GivenMarks } from "./marks.ts";
import type { AppState } from "./state.ts";

/** One number per call, in the order of calls; work and memory are those of the call and all inside it. */
export interface Numbers {
  readonly parameters: readonly number[];
  readonly weight_bytes: readonly number[];
  readonly flops: readonly number[];
  readonly activation_bytes: readonly number[];
  /** Time outside the modules inside, in seconds; null where it was not measured, empty where nothing was. */
  readonly own_seconds: readonly (number | null)[];
  /** The calls whose `flops` is a lower bound. */
  readonly at_least: readonly number[];
}

/** Numbers that somebody laid over the graph: pairs of call and number. */
export interface GivenOverlay {
  readonly name: string;
  /** As `s`, `B` or `%`; empty for a count or a ratio. */
  readonly unit: string;
  readonly numbers: readonly (readonly [number, number])[];
}

/** As the engine's options. */
export type GivenView = Pick<ViewState, "depth" | "expand" | "collapse" | "fold" | "constants" | "level"> &
  Pick<AppState, "direction" | "labels" | "theme" | "overlay">;

export interface Totals {
  readonly parameters: number;
  readonly trainable: number;
  readonly parameter_bytes: number;
  readonly flops: number;
  readonly activation_bytes: number;
  readonly exact: boolean;
}

export interface Extras {
  readonly numbers: Numbers;
  readonly overlays: readonly GivenOverlay[];
  readonly totals: Totals;
  readonly version: string;
  /** What is seen at first. */
  readonly view: GivenView | null;
}

/** A graph as the page holds it. */
export interface Held {
  readonly graph: Graph;
  /** The graph as it was written, for the worker. */
  readonly text: string;
  readonly extras: Extras;
}

/** How two graphs belong together. */
export interface GivenPair {
  /** Calls that belong together: of the first, and of the one beside it. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly marks: readonly [GivenMarks, GivenMarks] | null;
  readonly titles: readonly [string, string];
  /** They are versions of one thing, not a backward pass and its forward run. */
  readonly compared: boolean;
}

export interface AtlasDocument extends Held {
  /** A second graph, and what it has to do with the first. */
  readonly beside: (Held & GivenPair) | null;
}

interface Parts {
  readonly graph: string;
  readonly extras: string;
  readonly beside?: { readonly graph: string; readonly extras: string };
  readonly pair?: string;
}

/** Read the element that holds everything; each part is base64 of gzip of JSON. */
export async function readDocument(element: Element | null): Promise<AtlasDocument> {
  const held = element?.textContent?.trim() ?? "";
  if (!held.startsWith("{")) throw new Error("This page holds no network: it is the empty template.");
  const { beside, pair, ...first } = JSON.parse(held) as Parts;
  const [one, other, given] = await Promise.all([unpack(first), beside && unpack(beside), pair && inflate(pair)]);
  return { ...one, beside: other && given ? { ...other, ...(JSON.parse(given) as GivenPair) } : null };
}

async function unpack(parts: Pick<Parts, "graph" | "extras">): Promise<Held> {
  const [text, extras] = await Promise.all([inflate(parts.graph), inflate(parts.extras)]);
  return { graph: JSON.parse(text) as Graph, text, extras: JSON.parse(extras) as Extras };
}

async function inflate(packed: string): Promise<string> {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}
