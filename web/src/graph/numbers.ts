/**
 * Numbers as people read them, by the rules and the cases of schema/numbers.json.
 *
 * All is done on decimal digits, rounded once from the number itself: 1,125 is 1.13K here and in Python. To divide
 * first, or to round halves to even, would tell them apart.
 */

const DIGITS = 3;
const COUNTS = ["", "K", "M", "G", "T", "P", "E"];
const BYTES = ["", "k", "M", "G", "T", "P", "E"];
/** Each with the power of ten of its second. */
const TIMES = [
  ["s", 0],
  ["ms", -3],
  ["us", -6],
  ["ns", -9],
] as const;
/** From this power of ten on there is no prefix. */
const BEYOND = 21;

/** Decimal digits, and the power of ten of the first of them: of 1125, `113` and 3. */
interface Decimal {
  readonly sign: string;
  readonly digits: string;
  readonly power: number;
}

/** All digits, in groups of three. */
export function exact(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Three significant digits and a power of a thousand: 0.5, 999, 9.41K, 25.6M. */
export function short(number: number): string {
  return scaled(number, COUNTS).join("");
}

/** Bytes with a decimal prefix: 512 B, 46.8 MB. */
export function size(bytes: number): string {
  return `${scaled(bytes, BYTES).join(" ")}B`;
}

/** A time in the unit in which it is easily read: 1.23 ms, 45.6 us. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds === 0) return `${short(seconds)} s`;
  const decimal = rounded(seconds, DIGITS);
  const { sign, digits, power } = decimal;
  if (power >= BEYOND) return `${general(decimal)} s`;
  if (power >= DIGITS) return `${sign}${exact(Math.round(Math.abs(seconds)))} s`;
  const unit = TIMES.find(([, least]) => power >= least);
  if (unit !== undefined) return `${pointed(sign, digits, power - unit[1])} ${unit[0]}`;
  return `${general({ ...decimal, power: power + 9 })} ns`;
}

/** A share of a hundred with one decimal; where that would be 0.0 of what is not zero, two significant digits. */
export function percent(share: number): string {
  const tenths = Math.abs(share).toFixed(1);
  if (!(Number(tenths) < 1000)) return `${short(share)} %`;
  if (Number(tenths) === 0 && share !== 0) return `${general(rounded(share, 2))} %`;
  return `${share < 0 ? "-" : ""}${tenths} %`;
}

/** A number with its unit: times, bytes and shares in their own way, of others the unit stands behind. */
export function quantity(number: number, unit: string): string {
  if (unit === "s") return duration(number);
  if (unit === "B") return size(number);
  if (unit === "%") return percent(number);
  return `${short(number)} ${unit}`.trimEnd();
}

/** A setting as a person would write it: `0.1` of 0.10000000149011612; more digits where few leave a whole number. */
export function figure(number: number): string {
  if (!Number.isFinite(number)) return special(number);
  if (Number.isInteger(number)) return String(number);
  const text = general(rounded(number, 6), 6);
  return Number.isInteger(Number(text)) ? general(rounded(number, 12), 12) : text;
}

/** A text, with every number of many digits in it written so; not what is a part of a name, a path or a version. */
export function figures(text: string): string {
  return text.replace(/(?<![\w.])\d+\.\d{6,}(?:e[-+]?\d+)?(?![\w.])/g, (long) => figure(Number(long)));
}

/** The digits, and the prefix of their power of a thousand. */
function scaled(number: number, prefixes: readonly string[]): [string, string] {
  if (!Number.isFinite(number)) return [special(number), ""];
  const decimal = rounded(number, DIGITS);
  const { sign, digits, power } = decimal;
  if (power < DIGITS || power >= BEYOND) return [general(decimal), ""];
  return [pointed(sign, digits, power % 3), prefixes[Math.floor(power / 3)]!];
}

/** Halves away from zero, as toExponential does it with the exact value. */
function rounded(number: number, count: number): Decimal {
  const [mantissa, power] = Math.abs(number)
    .toExponential(count - 1)
    .split("e") as [string, string];
  return { sign: number < 0 ? "-" : "", digits: mantissa.replace(".", ""), power: Number(power) };
}

/** All digits, the point after those of the power; which is not negative, nor beyond the digits. */
function pointed(sign: string, digits: string, power: number): string {
  const [whole, rest] = [digits.slice(0, power + 1), digits.slice(power + 1)];
  return sign + (rest === "" ? whole : `${whole}.${rest}`);
}

/** Without zeros at the end; with an exponent for powers below -4 and from `beyond` on, as in Python. */
function general({ sign, digits, power }: Decimal, beyond: number = DIGITS): string {
  const kept = digits.replace(/0+$/, "") || "0";
  if (power < -4 || power >= beyond) {
    const exponent = String(Math.abs(power)).padStart(2, "0");
    return `${pointed(sign, kept, 0)}e${power < 0 ? "-" : "+"}${exponent}`;
  }
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${kept}`;
  return pointed(sign, kept.padEnd(power + 1, "0"), power);
}

function special(number: number): string {
  return Number.isNaN(number) ? "nan" : number < 0 ? "-inf" : "inf";
}
