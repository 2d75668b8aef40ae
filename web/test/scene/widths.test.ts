/** The width table says what the shipped font says. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { textWidth } from "../../src/scene/measure.ts";

/** Advance widths in ems of the characters of a TrueType font. Source: the OpenType specification, 1.9. */
function advances(file: URL): Map<number, number> {
  const bytes = readFileSync(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<string, number>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const entry = 12 + 16 * i;
    tables.set(bytes.toString("latin1", entry, entry + 4), view.getUint32(entry + 8));
  }
  const units = view.getUint16(tables.get("head")! + 18);
  const metrics = view.getUint16(tables.get("hhea")! + 34);
  const width = (glyph: number): number =>
    view.getUint16(tables.get("hmtx")! + 4 * Math.min(glyph, metrics - 1)) / units;
  return new Map([...glyphs(view, tables.get("cmap")!)].map(([code, glyph]) => [code, width(glyph)]));
}

/** Character to glyph, from the table's subtable of format 4. */
function glyphs(view: DataView, cmap: number): Map<number, number> {
  const starts = Array.from({ length: view.getUint16(cmap + 2) }, (_, i) => cmap + view.getUint32(cmap + 8 + 8 * i));
  const at = starts.find((start) => view.getUint16(start) === 4)!;
  const count = view.getUint16(at + 6) / 2;
  const found = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const [end, start] = [view.getUint16(at + 14 + 2 * i), view.getUint16(at + 16 + 2 * (count + i))];
    const delta = view.getInt16(at + 16 + 2 * (2 * count + i));
    const range = at + 16 + 2 * (3 * count + i);
    const offset = view.getUint16(range);
    for (let code = start; code <= end && code < 0xffff; code++) {
      const glyph = offset === 0 ? code : view.getUint16(range + offset + 2 * (code - start));
      if (glyph !== 0) found.set(code, (glyph + delta) & 0xffff);
    }
  }
  return found;
}

test.each([
  ["Regular", false],
  ["Bold", true],
])("%s: every character that it has, and at least Latin", (style, bold) => {
  const found = advances(new URL(`../../font/AtlasSans-${style}.ttf`, import.meta.url));
  expect(found.size).toBeGreaterThan(300);
  for (const code of [0x20, 0x41, 0x7e, 0xe9, 0x151, 0xd7, 0x2026, 0x2192]) expect(found.has(code)).toBe(true);
  for (const [code, width] of found) {
    expect(textWidth(String.fromCodePoint(code), { size: 1, bold }), `U+${code.toString(16)}`).toBeCloseTo(width, 6);
  }
});
