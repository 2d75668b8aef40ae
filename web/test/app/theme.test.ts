/** The colours of the page are those of the drawing in it. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ACCENTS } from "../../src/app/theme.ts";
import { THEMES } from "../../src/scene/theme.ts";

const css = readFileSync(new URL("../../src/app/page.css", import.meta.url), "utf8");

/** The colours that a rule gives names to. */
function named(selector: string): Record<string, string> {
  const rule = css.slice(css.indexOf(`${selector} {`)).split("}")[0]!;
  return Object.fromEntries([...rule.matchAll(/--(\w+): (#\w+);/g)].map(([, name, colour]) => [name!, colour!]));
}

test.each([
  ["light", ":root"],
  ["dark", ':root[data-theme="dark"]'],
] as const)("in the %s theme the page has the paper, the text and the accent of the drawing", (name, selector) => {
  const { background, frame, text, dim } = THEMES[name];
  expect(named(selector)).toMatchObject({ paper: background, raised: frame, text, dim, accent: ACCENTS[name] });
});
