/** A coordinate as text, to a hundredth of a pixel, equal in every engine. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100); // of -0 too that is 0
}
