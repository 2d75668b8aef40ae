import { describe, expect, test } from "vitest";
import { arranged, columnsOf, tableRows } from "../../src/app/rows.ts";
import { modelFor } from "./model.ts";

const model = modelFor("resnet152");
const rows = tableRows(model, true);
const at = (name: string): number => columnsOf(model).findIndex((column) => column.name === name);

describe("the table", () => {
  test("has a row for every module, repeats once", () => {
    expect(rows.every(({ call }) => model.graph.calls[call]!.kind === "module")).toBe(true);
    expect(rows.find(({ count }) => count === 35)?.whole).toBe("layer3.1–35");
    expect(tableRows(model, false).length).toBeGreaterThan(rows.length);
  });

  test("sorts by number and by name, what has nothing last", () => {
    const down = arranged(rows, "", { column: at("params"), down: true }).map(
      ({ cells }) => cells[at("params")] as number,
    );
    expect(down).toEqual([...down].sort((a, b) => b - a));
    const up = arranged(rows, "", { column: 0, down: false }).map(({ cells }) => String(cells[0]));
    expect(up.indexOf("bn1")).toBeLessThan(up.indexOf("conv1"));
    expect(arranged([], "", { column: 0, down: true })).toEqual([]);
  });

  test("keeps the rows that hold every word", () => {
    const kept = arranged(rows, "layer4 Conv2d", null);
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.every(({ words }) => words.includes("layer4") && words.includes("conv2d"))).toBe(true);
  });
});
