import { describe, expect, test } from "vitest";
import type { Marks, Pair } from "../../src/contract/payload.ts";
import type { Scene } from "../../src/contract/scene.ts";
import { drawScene } from "../../src/engine.ts";
import { type Asked, asked } from "../payloads.ts";

const NONE: Marks = { added: [], removed: [], changed: [] };

function pair(view: Asked = {}, verdict = "one differs"): Pair {
  const [a, b] = ["resnet18", "unet"].map((name) => asked(name, { ...view, color_by: "difference" })) as [
    Pair["sides"][0],
    Pair["sides"][0],
  ];
  const conv = b.graph.calls.find(({ name }) => name === "Conv2d")!.id;
  return {
    sides: [
      { ...a, marks: { ...NONE, removed: [1] } },
      { ...b, marks: { ...NONE, changed: [conv] } },
    ],
    titles: ["a: one", "b: other"],
    verdict,
  };
}

/** The least and greatest coordinates of what is on one side. */
function extent({ boxes }: Scene, side: string): [number, number, number, number] {
  const own = boxes.filter(({ key }) => key.startsWith(`${side} `));
  const [xs, ys] = [own.map(({ x }) => x), own.map(({ y }) => y)];
  const [rights, bottoms] = [own.map((box) => box.x + box.width), own.map((box) => box.y + box.height)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...rights), Math.max(...bottoms)];
}

describe("two pictures side by side", () => {
  test("do not overlap: to the right, or below where data flows to the right", () => {
    const upright = drawScene(pair());
    expect(extent(upright, "b")[0]).toBeGreaterThan(extent(upright, "a")[2]);
    const across = drawScene(pair({ direction: "LR" }));
    expect(extent(across, "b")[1]).toBeGreaterThan(extent(across, "a")[3]);
  });

  test("have the size that each has alone, and lie on the sheet", () => {
    const { sides } = pair();
    const both = drawScene(pair());
    for (const [i, side] of ["a", "b"].entries()) {
      const [x, y, right, bottom] = extent(both, side);
      const alone = drawScene({ ...sides[i]!, view: { ...sides[i]!.view, color_by: null } });
      const edges = alone.boxes.map((box) => [box.x, box.y, box.x + box.width, box.y + box.height] as const);
      expect(right - x).toBeCloseTo(
        Math.max(...edges.map((edge) => edge[2])) - Math.min(...edges.map((edge) => edge[0])),
      );
      expect(bottom - y).toBeCloseTo(
        Math.max(...edges.map((edge) => edge[3])) - Math.min(...edges.map((edge) => edge[1])),
      );
      expect(x >= 0 && right <= both.width && bottom <= both.height).toBe(true);
    }
  });

  test("are moved as a whole, arcs and curves too", () => {
    const { sides } = pair();
    const [alone, both] = [drawScene({ ...sides[1], view: { ...sides[1].view, color_by: null } }), drawScene(pair())];
    const paths = (scene: Scene, start: string): string[] =>
      scene.groups
        .filter(({ key, kind }) => key.startsWith(start) && kind !== "sign")
        .flatMap(({ shapes }) => shapes.flatMap((shape) => (shape.kind === "path" ? shape.d : [])));
    const [first, moved] = [alone.boxes[0]!, both.boxes.find(({ key }) => key === `b ${alone.boxes[0]!.key}`)!];
    const [dx, dy] = [moved.x - first.x, moved.y - first.y];
    const points = (d: string): number[] =>
      [...d.matchAll(/([MLQA])([^MLQAZ]+)/g)].flatMap(([, step, rest]) => {
        const numbers = rest!.match(/-?[\d.]+/g)!.map(Number);
        return step === "A" ? numbers.slice(-2) : numbers;
      });
    const were = paths(alone, "");
    const are = paths(both, "b ");
    expect(are.length).toBe(were.length);
    expect(dx).toBeGreaterThan(0);
    are.forEach((d, i) => {
      const by = points(d).map((at, k) => at - points(were[i]!)[k]! - (k % 2 === 0 ? dx : dy));
      expect(Math.max(...by.map(Math.abs))).toBeLessThan(0.011);
    });
  });

  test("bear a sign on each box that differs, and the legend says what it means", () => {
    const scene = drawScene(pair({ depth: 1 }));
    const signs = scene.groups.filter(({ kind }) => kind === "sign");
    expect(signs.length).toBeGreaterThan(1);
    expect(scene.boxes.filter(({ mark }) => mark !== "").map(({ key }) => key)).toEqual(signs.map(({ key }) => key));
    expect(scene.legend!.samples.map(({ text }) => text)).toEqual(["+ added", "− removed", "~ changed", "same"]);
  });

  test("have the verdict above, in as many lines as it takes", () => {
    const height = (verdict: string): number => drawScene(pair({}, verdict)).height;
    const line = (verdict: string): number =>
      drawScene(pair({}, verdict))
        .groups.find(({ kind }) => kind === "words")!
        .shapes.filter((shape) => shape.kind === "text" && shape.size === 11).length;
    expect(line("a few short words")).toBe(1);
    expect(line("many words ".repeat(40))).toBeGreaterThan(2);
    expect(height("many words ".repeat(40))).toBeGreaterThan(height("short"));
  });

  test("have the lines of the verdict one below the other, above both and inside the sheet", () => {
    const scene = drawScene(pair({}, "many words ".repeat(40)));
    const words = scene.groups.find(({ kind }) => kind === "words")!.shapes.filter((shape) => shape.kind === "text");
    const lines = words.filter(({ size }) => size === 11);
    const below = lines.slice(1).map(({ y }, i) => y - lines[i]!.y);
    expect(Math.min(...below)).toBeGreaterThanOrEqual(11);
    expect(lines[0]!.y).toBeGreaterThanOrEqual(11);
    expect(lines[lines.length - 1]!.y).toBeLessThan(Math.min(...scene.boxes.map(({ y }) => y)));
    for (const { x, width } of lines) expect(x + width).toBeLessThanOrEqual(scene.width);
  });

  test("have one legend below both, and none without colours", () => {
    const legend = (scene: Scene): string[] =>
      scene.groups
        .filter(({ kind }) => kind === "legend")
        .flatMap(({ shapes }) => shapes.flatMap((shape) => (shape.kind === "text" ? [shape.text] : [])));
    expect(legend(drawScene(pair()))).toEqual(["+ added", "− removed", "~ changed", "same"]);
    const { sides, ...rest } = pair();
    const plain = sides.map((side) => ({ ...side, view: { ...side.view, color_by: null } }));
    expect(legend(drawScene({ ...rest, sides: [plain[0]!, plain[1]!] }))).toEqual([]);
  });
});
