/** Shapes of tensors, as people write them. */

import type { Value } from "../contract/graph.ts";

/** Is the shape of a value known? A file may say nothing of it: then it has no sizes, and no bytes either. */
export function isMeasured({ shape, nbytes }: Pick<Value, "shape" | "nbytes">): boolean {
  return shape.length > 0 || nbytes !== null;
}

/** Sizes joined by ×; `scalar` without any, `?` where they are not known. */
export function shapeText(value: Pick<Value, "shape" | "nbytes">): string {
  return value.shape.length > 0 ? value.shape.join("×") : isMeasured(value) ? "scalar" : "?";
}

/** What a weight is stored as, where that is not itself: `packs 32×64`, `Shard(0), here 8×64`, `qdata 32×64 int8`. */
export function storedText({ inner, original, placements }: Pick<Value, "inner" | "original" | "placements">): string {
  const parts = inner.map((one) => ({ ...one, size: one.shape.join("×") || "scalar" }));
  const packed = original === null ? [] : [`packs ${original.join("×") || "scalar"}`];
  if (placements.length > 0) return [...placements, ...parts.map(({ size }) => `here ${size}`)].join(", ");
  return [...packed, ...parts.map(({ name, size, dtype }) => `${name} ${size} ${dtype}`)].join(", ");
}
