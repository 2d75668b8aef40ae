/** Wires with rounded corners, arrowheads, the arcs of loops, tags of tunnels. */

import type { Branch } from "../layout/layout.ts";
import { coordinate } from "./coordinate.ts";
import type { Area } from "./draw.ts";
import type { Path } from "../contract/scene.ts";

const ROUND = 6;
const HEAD_LENGTH = 6;
const HEAD_HALF = 3.5;
export const LINE_WIDTH = 1.25;

/** A wire that may branch: one line, and one shape for all its arrowheads. */
export function wire(branches: readonly Branch[]): Path[] {
  const drawn: number[][] = [];
  const lines: string[] = [];
  const heads: string[] = [];
  for (const { points, arrow } of branches) {
    const kept = withoutRepeats(points);
    const last = kept.length - 2;
    const [dx, dy] = direction(kept, last - 2, last);
    const back = arrow ? HEAD_LENGTH - 1 : 0;
    const line = [...kept.slice(0, last), kept[last]! - dx * back, kept[last + 1]! - dy * back];
    lines.push(rounded(fromFork(line, drawn)));
    drawn.push(line);
    if (arrow) heads.push(head(kept[last]!, kept[last + 1]!, dx, dy));
  }
  const paths: Path[] = [{ kind: "path", d: lines.join(""), fill: null, line: "wire", line_width: LINE_WIDTH }];
  if (heads.length > 0) paths.push({ kind: "path", d: heads.join(""), fill: "wire", line: null, line_width: 0 });
  return paths;
}

/** The part of a branch that no earlier branch has drawn: from shortly before its turn away from all of them. */
function fromFork(line: readonly number[], drawn: readonly (readonly number[])[]): readonly number[] {
  let shared = 0;
  for (const other of drawn) {
    let i = 0;
    while (i < line.length && i < other.length && line[i] === other[i] && line[i + 1] === other[i + 1]) i += 2;
    shared = Math.max(shared, i);
  }
  if (shared === 0 || shared >= line.length - 2) return line;
  const [dx, dy] = direction(line, shared - 2, shared);
  const covered = Math.max(0, ...drawn.map((other) => overlap(line, other, shared)));
  const step = Math.min(covered, length(line, shared - 2) - ROUND);
  if (step <= 0) return line.slice(shared - 2);
  return [line[shared - 2]! + dx * step, line[shared - 1]! + dy * step, ...line.slice(shared)];
}

/** How far `other` runs along with `line` beyond their common points: to where it begins to turn. */
function overlap(line: readonly number[], other: readonly number[], shared: number): number {
  if (other.length <= shared || other[shared - 2] !== line[shared - 2] || other[shared - 1] !== line[shared - 1])
    return 0;
  const [ax, ay] = direction(line, shared - 2, shared);
  const [bx, by] = direction(other, shared - 2, shared);
  const reach = length(other, shared - 2) - (other.length > shared + 2 ? ROUND : 0);
  return ax === bx && ay === by ? Math.min(length(line, shared - 2), reach) : 0;
}

function withoutRepeats(points: readonly number[]): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const n = kept.length;
    if (n >= 2 && kept[n - 2] === points[i] && kept[n - 1] === points[i + 1]) continue;
    const straight =
      n >= 4 &&
      ((kept[n - 2] === points[i] && kept[n - 4] === points[i]) ||
        (kept[n - 1] === points[i + 1] && kept[n - 3] === points[i + 1]));
    if (straight) kept.length -= 2;
    kept.push(points[i]!, points[i + 1]!);
  }
  return kept;
}

/** Unit vector along the piece between two points, horizontal or vertical. */
function direction(points: readonly number[], from: number, to: number): [number, number] {
  if (from < 0) return [0, 1];
  return [Math.sign(points[to]! - points[from]!), Math.sign(points[to + 1]! - points[from + 1]!)];
}

function rounded(points: readonly number[]): string {
  let d = `M${coordinate(points[0]!)},${coordinate(points[1]!)}`;
  for (let i = 2; i < points.length; i += 2) {
    const [x, y] = [points[i]!, points[i + 1]!];
    if (i + 2 >= points.length) return `${d}L${coordinate(x)},${coordinate(y)}`;
    const [inX, inY] = direction(points, i - 2, i);
    const [outX, outY] = direction(points, i, i + 2);
    const room = Math.min(length(points, i - 2), length(points, i)) / 2;
    const r = Math.min(ROUND, room);
    const [fromX, fromY, toX, toY] = [x - inX * r, y - inY * r, x + outX * r, y + outY * r];
    d += `L${coordinate(fromX)},${coordinate(fromY)}Q${coordinate(x)},${coordinate(y)} ${coordinate(toX)},${coordinate(toY)}`;
  }
  return d;
}

function length(points: readonly number[], from: number): number {
  return Math.abs(points[from + 2]! - points[from]!) + Math.abs(points[from + 3]! - points[from + 1]!);
}

function head(x: number, y: number, dx: number, dy: number): string {
  const [backX, backY] = [x - dx * HEAD_LENGTH, y - dy * HEAD_LENGTH];
  const [sideX, sideY] = [dy * HEAD_HALF, dx * HEAD_HALF];
  const corners = [x, y, backX - sideX, backY - sideY, backX + sideX, backY + sideY].map(coordinate);
  return `M${corners[0]},${corners[1]}L${corners[2]},${corners[3]}L${corners[4]},${corners[5]}Z`;
}

/** The arc of a loop, from a box's end back to its start: on its right, or below it where data flows right. */
export function arc(area: Area, flat: boolean, reach: number): Path[] {
  const { x, y, width, height } = area;
  const inset = Math.min(12, (flat ? height : width) / 4);
  const points = flat
    ? [
        x + width,
        y + height - inset,
        x + width + reach,
        y + height - inset,
        x + width + reach,
        y + inset,
        x + width,
        y + inset,
      ]
    : [
        x + width - inset,
        y + height,
        x + width - inset,
        y + height + reach,
        x + inset,
        y + height + reach,
        x + inset,
        y + height,
      ];
  return wire([{ points, arrow: true }]);
}
