/** The picture that the page saves: as it is shown, with its legend below it. */

import { describe, expect, test } from "vitest";
import { type Side, exportedScene } from "../../src/app/exported.ts";
import type { Model } from "../../src/app/model.ts";
import { FIRST } from "../../src/app/state.ts";
import type { Scene } from "../../src/contract/scene.ts";
import { DEFAULT_STATE } from "../../src/graph/state.ts";
import { svg } from "../../src/scene/svg.ts";
import { THEMES } from "../../src/scene/theme.ts";
import { drafter } from "../../src/worker/drafter.ts";
import { measureOf, modelFor } from "./model.ts";

/** A network drawn on the page, coloured by `heat`. */
function shown(name: string, heat: readonly number[] | number, overlay: string | null = "heat"): Side {
  const plain = modelFor(name);
  const values = typeof heat === "number" ? plain.graph.calls.map(() => heat) : heat;
  const model: Model = { ...plain, measures: [measureOf("heat", values, { title: "Heat" })] };
  const wanted = { view: DEFAULT_STATE, options: { direction: FIRST.direction, labels: FIRST.labels } };
  return { model, state: { ...FIRST, overlay, drawn: drafter(model.payload, model)(wanted) } };
}

/** The colours of the shapes of a box. */
function coloursOf({ groups }: Scene, key: string): (string | null)[] {
  const own = groups.find((group) => group.kind === "box" && group.key === key)!;
  return own.shapes.flatMap((shape) => (shape.kind === "text" ? [shape.fill] : [shape.fill, shape.line]));
}

describe("a picture saved from the page", () => {
  test("keeps the colours of the box that failed, whatever colours the others", () => {
    const page = shown("failing", 1);
    const failed = `#${page.model.graph.error}`;
    const saved = exportedScene(page, null, "light")!;
    expect(coloursOf(saved, failed)).toEqual(coloursOf(page.state.drawn!.scene, failed));
    expect(coloursOf(saved, failed)).toContain("error.fill");
    expect(saved.boxes.find(({ key }) => key === failed)!.fill).toBe("error.fill");
    expect(svg(saved)).toContain(THEMES.light["error.fill"]);
    const other = saved.boxes.find(({ key, open, fill }) => key !== failed && !open && fill.startsWith("#"))!;
    expect(coloursOf(saved, other.key)).not.toEqual(coloursOf(page.state.drawn!.scene, other.key));
  });

  test("has the legend below it, and is as large as the drawing where nothing is coloured", () => {
    const [plain, coloured] = [shown("resnet18", 1, null), shown("resnet18", 1)];
    const { scene } = plain.state.drawn!;
    const [bare, saved] = [exportedScene(plain, null, "light")!, exportedScene(coloured, null, "light")!];
    expect([bare.height, bare.groups]).toEqual([scene.height, scene.groups]);
    expect(saved.height).toBeGreaterThan(scene.height);
    expect(svg(saved)).toContain(">Heat</text>");
  });

  test("is in the theme that the page has", () => {
    const page = shown("branches", 1, null);
    for (const theme of ["light", "dark"] as const)
      expect(svg(exportedScene(page, null, theme)!)).toContain(`fill="${THEMES[theme].background}"`);
  });

  test("means by a colour what the picture beside it means by it", () => {
    const [cool, hot] = [shown("branches", 1), shown("branches", 50)];
    const most = (beside: Side | null): string => exportedScene(cool, beside, "light")!.legend!.samples.at(-1)!.text;
    expect([most(null), most(hot)]).toEqual(["1", "50"]);
  });

  test("is none before the page has drawn", () => {
    const page = shown("branches", 1);
    expect(exportedScene({ ...page, state: { ...page.state, drawn: null } }, null, "light")).toBeNull();
  });
});
