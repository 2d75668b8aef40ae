import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { between, fitting, kept, opening, seen, zoomed } from "../../src/paint/camera.ts";

const screen = { width: 800, height: 600 };
const size = fc.integer({ min: 1, max: 300000 });
const cameras = fc.record({
  x: fc.integer({ min: -5000, max: 5000 }),
  y: fc.integer({ min: -5000, max: 5000 }),
  scale: fc.double({ min: 0.02, max: 4, noNaN: true }),
});

describe("the camera", () => {
  test("fits any drawing onto the screen", () => {
    fc.assert(
      fc.property(size, size, (width, height) => {
        const camera = fitting({ x: 0, y: 0, width, height }, screen);
        if (camera.scale <= 0.005) return;
        const view = seen(camera, screen);
        expect(view.x).toBeLessThanOrEqual(0);
        expect(view.x + view.width).toBeGreaterThanOrEqual(width);
        expect(view.y + view.height).toBeGreaterThanOrEqual(height);
      }),
    );
  });

  test("holds the point still on which it zooms", () => {
    fc.assert(
      fc.property(cameras, fc.double({ min: 0.5, max: 2, noNaN: true }), (camera, factor) => {
        const near = zoomed(camera, factor, 100, 50);
        expect((100 - near.x) / near.scale).toBeCloseTo((100 - camera.x) / camera.scale, 3);
      }),
    );
  });

  test("begins and ends a glide where it should", () => {
    fc.assert(
      fc.property(cameras, cameras, (from, to) => {
        for (const [share, wanted] of [
          [0, from],
          [1, to],
        ] as const) {
          const camera = between(from, to, share, screen);
          expect(camera.scale).toBeCloseTo(wanted.scale, 6);
          expect(camera.x).toBeCloseTo(wanted.x, 2);
          expect(camera.y).toBeCloseTo(wanted.y, 2);
        }
      }),
    );
  });

  test("never loses the drawing", () => {
    const camera = kept({ x: 90000, y: -90000, scale: 1 }, { width: 500, height: 400 }, screen);
    const view = seen(camera, screen);
    expect(view.x).toBeLessThan(500);
    expect(view.x + view.width).toBeGreaterThan(0);
    expect(view.y).toBeLessThan(400);
  });

  test("opens a long drawing at its beginning, readable", () => {
    const camera = opening({ width: 400, height: 30000 }, screen, false);
    expect(camera.scale).toBeGreaterThanOrEqual(0.6);
    expect(camera.y).toBeGreaterThanOrEqual(0);
  });
});
