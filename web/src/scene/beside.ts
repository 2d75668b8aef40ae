/** Two pictures in one, side by side, or one below the other where data flows to the right. */

import type { Box, Group, Scene, Wire } from "../contract/scene.ts";
import { coordinate } from "./coordinate.ts";
import { text } from "./draw.ts";
import type { Shape } from "./ink.ts";
import { drawRow } from "./legend.ts";
import { clean, textWidth } from "./measure.ts";

const MARGIN = 14;
const GAP = 28;
const LINE = 16;
const TITLE = 22;
const NARROWEST = 540;
const VERDICT = { size: 11, bold: false };
const NAME = { size: 13, bold: true };
const LETTERS = ["a", "b"] as const;

/** `titles` stand above each, the `verdict` above both. */
export function beside(
  sides: readonly [Scene, Scene],
  titles: readonly [string, string],
  verdict: string,
  isBelow: boolean,
): Scene {
  const [a, b] = sides;
  const width = Math.max(isBelow ? Math.max(a.width, b.width) : a.width + GAP + b.width, NARROWEST);
  const lines = wrapped(clean(verdict), width - 2 * MARGIN);
  const top = MARGIN + LINE * lines.length + TITLE;
  const places = [
    { x: 0, y: top },
    isBelow ? { x: 0, y: top + a.height + TITLE } : { x: a.width + GAP, y: top },
  ] as const;
  const moved = sides.map((side, i) => shifted(side, LETTERS[i]!, places[i]!));
  const bottom = Math.max(...sides.map(({ height }, i) => places[i]!.y + height));
  const words = lines.map((line, i) => text(MARGIN, MARGIN + LINE * i + 8, line, VERDICT, "text"));
  const names = places.map(({ x, y }, i) => text(x + MARGIN, y - 6, clean(titles[i]!), NAME, "text"));
  const row = a.legend && drawRow(a.legend, MARGIN, bottom + MARGIN);
  return {
    width: Math.max(width, row?.width ?? 0, ...names.map((name) => name.x + name.width + MARGIN)),
    height: bottom + MARGIN + LINE + MARGIN,
    inks: a.inks,
    background: a.background,
    groups: [
      ...moved.flatMap(({ groups }) => groups),
      group("words", [...words, ...names]),
      ...(row ? [group("legend", row.shapes)] : []),
    ],
    boxes: moved.flatMap(({ boxes }) => boxes),
    wires: moved.flatMap(({ wires }) => wires),
    legend: a.legend,
    notes: [...new Set(sides.flatMap(({ notes }) => notes))],
  };
}

function group(kind: Group["kind"], shapes: readonly Shape[]): Group {
  return { kind, key: "", value: -1, title: "", shapes };
}

/** Lines no wider than that, where words allow it. */
function wrapped(words: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(" ")) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]!} ${word}` : word;
    if (lines.length > 0 && textWidth(longer, VERDICT) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** A picture in another place; its keys begin with `side`. */
function shifted(scene: Scene, side: string, by: { readonly x: number; readonly y: number }): Scene {
  const named = (key: string): string => (key === "" ? "" : `${side} ${key}`);
  return {
    ...scene,
    groups: scene.groups.map((each) => ({
      ...each,
      key: named(each.key),
      shapes: each.shapes.map((shape) => movedShape(shape, by.x, by.y)),
    })),
    boxes: scene.boxes.map((box): Box => ({
      ...box,
      key: named(box.key),
      around: named(box.around),
      x: box.x + by.x,
      y: box.y + by.y,
    })),
    wires: scene.wires.map((wire): Wire => ({ ...wire, source: named(wire.source), targets: wire.targets.map(named) })),
  };
}

function movedShape(shape: Shape, dx: number, dy: number): Shape {
  if (shape.kind !== "path") return { ...shape, x: shape.x + dx, y: shape.y + dy };
  return {
    ...shape,
    d: shape.d.replace(/([MLQA])([^MLQAZ]+)/g, (_, step: string, rest: string) => step + points(step, rest, dx, dy)),
  };
}

/** Of an arc, whose numbers are two radii, a turn, two flags and its end, the end alone is a place. */
const ARC = 7;

function points(step: string, rest: string, dx: number, dy: number): string {
  const numbers = rest.trim().split(/[ ,]+/).map(Number);
  return numbers
    .map((number, i) => {
      if (step === "A" && i % ARC < ARC - 2) return String(number);
      const isAcross = step === "A" ? i % ARC === ARC - 2 : i % 2 === 0;
      return coordinate(number + (isAcross ? dx : dy));
    })
    .join(" ");
}
