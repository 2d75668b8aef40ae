/** The bundle: one file that needs nothing but the language, and draws the same bytes as the source. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { type Rollup, build } from "vite";
import { beforeAll, describe, expect, test } from "vitest";
import type { Graph } from "../src/contract/graph.ts";
import { drawScene, render } from "../src/engine.ts";
import { THEMES } from "../src/scene/theme.ts";
import { svg } from "../src/svg/svg.ts";
import { payloadText } from "./payloads.ts";

let code = "";

beforeAll(async () => {
  const configFile = fileURLToPath(new URL("../vite.engine.config.ts", import.meta.url));
  const made = (await build({ configFile, logLevel: "error", build: { write: false } })) as Rollup.RollupOutput[];
  code = [made].flat()[0]!.output[0].code;
});

/** Draw with the bundle in a world that holds only what ECMAScript itself defines. */
function bundled(payload: string, options: string): string {
  const world = createContext({ payload, options });
  return String(runInContext(`${code}\ntorchatlas.render(payload, options)`, world));
}

describe("the bundle", () => {
  test.each(["{}", '{"depth":"all","fold":false,"direction":"LR","theme":"dark"}', '{"format":"scene"}'])(
    "draws the same bytes as the source with options %s",
    (options) => {
      for (const name of ["resnet18", "clip", "lstm"]) {
        const payload = payloadText(name);
        expect(bundled(payload, options) === render(payload, options), name).toBe(true);
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

test("a scene tells where each box is and whether it opens", () => {
  const scene = JSON.parse(render(payloadText("resnet18"), '{"format":"scene","depth":1}')) as {
    places: { key: string; open: boolean; openable: boolean; width: number }[];
  };
  const layers = scene.boxes.filter((place) => place.openable && !place.open);
  expect(layers.length).toBeGreaterThanOrEqual(4);
  expect(scene.boxes.every((place) => place.key !== "" && place.width > 0)).toBe(true);
});

test("a scene says what it leaves out", () => {
  const notes = (options: string): string[] =>
    (JSON.parse(render(payloadText("llama32"), options)) as { notes: string[] }).notes;
  expect(notes('{"format":"scene","depth":1}')[0]).toBe("1 box is closed; more depth opens it");
  expect(notes('{"format":"scene","depth":2}')[1]).toMatch(/^\d+ calls that depend on no input or parameter hidden$/);
  expect(notes('{"format":"scene","depth":"all","constants":true}')).toEqual([]);
});

test("a model that was not run is drawn as its modules, and the picture says so", () => {
  const scene = drawScene(JSON.parse(payloadText("unrun")) as Graph);
  const kinds = new Set(scene.groups.map((group) => group.kind));
  expect(kinds).toEqual(new Set(["frame", "box", "label"]));
  expect(scene.notes[0]).toMatch(/^not run/);
  const texts = scene.groups.flatMap(({ shapes }) =>
    shapes.flatMap((shape) => (shape.kind === "text" ? shape.text : [])),
  );
  expect(texts).toEqual(expect.arrayContaining(["layer3", "1–5", "×5", scene.notes[0]]));
});

test("a theme of one's own colours the picture", () => {
  const scene = drawScene(JSON.parse(payloadText("branches")) as Graph);
  const own = Object.fromEntries(Object.keys(THEMES.light).map((token) => [token, "#123456"])) as typeof THEMES.light;
  expect(new Set(svg(scene, own).match(/#[0-9a-f]{6}/g))).toEqual(new Set(["#123456"]));
});
