/** Text is measured with the widths of the shipped font. */

import { describe, expect, test } from "vitest";
import { shorten, textWidth } from "../../src/scene/measure.ts";

const FONT = { size: 10, bold: false };

describe("textWidth", () => {
  test.each([
    ["", 0],
    [" ", 2.78],
    ["i", 2.22],
    ["W", 9.44],
    ["Conv2d", 34.46],
    ["64×64", 28.08],
  ])("of %j is Helvetica's", (text, width) => {
    expect(textWidth(text, FONT)).toBeCloseTo(width, 1);
  });

  test("counts a character that the font lacks as a square", () => {
    expect(textWidth("编", FONT)).toBe(10);
    expect(textWidth("🔥", FONT)).toBe(10);
  });

  test("bold is wider", () => {
    expect(textWidth("Linear", { ...FONT, bold: true })).toBeGreaterThan(textWidth("Linear", FONT));
  });
});

describe("shorten", () => {
  test("leaves what fits", () => {
    expect(shorten("encoder.layer.11", FONT, 100)).toBe("encoder.layer.11");
  });

  test("keeps both ends of what does not, and fits", () => {
    const cut = shorten("encoder.layers.11.self_attention.output.dense", FONT, 100);
    expect(cut).toMatch(/^encoder.*….*dense$/);
    expect(textWidth(cut, FONT)).toBeLessThanOrEqual(100);
  });

  test("does not cut through a surrogate pair", () => {
    expect(shorten("🔥".repeat(50), FONT, 60)).toMatch(/^(🔥)+…(🔥)*$/u);
  });
});
