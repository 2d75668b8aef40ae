import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromGiven, fromHash, pairFromHash, pairToHash, toHash } from "../../src/app/link.ts";
import { FIRST } from "../../src/app/state.ts";
import { DEFAULT_STATE } from "../../src/graph/state.ts";

const keys = fc.uniqueArray(fc.nat(5000).map((call) => `#${call}`));
const views = fc.record({
  depth: fc.oneof(fc.constant(null), fc.constant(Infinity), fc.integer({ min: 1, max: 40 })),
  expand: keys,
  collapse: keys,
  unfold: keys.map((all) => all.map((key) => `${key}x`)),
  fold: fc.boolean(),
  constants: fc.boolean(),
  level: fc.constantFrom("op" as const, "aten" as const),
});
const states = fc.record({
  view: views,
  direction: fc.constantFrom("TB" as const, "LR" as const),
  labels: fc.subarray(["shape", "params", "flops"] as const),
  theme: fc.constantFrom("system" as const, "light" as const, "dark" as const),
  overlay: fc.oneof(fc.constant(null), fc.constantFrom("params", "+a name & more = #%")),
  tab: fc.constantFrom("drawing" as const, "table" as const),
  selected: fc.oneof(fc.constant(null), fc.constantFrom("#7", "input:a b", "output:<x>")),
});

describe("a link", () => {
  test("restores any view", () => {
    fc.assert(
      fc.property(states, (state) => {
        const camera = { x: -120, y: 40, scale: 0.5 };
        expect(fromHash(`#${toHash(state, camera)}`)).toEqual({ state, camera });
      }),
    );
  });

  test("restores two drawings, with what each has for itself", () => {
    const cameras = [
      { x: 3, y: 4, scale: 2 },
      { x: -5, y: 6, scale: 0.25 },
    ] as const;
    const sides = fc.record({
      active: fc.constantFrom(0 as const, 1 as const),
      inStep: fc.boolean(),
      share: fc.integer({ min: 15, max: 85 }),
    });
    fc.assert(
      fc.property(states, states, sides, (one, two, sides) => {
        const { fold, constants, level } = one.view;
        const other = { ...one, selected: two.selected, view: { ...two.view, fold, constants, level } };
        const hash = `#${pairToHash([one, other], cameras, sides)}`;
        expect(pairFromHash(hash)).toEqual({ states: [one, other], cameras, sides });
        expect(fromHash(hash).state).toEqual(one);
      }),
    );
    expect(pairFromHash("#share=9000&side=7&step=maybe").sides).toEqual({ active: 0, inStep: true, share: 85 });
  });

  test("of the default view is short", () => {
    expect(toHash(FIRST, null)).toBe("");
    expect(fromHash("").state.view).toEqual(DEFAULT_STATE);
  });

  test("that nobody can understand leaves the default", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { state, camera } = fromHash(`#${text}`);
        expect(["TB", "LR"]).toContain(state.direction);
        expect(camera === null || camera.scale > 0).toBe(true);
      }),
    );
    expect(fromHash("#depth=-3&theme=pink&camera=1+2+NaN&level=deep").state).toEqual(fromHash("").state);
  });

  test("gives way to what the page was made to show", () => {
    const { depth, expand, collapse, fold, constants, level } = { ...DEFAULT_STATE, depth: 3, expand: ["layer1"] };
    const given = {
      depth,
      expand,
      collapse,
      fold,
      constants,
      level,
      direction: "LR",
      labels: [],
      theme: "dark",
      color_by: "flops",
    } as const;
    expect(fromGiven(given)).toMatchObject({
      direction: "LR",
      theme: "dark",
      overlay: "flops",
      view: { depth: 3, expand: ["layer1"], unfold: [] },
    });
  });
});
