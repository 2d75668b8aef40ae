/** How numbers are written, by schema/numbers.json, which the tests of Python read too. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as numbers from "../../src/graph/numbers.ts";

type Case = [number | string, string] | [number, string, string];

const golden = JSON.parse(readFileSync(new URL("../../../schema/numbers.json", import.meta.url), "utf8")) as {
  rules: Record<string, string>;
  cases: Record<string, Case[]>;
};
const WRITTEN = numbers as unknown as Record<string, (...given: unknown[]) => string>;
const SPECIAL: Record<string, number> = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const POWERS: Record<string, number> = {
  ...{ "": 1, K: 1e3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 },
};

describe.each(Object.entries(golden.cases))("a number, as %s", (kind, cases) => {
  test.each(cases)("of %s", (...one) => {
    const text = one.at(-1);
    const given = one.slice(0, -1).map((item) => (kind === "figures" ? item : (SPECIAL[item] ?? item)));
    expect(WRITTEN[kind]!(...given)).toBe(text);
  });
});

test("every way to write a number has a rule and cases", () => {
  const { all, ...rules } = golden.rules;
  expect(all).toBeDefined();
  expect(Object.keys(rules).sort()).toEqual(Object.keys(numbers).sort());
  expect(Object.keys(golden.cases).sort()).toEqual(Object.keys(numbers).sort());
});

/** Any number of a size that occurs, and those just beside the powers of ten, where roundings go wrong. */
const ANY = fc.oneof(
  fc.double({ min: -1e24, max: 1e24, noNaN: true }),
  fc.integer({ min: -2_000_000, max: 2_000_000 }),
  fc
    .tuple(fc.integer({ min: -12, max: 22 }), fc.double({ min: 0.99, max: 1.01, noNaN: true }))
    .map(([power, near]) => near * 10 ** power),
);

/** What a reader takes a text for, and the digits that stand in it. */
function read(text: string): { number: number; digits: string } {
  const [, digits, exponent = "", unit] = /^-?([\d.,]+)(e[-+]\d+)? ?([KkMGTPE]?|ms|us|ns|s)(?:B| ?%)?$/.exec(text)!;
  const plain = digits!.replaceAll(",", "");
  const sign = text.startsWith("-") ? -1 : 1;
  return { number: sign * Number(plain + exponent) * POWERS[unit!]!, digits: plain };
}

const significant = (digits: string): number => digits.replace(".", "").replace(/^0+/, "").length;

describe.each([
  ["short", 3],
  ["size", 3],
  ["duration", 3],
  ["percent", 4],
])("any number, as %s", (kind, most) => {
  const write = (number: number): string => WRITTEN[kind]!(number);

  test("has few digits, and never a thousand of what has a larger unit", () => {
    const check = (number: number): void => {
      const { digits } = read(write(number));
      expect(significant(digits)).toBeLessThanOrEqual(most);
      expect(Number(digits)).toBeLessThan(1000);
    };
    const wholeSeconds = (number: number): boolean => kind === "duration" && Math.abs(number) >= 999.5;
    fc.assert(
      fc.property(ANY, (number) => wholeSeconds(number) || check(number)),
      { numRuns: 2000 },
    );
  });

  test("is read as what it was, but for half of the last digit", () => {
    const least = kind === "percent" ? 0.05 : 0;
    fc.assert(
      fc.property(ANY, (number) => {
        const off = Math.abs(read(write(number)).number - number);
        expect(off).toBeLessThanOrEqual(Math.max(Math.abs(number) * 0.00501, least * 1.001, 1e-320));
      }),
      { numRuns: 2000 },
    );
  });

  test("is never read as less than a smaller one, and a negative one as the positive with a minus", () => {
    fc.assert(
      fc.property(ANY, ANY, (one, other) => {
        const [low, high] = [one, other].sort((a, b) => a - b).map((number) => read(write(number)).number);
        expect(low! - high!).toBeLessThanOrEqual(Math.abs(low!) * 1e-12);
        const size = Math.abs(one);
        expect(write(-size)).toBe(size === 0 ? write(0) : `-${write(size)}`);
      }),
      { numRuns: 2000 },
    );
  });
});
