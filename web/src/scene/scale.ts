/** Where a number lies among others, and which words occur: what colours stand for. */

import { log2 } from "./logarithm.ts";

export type Datum = number | string | null;

export interface Scale {
  readonly kind: "numbers" | "words";
  readonly from: number;
  readonly to: number;
  readonly log: boolean;
  readonly words: readonly string[];
}

/** Numbers that differ by a larger factor are told apart by their logarithms. */
const WIDE = 100;

/** The scale of what is said of all closed boxes; `linear` never goes by the logarithm. */
export function scaleOf(all: Iterable<Datum>, linear = false): Scale {
  const words = new Set<string>();
  let [from, to, least] = [Infinity, -Infinity, Infinity];
  for (const one of all) {
    if (typeof one === "string") words.add(one);
    else if (one !== null && Number.isFinite(one)) {
      [from, to] = [Math.min(from, one), Math.max(to, one)];
      if (one > 0) least = Math.min(least, one);
    }
  }
  const log = !linear && from >= 0 && to / least > WIDE;
  const kind = words.size > 0 ? "words" : "numbers";
  return {
    kind,
    log,
    words: [...words].sort(),
    from: log ? least : Number.isFinite(from) ? from : 0,
    to: Number.isFinite(to) ? to : 0,
  };
}

/** Where a number lies between the least and the greatest, from 0 to 1. */
export function share({ from, to, log }: Scale, number: number): number {
  if (log && number <= 0) return 0;
  if (to <= from) return 1;
  if (log) return within((log2(number) - log2(from)) / (log2(to) - log2(from)));
  const part = Number.isFinite(to - from) ? 1 : 0.5;
  return within((number * part - from * part) / (to * part - from * part));
}

function within(part: number): number {
  return Math.min(1, Math.max(0, part));
}
