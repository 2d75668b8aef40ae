/** What the page was given: graphs with all that is said of them, compressed, in the page itself. */

import type { Payload } from "../contract/payload.ts";

export interface Totals {
  readonly parameters: number;
  readonly trainable: number;
  readonly parameter_bytes: number;
  readonly flops: number;
  readonly activation_bytes: number;
  readonly exact: boolean;
}

/** What is said of the graph as a whole. */
export interface About {
  readonly totals: Totals;
  readonly version: string;
}

/** A graph as the page holds it. */
export interface Held {
  readonly payload: Payload;
  /** The payload as it was written, for the worker. */
  readonly text: string;
  readonly about: About;
}

/** How two graphs belong together. */
export interface GivenPair {
  /** Calls that belong together: of the first, and of the one beside it. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly titles: readonly [string, string];
  /** They are versions of one thing, not a backward pass and its forward run. */
  readonly compared: boolean;
}

export interface AtlasDocument extends Held {
  /** A second graph, and what it has to do with the first. */
  readonly beside: (Held & GivenPair) | null;
}

interface Parts {
  readonly payload: string;
  readonly about: About;
}

interface Whole extends Parts {
  readonly beside?: Parts;
  readonly pair?: GivenPair;
}

/** Read the element that holds everything; a payload is base64 of gzip of JSON. */
export async function readDocument(element: Element | null): Promise<AtlasDocument> {
  const held = element?.textContent?.trim() ?? "";
  if (!held.startsWith("{")) throw new Error("This page holds no network: it is the empty template.");
  const { beside, pair, ...first } = JSON.parse(held) as Whole;
  const [one, other] = await Promise.all([unpack(first), beside && unpack(beside)]);
  return { ...one, beside: other && pair ? { ...other, ...pair } : null };
}

async function unpack({ payload, about }: Parts): Promise<Held> {
  const text = await inflate(payload);
  return { payload: JSON.parse(text) as Payload, text, about };
}

async function inflate(packed: string): Promise<string> {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}
