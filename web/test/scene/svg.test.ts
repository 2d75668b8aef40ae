/** SVG is safe and complete, whatever the model calls its parts. */

import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/graph.ts";
import type { Payload } from "../../src/contract/payload.ts";
import { drawScene } from "../../src/engine.ts";
import { escape, svg } from "../../src/scene/svg.ts";
import { asked, payload } from "../payloads.ts";

/** The two-branch network, its first module and input renamed. */
function renamed(name: string): Payload {
  const known = payload("branches");
  const [root, call, ...others] = known.graph.calls as [Call, Call, ...Call[]];
  const first = { ...root, arguments: { ...root.arguments, keys: [name] } };
  return { ...known, graph: { ...known.graph, calls: [first, { ...call, name, path: name }, ...others] } };
}

const HOSTILE: readonly (readonly [string, string])[] = [
  ["a script", "<script>alert(1)</script>"],
  ["quotes", `"quoted" & 'single'`],
  ["an end of a title", "</title></svg>"],
  ["a CDATA end", "]]>"],
  ["ten thousand characters", "x".repeat(10_000)],
  ["emoji", "🔥👩‍👩‍👧"],
  ["right to left", "\u202eمرحبا"],
  ["Chinese", "编码器"],
  ["control characters", "a\u0000b\u001bc\n\td"],
  ["half a character", "a\ud800b"],
];

describe.each(HOSTILE)("a name with %s", (_, name) => {
  const made = svg(drawScene(renamed(name)));

  test("keeps the SVG well formed", () => {
    expect(imbalance(made)).toEqual([]);
    expect(made).not.toMatch(/<script|[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    expect(made).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });

  test("does not make the picture wider than a shortened name needs", () => {
    expect(drawScene(renamed(name)).width).toBeLessThan(900);
  });
});

/** Tags that are not closed in order. */
function imbalance(text: string): string[] {
  const open: string[] = [];
  for (const [, end, name, self] of text.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (end) {
      if (open.pop() !== name) return [`</${name}>`];
    } else if (!self) open.push(name!);
  }
  return open;
}

test("a Chinese name is in the picture", () => {
  expect(svg(drawScene(renamed("编码器")))).toContain("编码器");
});

test("what XML forbids becomes a replacement character, marks become entities", () => {
  expect(escape("\u0000<&>\"'")).toBe("\ufffd&lt;&amp;&gt;&quot;&#39;");
});

test("each sign is written as itself, but marks and what XML forbids", () => {
  const MARKS: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const allowed = (code: number) =>
    [0x9, 0xa, 0xd].includes(code) || (code >= 0x20 && code < 0xd800) || (code > 0xdfff && code < 0xfffe);
  for (let code = 0; code <= 0xffff; code++) {
    const sign = String.fromCharCode(code);
    expect(escape(`a${sign}`)).toBe(`a${MARKS[sign] ?? (allowed(code) ? sign : "\ufffd")}`);
  }
});

test("a changed theme changes colours alone", () => {
  const drawn = (theme: "light" | "dark" | "paper"): string => svg(drawScene(asked("unet", { theme })));
  const withoutColours = (theme: "light" | "dark" | "paper"): string => drawn(theme).replace(/#[0-9a-f]{6}/g, "#");
  expect(withoutColours("dark")).toBe(withoutColours("light"));
  expect(withoutColours("paper")).toBe(withoutColours("light"));
  expect(drawn("dark")).not.toBe(drawn("light"));
});
