/** Numbers as people write them, and shapes. */

import type { Value } from "../contract/graph.ts";

const STEPS = ["", "K", "M", "G", "T", "P"];

/** Three significant digits and a power of a thousand: 999, 9.41K, 25.6M. */
export function short(number: number): string {
  let [value, step] = [number, 0];
  while (value >= 999.5 && step < STEPS.length - 1) [value, step] = [value / 1000, step + 1];
  if (step === 0) return String(Math.round(value));
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)}${STEPS[step]}`;
}

/** Is the shape of a value known? A file may say nothing of it: then it has no sizes, and no bytes either. */
export function isMeasured({ shape, nbytes }: Pick<Value, "shape" | "nbytes">): boolean {
  return shape.length > 0 || nbytes !== null;
}

/** Sizes joined by ×; `scalar` without any, `?` where they are not known. */
export function shapeText(value: Pick<Value, "shape" | "nbytes">): string {
  return value.shape.length > 0 ? value.shape.join("×") : isMeasured(value) ? "scalar" : "?";
}

/** Elements as they are stored: of a packed weight its numbers and scales, of a sharded one those of all ranks. */
export function elements({ shape, inner, placements }: Pick<Value, "shape" | "inner" | "placements">): number {
  const product = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);
  if (inner.length === 0 || placements.length > 0) return product(shape);
  return inner.reduce((sum, one) => sum + product(one.shape), 0);
}

/** What a weight is stored as, where that is not itself: `packs 32×64`, `Shard(0), here 8×64`, `qdata 32×64 int8`. */
export function storedText({ inner, original, placements }: Pick<Value, "inner" | "original" | "placements">): string {
  const parts = inner.map((one) => ({ ...one, size: one.shape.join("×") || "scalar" }));
  const packed = original === null ? [] : [`packs ${original.join("×") || "scalar"}`];
  if (placements.length > 0) return [...placements, ...parts.map(({ size }) => `here ${size}`)].join(", ");
  return [...packed, ...parts.map(({ name, size, dtype }) => `${name} ${size} ${dtype}`)].join(", ");
}

/** A setting as a person would write it: `0.1` of 0.10000000149011612; more digits where few leave a whole number. */
export function figure(number: number): string {
  if (Number.isInteger(number) || !Number.isFinite(number)) return String(number);
  const short = Number(number.toPrecision(6));
  const best = Number.isInteger(short) ? Number(number.toPrecision(12)) : short;
  return Math.abs(best) < 1e-4 ? best.toExponential().replace(/e-(\d)$/, "e-0$1") : String(best);
}

/** A text, with every number of many digits in it written so; not what is a part of a name, a path or a version. */
export function figures(text: string): string {
  return text.replace(/(?<![\w.])\d+\.\d{6,}(?:e[-+]?\d+)?(?![\w.])/g, (long) => figure(Number(long)));
}
