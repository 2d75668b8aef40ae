/** Widths of text in the shipped font, the same wherever the picture is made. */

import { BOLD, REGULAR, type Runs, UNITS } from "./widths.ts";

export interface Font {
  /** In pixels. */
  readonly size: number;
  readonly bold: boolean;
}

/** What text is written in: the shipped font, and those as wide as it where it is not there. */
export const FONTS = "Atlas Sans, Liberation Sans, Arial, Helvetica, sans-serif";

/** Texts whose width is remembered, most: the same few shapes and class names stand all over a picture. */
const REMEMBERED = 10_000;

const TABLES = { regular: table(REGULAR), bold: table(BOLD) };

interface Table {
  readonly widthOf: ReadonlyMap<number, number>;
  /** Widths of whole texts, in font units. */
  readonly known: Map<string, number>;
}

function table(runs: Runs): Table {
  const widthOf = new Map<number, number>();
  for (const [first, widths] of runs) widths.forEach((width, i) => widthOf.set(first + i, width));
  return { widthOf, known: new Map() };
}

/** The width of a text in pixels; a character that the font lacks counts as wide as it is high. */
export function textWidth(text: string, { size, bold }: Font): number {
  const { widthOf, known } = bold ? TABLES.bold : TABLES.regular;
  let units = known.get(text);
  if (units === undefined) {
    units = 0;
    for (const sign of text) units += widthOf.get(sign.codePointAt(0)!) ?? UNITS;
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, units);
  }
  return (units * size) / UNITS;
}

/** Cut a text that is too wide, in its middle, where names differ least. */
export function shorten(text: string, font: Font, width: number): string {
  if (text.length <= 4 || textWidth(text, font) <= width) return text;
  const signs = [...text.slice(0, 4000)];
  let [low, high] = [1, signs.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(cutTo(signs, middle), font) <= width) low = middle;
    else high = middle - 1;
  }
  return cutTo(signs, low);
}

function cutTo(signs: readonly string[], keep: number): string {
  const tail = keep >> 1;
  return `${signs.slice(0, keep - tail).join("")}…${tail > 0 ? signs.slice(-tail).join("") : ""}`;
}

/** A text in one line: line breaks and other control characters would break it. */
export function clean(text: string): string {
  return text.slice(0, 4000).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]+/gu, " ");
}
