/** Wires with rounded corners, arrowheads, the arcs of loops, tags of tunnels. */

import { coordinate } from "./coordinate.ts";
import type { Path } from "./model.ts";

const ROUND = 6;
const HEAD_LENGTH = 6;
const HEAD_HALF = 3.5;

/** A wire through `points` (x0, y0, x1, y1, …), and its arrowhead. */
export function wire(points: readonly number[], arrow: boolean): Path[] {
  const kept = withoutRepeats(points);
  const last = kept.length - 2;
  const [dx, dy] = direction(kept, last - 2, last);
  const short = arrow ? HEAD_LENGTH - 1 : 0;
  const line = [...kept.slice(0, last), kept[last]! - dx * short, kept[last + 1]! - dy * short];
  const paths: Path[] = [{ kind: "path", d: rounded(line), fill: null, line: "wire", lineWidth: 1.25 }];
  if (arrow) paths.push(head(kept[last]!, kept[last + 1]!, dx, dy));
  return paths;
}

function withoutRepeats(points: readonly number[]): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const n = kept.length;
    if (n >= 2 && kept[n - 2] === points[i] && kept[n - 1] === points[i + 1]) continue;
    const straight = n >= 4 && ((kept[n - 2] === points[i] && kept[n - 4] === points[i]) || (kept[n - 1] === points[i + 1] && kept[n - 3] === points[i + 1]));
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

function head(x: number, y: number, dx: number, dy: number): Path {
  const [backX, backY] = [x - dx * HEAD_LENGTH, y - dy * HEAD_LENGTH];
  const [sideX, sideY] = [dy * HEAD_HALF, dx * HEAD_HALF];
  const corners = [x, y, backX - sideX, backY - sideY, backX + sideX, backY + sideY].map(coordinate);
  const d = `M${corners[0]},${corners[1]}L${corners[2]},${corners[3]}L${corners[4]},${corners[5]}Z`;
  return { kind: "path", d, fill: "wire", line: null, lineWidth: 0 };
}
