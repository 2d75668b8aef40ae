/** The bundle: one file that needs nothing but the language, and draws the same bytes as the source. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { type Rollup, build } from "vite";
import { beforeAll, describe, expect, test } from "vitest";
import type { Scene } from "../src/contract/scene.ts";
import { drawScene, render } from "../src/engine.ts";
import { type Asked, asked } from "./payloads.ts";

let code = "";

beforeAll(async () => {
  const configFile = fileURLToPath(new URL("../vite.engine.config.ts", import.meta.url));
  const made = (await build({ configFile, logLevel: "error", build: { write: false } })) as Rollup.RollupOutput[];
  code = [made].flat()[0]!.output[0].code;
});

/** Draw with the bundle in a world that holds only what ECMAScript itself defines. */
function bundled(payload: string): string {
  const world = createContext({ payload });
  return String(runInContext(`${code}\ntorchatlas.render(payload)`, world));
}

describe("the bundle", () => {
  test.each<Asked>([{}, { depth: "all", fold: false, direction: "LR", theme: "dark" }, { color_by: "params" }])(
    "draws the same bytes as the source with %s",
    (view) => {
      for (const name of ["resnet18", "clip", "lstm"]) {
        const payload = JSON.stringify(asked(name, view));
        expect(bundled(payload) === render(payload), name).toBe(true);
      }
    },
  );

  test("names nothing that a bare engine lacks", () => {
    expect(code).not.toMatch(/\b(document|window|setTimeout|setInterval|queueMicrotask|Intl|process|require|fetch)\b/);
    expect(code).not.toMatch(/Math\.random|Date\b|localeCompare|toLocale/);
  });
});

test("the source uses nothing that differs from engine to engine or run to run", () => {
  const files = import.meta.glob("../src/{contract,graph,layout,scene,svg}/**/*.ts");
  expect(Object.keys(files).length).toBeGreaterThan(20);
  for (const file of Object.keys(files)) {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    expect(text, file).not.toMatch(/Math\.random|Date\.now|localeCompare|toLocale|Math\.(sin|cos|pow|exp|log)\b/);
  }
});

function drawn(name: string, view: Asked = {}): Scene {
  return drawScene(asked(name, view));
}

test("a picture is followed by its scene", () => {
  const [picture, scene] = render(JSON.stringify(asked("resnet18"))).split("</svg>\n") as [string, string];
  expect(picture).toMatch(/^<svg /);
  expect(JSON.parse(scene)).toEqual(JSON.parse(JSON.stringify(drawn("resnet18"))));
});

test("a scene tells where each box is, what is around it and whether it opens", () => {
  const { boxes } = drawn("resnet18", { depth: 2 });
  const keys = new Set(boxes.map(({ key }) => key));
  expect(boxes.filter(({ openable, open }) => openable && !open).length).toBeGreaterThanOrEqual(4);
  expect(boxes.every(({ key, width }) => key !== "" && width > 0)).toBe(true);
  expect(boxes.some(({ around }) => around !== "")).toBe(true);
  for (const { around, x, y } of boxes.filter((box) => box.around !== "")) {
    const outer = boxes.find(({ key }) => key === around)!;
    expect(outer.open && keys.has(around) && x >= outer.x && y >= outer.y).toBe(true);
  }
});

test("a scene tells which boxes each tensor joins", () => {
  const { boxes, wires } = drawn("branches");
  const keys = new Set(boxes.map(({ key }) => key));
  expect(wires.length).toBeGreaterThan(5);
  for (const { source, targets } of wires) expect([source, ...targets].every((key) => keys.has(key))).toBe(true);
  const input = boxes.find(({ key }) => key.startsWith("input:"))!.key;
  expect(wires.find(({ source }) => source === input)!.says).toMatch(/^1×3×\d+×\d+$/);
});

test("a scene has no colour but as #rrggbb, or by a name that it says", () => {
  const colours = new Set<string | null>();
  const { groups, boxes, background, inks } = drawn("clip", { theme: "dark" });
  const named = new Map(inks);
  for (const { fill, line } of boxes) [fill, line].forEach((colour) => colours.add(colour));
  for (const shape of groups.flatMap(({ shapes }) => shapes))
    if (shape.kind === "text") colours.add(shape.fill);
    else [shape.fill, shape.line].forEach((colour) => colours.add(colour));
  for (const colour of [background, ...colours])
    expect(named.get(colour ?? "") ?? colour ?? "#000000").toMatch(/^#[0-9a-f]{6}$/);
});

test("a scene says what it leaves out", () => {
  expect(drawn("llama32", { depth: 1 }).notes[0]).toBe("1 box is closed; more depth opens it");
  expect(drawn("llama32", { depth: 2 }).notes[1]).toMatch(/^\d+ calls that depend on no input or parameter hidden$/);
  expect(drawn("llama32", { depth: "all", constants: true }).notes).toEqual([]);
});

test("a model that was not run is drawn as its modules, and the picture says so", () => {
  const scene = drawn("unrun");
  const kinds = new Set(scene.groups.map((group) => group.kind));
  expect(kinds).toEqual(new Set(["frame", "box", "label"]));
  expect(scene.notes[0]).toMatch(/^not run/);
  const texts = scene.groups.flatMap(({ shapes }) =>
    shapes.flatMap((shape) => (shape.kind === "text" ? shape.text : [])),
  );
  expect(texts).toEqual(expect.arrayContaining(["layer3", "1–5", "×5", scene.notes[0]]));
});
