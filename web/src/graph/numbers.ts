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
