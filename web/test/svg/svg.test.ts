/** SVG is safe and complete, whatever the model calls its parts. */

import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/contract/graph.ts";
import { drawScene } from "../../src/engine.ts";
import { escape, svg } from "../../src/svg/svg.ts";
import { payload } from "../payloads.ts";

/** The two-branch network, its first module and input renamed. */
function renamed(name: string): Graph {
  const graph = payload("branches");
  const call = graph.calls[1]!;
  const root = graph.calls[0]!;
  graph.calls[1] = { ...call, name, path: name };
  graph.calls[0] = { ...root, arguments: { ...root.arguments, keys: [name] } };
  return graph;
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
  const made = svg(drawScene(renamed(name)), "light");

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
  expect(svg(drawScene(renamed("编码器")), "light")).toContain("编码器");
});

test("what XML forbids becomes a replacement character, marks become entities", () => {
  expect(escape("\u0000<&>\"'")).toBe("\ufffd&lt;&amp;&gt;&quot;&#39;");
});

test("a changed theme changes colours alone", () => {
  const scene = drawScene(payload("unet"));
  const withoutColours = (theme: "light" | "dark" | "paper"): string => svg(scene, theme).replace(/#[0-9a-f]{6}/g, "#");
  expect(withoutColours("dark")).toBe(withoutColours("light"));
  expect(withoutColours("paper")).toBe(withoutColours("light"));
  expect(svg(scene, "dark")).not.toBe(svg(scene, "light"));
});
