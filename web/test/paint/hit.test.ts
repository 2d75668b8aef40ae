import { describe, expect, test } from "vitest";
import { buttonAt, hit } from "../../src/paint/hit.ts";
import { lines, picture } from "../../src/paint/picture.ts";
import { DEFAULT_STATE } from "../../src/graph/state.ts";
import { drafter } from "../../src/worker/drafter.ts";
import { payload } from "../payloads.ts";

const view = { ...DEFAULT_STATE, depth: 3 };

describe.each(["TB", "LR"] as const)("what is under the pointer, %s", (direction) => {
  const { scene } = drafter(payload("unet"))({ view, options: { direction, labels: ["shape"] } });
  const drawn = picture(scene);
  const flat = direction === "LR";

  test("is the innermost box, wherever in it", () => {
    for (const place of scene.boxes.filter(({ open }) => !open)) {
      const found = hit(drawn, place.x + place.width / 2, place.y + 3, 1, flat);
      expect(found).toMatchObject({ kind: "box", key: place.key });
    }
  });

  test("is the button on the edge of a box that opens", () => {
    for (const place of scene.boxes.filter(({ openable }) => openable)) {
      expect(hit(drawn, ...buttonAt(place, flat), 1, flat)).toEqual({ kind: "button", key: place.key });
    }
  });

  test("is the wire, at any of its points that no box covers", () => {
    let seen = 0;
    for (const { group } of drawn.items.filter(({ group: { kind } }) => kind === "wire")) {
      const shape = group.shapes[0]!;
      const [x, y] = shape.kind === "path" ? lines(shape.d)[0]![1]! : [0, 0];
      const found = hit(drawn, x, y, 1, flat);
      if (found?.kind === "wire") seen += 1;
    }
    expect(seen).toBeGreaterThan(drawn.items.filter(({ group: { kind } }) => kind === "wire").length / 2);
  });

  test("is nothing outside", () => {
    expect(hit(drawn, -500, -500, 1, flat)).toBeNull();
  });

  test("is found among the items near it, which the grid gives in drawing order", () => {
    const box = { x: scene.width / 3, y: scene.height / 3, width: 200, height: 100 };
    const all = drawn.items
      .map((item, i) => ({ ...item, i }))
      .filter(
        ({ left, top, right, bottom }) =>
          left <= box.x + 200 && right >= box.x && top <= box.y + 100 && bottom >= box.y,
      );
    expect(drawn.near(box)).toEqual(all.map(({ i }) => i));
  });
});
