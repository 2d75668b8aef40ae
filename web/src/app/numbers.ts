/** Numbers for people. */

import { short } from "../graph/numbers.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes with three significant digits: 512 B, 1.50 KiB. */
export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return unit === 0 ? `${count} B` : `${value.toPrecision(3)} ${UNITS[unit]}`;
}

/** Seconds in a unit in which they are easily read. */
export function seconds(time: number): string {
  const size = Math.abs(time);
  if (size >= 1 || size === 0) return `${time.toPrecision(3)} s`;
  return size >= 1e-3 ? `${(time * 1e3).toPrecision(3)} ms` : `${(time * 1e6).toPrecision(3)} µs`;
}

/** Any number: whole ones short, others with three significant digits. */
export function plain(number: number): string {
  const whole = Number.isInteger(number) || Math.abs(number) >= 1000;
  return whole ? (number < 0 ? `-${short(-number)}` : short(number)) : String(Number(number.toPrecision(3)));
}

/** A number of an overlay, by its unit. */
export function measured(unit: string): (number: number) => string {
  if (unit === "s") return seconds;
  if (unit === "B") return (count) => (count < 0 ? `-${bytes(-count)}` : bytes(count));
  if (unit === "%") return (share) => `${Math.abs(share) < 0.05 ? plain(share) : share.toFixed(1)} %`;
  return unit === "" ? plain : (number) => `${plain(number)} ${unit}`;
}

/** In full, in groups of three digits. */
export function exact(number: number): string {
  return number.toLocaleString("en-US");
}
