import { describe, expect, test } from "vitest";
import { drawScene } from "../../src/engine.ts";
import type { Measure } from "../../src/contract/payload.ts";
import type { Legend, Scene } from "../../src/contract/scene.ts";
import { measuredView } from "../../src/app/model.ts";
import { repeatsOf } from "../../src/graph/repeats.ts";
import { DEFAULT_STATE } from "../../src/graph/state.ts";
import { isDark, mix } from "../../src/scene/hex.ts";
import { coloursOf, valueOfBox } from "../../src/scene/colours.ts";
import { legendOf } from "../../src/scene/legend.ts";
import { log2 } from "../../src/scene/logarithm.ts";
import { scaleOf, share } from "../../src/scene/scale.ts";
import { THEMES } from "../../src/scene/theme.ts";
import { blankTint, tint, worn } from "../../src/scene/tint.ts";
import { drafter } from "../../src/worker/drafter.ts";
import { measureOf, modelFor } from "../app/model.ts";
import { asked, payload } from "../payloads.ts";

/** Contrast of two colours: WCAG 2.2, relative luminance. */
function contrast(one: string, two: string): number {
  const light = (colour: string): number => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const [a, b] = [light(one), light(two)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const model = modelFor("resnet152");
const drawn = drafter(model.payload, model)({ view: DEFAULT_STATE, options: { direction: "TB", labels: [] } });
const fold = drawn.visible.nodes.find(({ repeat }) => repeat?.count === 35)!;
const calls = repeatsOf(model.indexed, fold);

/** The network drawn, coloured by one measure of these values. */
function coloured(name: string, values: Measure["values"], more: Partial<Measure> = {}, view = {}): Scene {
  const known = payload(name);
  const measures = [...known.measures, measureOf("heat", values, more)];
  return drawScene(asked({ ...known, measures }, { ...view, color_by: "heat" }));
}

describe("what a measure says of a box", () => {
  test("that stands for repeats is the sum of theirs, or the most of them", () => {
    expect(calls.map((call) => model.graph.calls[call]!.path)).toEqual(
      Array.from({ length: 35 }, (_, i) => `layer3.${i + 1}`),
    );
    const values = model.graph.calls.map(({ id }) => id);
    const sum = calls.reduce((all, call) => all + call, 0);
    expect(valueOfBox(measureOf("x", values), model.indexed, fold)).toBe(sum);
    expect(valueOfBox(measureOf("x", values, { aggregate: "max" }), model.indexed, fold)).toBe(Math.max(...calls));
  });

  test("that stands for itself is its own number, and that of one call of several is not theirs", () => {
    const values = model.graph.calls.map(({ id }) => 1000 + id);
    const single = drawn.visible.nodes.filter(({ kind, repeat }) => kind === "call" && repeat === null);
    expect(single.length).toBeGreaterThan(3);
    for (const node of single) expect(valueOfBox(measureOf("x", values), model.indexed, node)).toBe(1000 + node.call);
  });

  test("of a loop counts the weights that all turns share once, and their work each time", () => {
    const lstm = modelFor("lstm");
    const { visible } = drafter(
      lstm.payload,
      lstm,
    )({ view: { ...DEFAULT_STATE, depth: 3 }, options: { direction: "TB", labels: [] } });
    const loop = visible.nodes.find(({ repeat }) => repeat?.loop)!;
    const ones = lstm.graph.calls.map(() => 1);
    const all = valueOfBox(measureOf("x", ones), lstm.indexed, loop)! as number;
    expect(loop.repeat!.count).toBeGreaterThan(1);
    expect(all).toBe(repeatsOf(lstm.indexed, loop).length);
    expect(valueOfBox(measureOf("x", ones, { of_weights: true }), lstm.indexed, loop)).toBe(all / loop.repeat!.count);
  });

  test("that is nothing is a number only where it was given", () => {
    const zeros = model.graph.calls.map(() => 0);
    const colours = (overlay: boolean) =>
      coloursOf({ ...measuredView(model, drawn), measures: [measureOf("x", zeros, { overlay })] }, "x", "light")!;
    expect(colours(true).tints.has(fold.key)).toBe(true);
    expect(colours(false).tints.size).toBe(0);
    expect(coloursOf(measuredView(model, drawn), "unheard of", "light")).toBeNull();
  });
});

describe("a scale", () => {
  test("goes from the least to the greatest, by the logarithm where they are far apart", () => {
    const near = scaleOf([2, 4, null]);
    expect([near.log, share(near, 2), share(near, 3), share(near, 4)]).toEqual([false, 0, 0.5, 1]);
    const far = scaleOf([1, 100, 10000]);
    expect([far.log, share(far, 100)]).toEqual([true, 0.5]);
    expect(share(scaleOf([0, 0]), 0)).toBe(1);
    expect(share(scaleOf([5e-324, 1e308, 0]), 1e308)).toBe(1);
    expect(share(scaleOf([-1e308, 1e308]), 0)).toBe(0.5);
    expect(scaleOf([-5, 5]).log).toBe(false);
    expect(scaleOf([1, 10000], true).log).toBe(false);
  });

  test("goes by the logarithm beyond a factor of a hundred, and not at it", () => {
    expect([scaleOf([1, 100]).log, scaleOf([1, 101]).log]).toEqual([false, true]);
    expect([scaleOf([0, 1, 100]).log, scaleOf([0, 1, 101]).log]).toEqual([false, true]);
  });

  test("knows logarithms as well as the engine does", () => {
    for (const number of [1, 2, 3, 12, 0.1, 1e-300, 5e-324, 1e308, 123456789]) {
      const known = Math.log2(number);
      expect(Math.abs(log2(number) - known)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(known)));
    }
  });
});

describe("colours", () => {
  test("can be written on, in every theme", () => {
    const numbers = scaleOf([0, 1]);
    const words = scaleOf(["a", "b", "c", "d", "e", "f", "g", "h"]);
    for (const name of ["light", "dark", "paper"] as const) {
      const theme = THEMES[name];
      for (let i = 0; i <= 20; i++)
        expect(contrast(tint(numbers, theme, i / 20).fill, theme.text)).toBeGreaterThan(4.5);
      for (const word of words.words) expect(contrast(tint(words, theme, word).fill, theme.text)).toBeGreaterThan(4.5);
      expect(contrast(blankTint(theme).fill, theme.text)).toBeGreaterThan(4.5);
    }
  });

  test("of numbers stand out from dark paper as from light", () => {
    for (const name of ["light", "dark"] as const) {
      const theme = THEMES[name];
      const most = tint(scaleOf([0, 1]), theme, 1);
      expect(isDark(theme.background)).toBe(name === "dark");
      expect(contrast(most.fill, theme.background)).toBeGreaterThan(1.7);
      expect(contrast(most.bar, theme.background)).toBeGreaterThan(4.5);
    }
  });

  test("mix evenly", () => {
    expect(mix("#000000", "#ffffff", 0)).toBe("#000000");
    expect(mix("#000000", "#fefefe", 0.5)).toBe("#7f7f7f");
  });

  test("leave inputs, outputs and what failed as they are", () => {
    const hot = tint(scaleOf([0, 1]), THEMES.light, 1);
    expect(worn(hot, "convolution.fill")).toBe(hot.fill);
    expect([worn(hot, "error.bar"), worn(hot, "end.fill"), worn(hot, "wire")]).toEqual([
      "error.bar",
      "end.fill",
      "wire",
    ]);
    const failing = payload("failing");
    const plain = drawScene(asked(failing)).groups;
    const dyed = coloured(
      "failing",
      failing.graph.calls.map(() => 1),
    ).groups;
    const failed = (group: (typeof plain)[number]): boolean => group.key === `#${failing.graph.error}`;
    expect(dyed.find(failed)).toEqual(plain.find(failed));
    const input = ({ key }: (typeof plain)[number]): boolean => key.startsWith("input:");
    expect(dyed.find(input)).toEqual(plain.find(input));
  });
});

describe("a legend", () => {
  const texts = ({ samples }: Legend): string[] => samples.map(({ text }) => text).filter(Boolean);

  test("says the least and the greatest, with units, and that it goes by the logarithm", () => {
    const bytes = measureOf("weights", [], { unit: "B", title: "Weight bytes" });
    const legend = legendOf(bytes, scaleOf([1000, 4_000_000]), THEMES.light);
    expect([legend.title, legend.note, texts(legend)]).toEqual(["Weight bytes", "logarithmic", ["1.00 kB", "4.00 MB"]]);
    expect(legendOf(bytes, scaleOf([1000, 2000]), THEMES.light).note).toBe("");
  });

  test("says each word, or that there is nothing", () => {
    const dtype = measureOf("dtype", []);
    expect(texts(legendOf(dtype, scaleOf(["int64", "float32"]), THEMES.light))).toEqual(["float32", "int64"]);
    expect(legendOf(dtype, scaleOf([]), THEMES.light).note).toBe("no closed box has any");
  });

  test("stands below the picture, inside of it, and the colours are those of the boxes", () => {
    const values = payload("resnet18").graph.calls.map(({ id }) => id);
    const [plain, made] = [drawScene(asked("resnet18")), coloured("resnet18", values)];
    expect(made.height).toBeGreaterThan(plain.height);
    const shapes = made.groups.find(({ kind }) => kind === "legend")!.shapes;
    for (const shape of shapes) if (shape.kind !== "path") expect(shape.y).toBeGreaterThan(plain.height);
    for (const shape of shapes)
      if (shape.kind === "rect") expect(shape.x + shape.width <= made.width && shape.y < made.height).toBe(true);
    const fills = made.boxes.filter(({ open }) => !open).map(({ fill }) => fill);
    expect(fills).toContain(made.legend!.samples[0]!.fill);
    expect(fills).toContain(made.legend!.samples[made.legend!.samples.length - 1]!.fill);
  });
});
