import { describe, expect, test } from "vitest";
import { colouring } from "../../src/app/colouring.ts";
import { blankTint, mix, overlaysOf, said, scaleOf, share, tint } from "../../src/app/overlay.ts";
import { repeatsOf } from "../../src/app/model.ts";
import { DEFAULT_STATE } from "../../src/graph/state.ts";
import { THEMES } from "../../src/scene/theme.ts";
import { drafter } from "../../src/worker/drafter.ts";
import { modelFor } from "./model.ts";

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

describe("numbers", () => {
  test("laid over a graph are those of every call, the greatest of repeats, and have colours where they are nothing", () => {
    const model = modelFor("resnet152");
    const wanted = { view: DEFAULT_STATE, options: { direction: "TB", labels: [] } } as const;
    const drawn = drafter(model.graph, model)(wanted);
    const node = drawn.visible.nodes.find(({ repeat }) => repeat?.count === 35)!;
    const calls = repeatsOf(model, node);
    const numbers = calls.map((call, i): [number, number] => [call, i === 7 ? 5 : 0]);
    const extras = { ...model.extras, overlays: [{ name: "heat", unit: "K", numbers }] };
    const heat = overlaysOf(model.graph, extras).find(({ name }) => name === "+heat")!;
    expect(said(heat, node, calls)).toBe(5);
    expect(heat.text(5)).toBe("5 K");
    const laid = { ...model, overlays: [heat] };
    expect(colouring(laid, drawn, "+heat", "light")!.tints.has(node.key)).toBe(true);
  });

  test("of time are there where it was measured, the modules' own beside it", () => {
    const model = modelFor("resnet152");
    const calls = model.graph.calls.map((call) => ({ ...call, seconds: call.id === 0 ? 2 : null }));
    const own = calls.map(({ id }) => (id === 0 ? 0.5 : null));
    const extras = { ...model.extras, numbers: { ...model.extras.numbers, own_seconds: own } };
    const found = overlaysOf({ ...model.graph, calls }, extras);
    const named = (wanted: string) => found.find(({ name }) => name === wanted)!;
    expect([named("time").of(0), named("self_time").of(0), named("self_time").of(1)]).toEqual([2, 0.5, null]);
    expect(overlaysOf(model.graph, model.extras).some(({ name }) => name === "time")).toBe(false);
  });
});

describe("colours", () => {
  test("go from the least to the greatest, by the logarithm where they are far apart", () => {
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

  test("can be written on, in both themes", () => {
    const numbers = scaleOf([0, 1]);
    const words = scaleOf(["a", "b", "c", "d", "e", "f", "g", "h"]);
    for (const name of ["light", "dark"] as const) {
      const theme = THEMES[name];
      for (let i = 0; i <= 20; i++)
        expect(contrast(tint(numbers, theme, i / 20).fill, theme.text)).toBeGreaterThan(4.5);
      for (const word of words.words) expect(contrast(tint(words, theme, word).fill, theme.text)).toBeGreaterThan(4.5);
      expect(contrast(blankTint(theme).fill, theme.text)).toBeGreaterThan(4.5);
    }
  });

  test("mix evenly", () => {
    expect(mix("#000000", "#ffffff", 0)).toBe("#000000");
    expect(mix("#000000", "#fefefe", 0.5)).toBe("#7f7f7f");
  });

  test("of a fold stand for all its repeats together", () => {
    const model = modelFor("resnet152");
    const wanted = { view: DEFAULT_STATE, options: { direction: "TB", labels: [] } } as const;
    const drawn = drafter(model.graph, model)(wanted);
    const node = drawn.visible.nodes.find(({ repeat }) => repeat?.count === 35)!;
    const calls = repeatsOf(model, node);
    expect(calls.map((call) => model.graph.calls[call]!.path)).toEqual(
      Array.from({ length: 35 }, (_, i) => `layer3.${i + 1}`),
    );
    const colours = colouring(model, drawn, "params", "light")!;
    expect(colours.scale.to).toBe(calls.reduce((sum, call) => sum + call, 0));
    expect(colours.tints.has(node.key)).toBe(true);
    expect(colouring(model, drawn, "unheard of", "light")).toBeNull();
  });
});
