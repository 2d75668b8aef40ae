/** A coordinate as text, to a hundredth of a pixel, equal in every engine. */
export function coordinate(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return Object.is(rounded, -0) ? "0" : String(rounded);
}
