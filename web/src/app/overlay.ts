/** Overlays: a number or a word per box, as colour, with a legend. */

import type { Graph } from "../contract/graph.ts";
import { duration, quantity, short, size } from "../graph/numbers.ts";
import type { VisibleNode } from "../graph/visible.ts";
import type { Tint } from "../paint/look.ts";
import type { Theme } from "../scene/theme.ts";
import type { Extras } from "./document.ts";

export interface Overlay {
  readonly name: string;
  readonly title: string;
  /** Of a call, a number or a word; null where it has none. */
  of(call: number): number | string | null;
  text(number: number): string;
  /** Are the numbers of repeats added up? Otherwise the greatest speaks for all. */
  readonly sums: boolean;
  /** Is what takes the most looked for, so that the colours never go by the logarithm? */
  readonly even?: boolean;
}

/** All overlays of a document that say something about it. */
export function overlaysOf(graph: Graph, { numbers, overlays }: Extras): Overlay[] {
  const { calls, values } = graph;
  const column = (name: string, title: string, held: readonly number[], text: (n: number) => string): Overlay => ({
    ...{ name, title, text, sums: true },
    of: (call) => held[call] ?? null,
  });
  const word = (name: string, title: string, pick: "dtype" | "device"): Overlay => ({
    ...{ name, title, text: short, sums: false },
    of: (call) => {
      const first = calls[call]!.outputs[0];
      return first === undefined ? null : values[first]![pick];
    },
  });
  const found: Overlay[] = [
    column("params", "Parameters", numbers.parameters, short),
    column("weights", "Weight bytes", numbers.weight_bytes, size),
    column("flops", "FLOPs", numbers.flops, short),
    column("activations", "Activation bytes", numbers.activation_bytes, size),
  ];
  if (calls.some((call) => call.seconds !== null)) {
    const times = { name: "time", title: "Time", text: duration, sums: true, even: true };
    found.push({ ...times, of: (call) => calls[call]!.seconds });
    const own = { name: "self_time", title: "Self time", text: duration, sums: true, even: true };
    found.push({ ...own, of: (call) => numbers.own_seconds[call] ?? null });
  }
  found.push(word("dtype", "Dtype", "dtype"), word("device", "Device", "device"));
  for (const { name, unit, numbers: given } of overlays) {
    const held = new Map(given);
    const text = (number: number): string => quantity(number, unit);
    found.push({ name: `+${name}`, title: name, text, sums: false, of: (call) => held.get(call) ?? null });
  }
  return found;
}

/** What an overlay says of a box; of repeats shown once, all of them together, or the greatest. */
export function said(overlay: Overlay, node: VisibleNode, repeats: readonly number[]): number | string | null {
  if (node.call < 0) return null;
  let found: number | null = null;
  for (const call of repeats) {
    const one = overlay.of(call);
    if (typeof one === "string") return one;
    if (one !== null) found = found === null ? one : overlay.sums ? found + one : Math.max(found, one);
  }
  return found;
}

export interface Scale {
  readonly kind: "numbers" | "words";
  readonly from: number;
  readonly to: number;
  readonly log: boolean;
  readonly words: readonly string[];
}

/** What the colours stand for, over all boxes that are shown closed. Beyond a factor of 100 they go by the logarithm. */
export function scaleOf(all: Iterable<number | string | null>, even = false): Scale {
  const words = new Set<string>();
  let [from, to, least] = [Infinity, -Infinity, Infinity];
  for (const one of all) {
    if (typeof one === "string") words.add(one);
    else if (one !== null && Number.isFinite(one)) {
      [from, to] = [Math.min(from, one), Math.max(to, one)];
      if (one > 0) least = Math.min(least, one);
    }
  }
  const log = !even && from >= 0 && to / least > 100;
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
  const part = Number.isFinite(to - from) ? 1 : 0.5;
  const [at, low, high] = [number, from, to].map((one) => (log ? Math.log(one) : one * part)) as [
    number,
    number,
    number,
  ];
  return Math.min(1, Math.max(0, (at - low) / (high - low)));
}

/** Okabe and Ito's hues, which colour-blind people can tell apart. */
const WORD_HUES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#64748b"];
const NUMBER_HUE = "#0072b2";

/** The colours of a share of 0 to 1, or of a word; strong enough to be told apart, light enough to be written on. */
export function tint(scale: Scale, theme: Theme, one: number | string): Tint {
  const paper = theme.background;
  if (typeof one === "string") {
    const hue = WORD_HUES[scale.words.indexOf(one) % WORD_HUES.length]!;
    return { fill: mix(paper, hue, 0.28), line: mix(paper, hue, 0.7), bar: hue };
  }
  const part = share(scale, one);
  const dark = isDark(theme);
  const hue = dark ? "#3d9ad6" : NUMBER_HUE;
  return {
    fill: mix(paper, hue, 0.03 + part * (dark ? 0.55 : 0.5)),
    line: mix(paper, hue, 0.35 + part * 0.45),
    bar: mix(paper, hue, 0.2 + part * 0.8),
  };
}

/** For boxes of which the overlay says nothing. */
export function blankTint(theme: Theme): Tint {
  return { fill: theme.background, line: theme.frameLine, bar: theme.frameLine };
}

export function isDark(theme: Theme): boolean {
  return parseInt(theme.background.slice(1, 3), 16) < 128;
}

/** The colour `part` of the way from one to another, both as #rrggbb. */
export function mix(from: string, to: string, part: number): string {
  const channel = (i: number): string => {
    const [a, b] = [from, to].map((text) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16));
    return Math.round(a! + (b! - a!) * part)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(1)}${channel(2)}`;
}
