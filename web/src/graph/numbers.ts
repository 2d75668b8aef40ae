/** Numbers as people write them, and shapes. */

const STEPS = ["", "K", "M", "G", "T", "P"];

/** Three significant digits and a power of a thousand: 999, 9.41K, 25.6M. */
export function short(number: number): string {
  let [value, step] = [number, 0];
  while (value >= 999.5 && step < STEPS.length - 1) [value, step] = [value / 1000, step + 1];
  if (step === 0) return String(Math.round(value));
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)}${STEPS[step]}`;
}

/** Sizes joined by ×; `scalar` without any. */
export function shapeText(shape: readonly number[]): string {
  return shape.length > 0 ? shape.join("×") : "scalar";
}
