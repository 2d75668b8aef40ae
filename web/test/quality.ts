/** Numbers that say how good a layout is, computed from its coordinates alone. */

import type { Layout, LayoutInput } from "../src/layout/layout.ts";

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A straight piece of a net. */
export interface Segment {
  net: number;
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export function rectOf({ x, y, width, height }: Layout, box: number): Rect {
  return { x: x[box]!, y: y[box]!, width: width[box]!, height: height[box]! };
}

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function contains(outer: Rect, inner: Rect): boolean {
  const right = inner.x + inner.width <= outer.x + outer.width;
  return inner.x >= outer.x && inner.y >= outer.y && right && inner.y + inner.height <= outer.y + outer.height;
}

export function segments(points: readonly number[], net: number): Segment[] {
  const found: Segment[] = [];
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [x0, y0, x1, y1] = points.slice(i, i + 4) as [number, number, number, number];
    if (x0 !== x1 || y0 !== y1) found.push({ net, x0, y0, x1, y1 });
  }
  return found;
}

export function allSegments(made: Layout): Segment[] {
  return made.wires.flatMap(({ net, branches }) => branches.flatMap(({ points }) => segments(points, net)));
}

/** Does a piece enter the inside of a rectangle? */
export function enters(piece: Segment, rect: Rect): boolean {
  const [low, high] = [Math.min(piece.x0, piece.x1), Math.max(piece.x0, piece.x1)];
  const [top, bottom] = [Math.min(piece.y0, piece.y1), Math.max(piece.y0, piece.y1)];
  return low < rect.x + rect.width && high > rect.x && top < rect.y + rect.height && bottom > rect.y;
}

/** Pairs of boxes in one group that overlap, and boxes that stick out of theirs. */
export function misplacedBoxes(input: LayoutInput, made: Layout): string[] {
  const wrong: string[] = [];
  const groups = [input.top, ...input.boxes.map((box) => (box.open ? box.children : []))];
  for (const group of groups) {
    const sorted = [...group].sort((a, b) => made.x[a]! - made.x[b]!);
    sorted.forEach((a, i) => {
      const rect = rectOf(made, a);
      for (let j = i + 1; j < sorted.length && made.x[sorted[j]!]! < rect.x + rect.width; j++) {
        if (overlaps(rect, rectOf(made, sorted[j]!))) wrong.push(`${a} overlaps ${sorted[j]}`);
      }
      const { parent } = input.boxes[a]!;
      const around = parent < 0 ? { x: 0, y: 0, ...made.size } : rectOf(made, parent);
      if (!contains(around, rect)) wrong.push(`${a} sticks out of ${parent}`);
    });
  }
  return wrong;
}

/** Wires that enter a closed box. */
export function piercedBoxes(input: LayoutInput, made: Layout): string[] {
  const closed = input.boxes.flatMap((box, i) => (box.open ? [] : [i])).sort((a, b) => made.y[a]! - made.y[b]!);
  const wrong: string[] = [];
  for (const piece of allSegments(made)) {
    for (const box of closed) {
      const rect = rectOf(made, box);
      if (rect.y >= Math.max(piece.y0, piece.y1)) break;
      if (enters(piece, rect)) wrong.push(`net ${piece.net} enters box ${box}`);
    }
  }
  return wrong;
}

/** Wires that touch the title of an open box. */
export function struckTitles(input: LayoutInput, made: Layout): string[] {
  const wrong: string[] = [];
  const all = allSegments(made);
  input.boxes.forEach((box, i) => {
    if (!box.open) return;
    const title = { x: made.x[i]! + 12, y: made.y[i]! + 5, width: box.size.width, height: box.size.height - 5 };
    for (const piece of all) if (enters(piece, title)) wrong.push(`net ${piece.net} strikes the title of ${i}`);
  });
  return wrong;
}

/** Labels and tags that a wire, a box or another label touches. */
export function struckTexts(input: LayoutInput, made: Layout): string[] {
  const labels = made.labels.map(({ net, x, y }) => ({ x, y: y + 1, width: input.nets[net]!.label!.width, height: 9 }));
  const texts: Rect[] = [...labels, ...made.tags];
  const all = allSegments(made);
  const closed = input.boxes.flatMap((box, i) => (box.open ? [] : [rectOf(made, i)]));
  return texts.flatMap((text, i) => {
    const wire = all.find((piece) => enters(piece, text));
    if (wire) return [`net ${wire.net} strikes the text at ${text.x},${text.y}`];
    const other = [...closed, ...texts.slice(0, i)].find((rect) => overlaps(rect, text));
    return other ? [`the text at ${text.x},${text.y} overlaps what is at ${other.x},${other.y}`] : [];
  });
}

/** Readers that cannot be reached from the source by wires that continue where another ends. */
export function brokenNets(input: LayoutInput, made: Layout, tunnels: ReadonlySet<number>): string[] {
  const wrong: string[] = [];
  const byNet = new Map<number, (readonly number[])[]>();
  for (const { net, branches } of made.wires) {
    const known = byNet.get(net) ?? [];
    byNet.set(net, [...known, ...branches.map(({ points }) => points)]);
  }
  input.nets.forEach(({ source, readers }, net) => {
    if (tunnels.has(net)) return;
    const reached = reachable(byNet.get(net) ?? [], rectOf(made, source));
    for (const reader of readers) {
      const isInside = isAncestor(input, source, reader) || isAncestor(input, reader, source);
      if (!isInside && !reached.some((end) => onBorder(end, rectOf(made, reader)))) {
        wrong.push(`net ${net} does not lead from ${source} to ${reader}`);
      }
    }
  });
  return wrong;
}

function isAncestor({ boxes }: LayoutInput, outer: number, inner: number): boolean {
  for (let at = inner; at >= 0; at = boxes[at]!.parent) if (at === outer) return true;
  return false;
}

type Point = readonly [number, number];

/** Ends of all wires that hang together with one that starts on the border of `from`. */
function reachable(wires: readonly (readonly number[])[], from: Rect): Point[] {
  const ends: Point[] = [];
  const left = new Set(wires);
  let [progress, first] = [true, true];
  while (progress) {
    progress = false;
    for (const points of left) {
      const start: Point = [points[0]!, points[1]!];
      const joins = first ? onBorder(start, from) : onBorder(start, from) || ends.some((end) => same(end, start));
      if (!joins) continue;
      left.delete(points);
      ends.push([points[points.length - 2]!, points[points.length - 1]!]);
      progress = true;
    }
    if (first) [first, progress] = [false, true];
  }
  return ends;
}

function same(a: Point, b: Point): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function onBorder([x, y]: Point, rect: Rect): boolean {
  const [right, bottom] = [rect.x + rect.width, rect.y + rect.height];
  const within = x >= rect.x && x <= right && y >= rect.y && y <= bottom;
  return within && (x === rect.x || x === right || y === rect.y || y === bottom);
}

/** Points at which pieces of different nets cross; where several branches of a net run together, once. */
export function crossings(pieces: readonly Segment[]): number {
  const level = pieces.filter((piece) => piece.y0 === piece.y1);
  const upright = pieces.filter((piece) => piece.x0 === piece.x1).sort((a, b) => a.x0 - b.x0);
  const points = new Set<string>();
  for (const h of level) {
    const [low, high] = [Math.min(h.x0, h.x1), Math.max(h.x0, h.x1)];
    for (const v of upright) {
      if (v.x0 >= high) break;
      if (v.x0 <= low || v.net === h.net) continue;
      if (Math.min(v.y0, v.y1) < h.y0 && Math.max(v.y0, v.y1) > h.y0) {
        points.add(`${Math.min(v.net, h.net)} ${Math.max(v.net, h.net)} ${Math.round(v.x0)} ${Math.round(h.y0)}`);
      }
    }
  }
  return points.size;
}

/** Parallel pieces of different nets that lie on one another. */
export function overlaid(pieces: readonly Segment[]): string[] {
  const wrong: string[] = [];
  const lines = new Map<string, { net: number; low: number; high: number }[]>();
  for (const { net, x0, y0, x1, y1 } of pieces) {
    const key = x0 === x1 ? `x ${x0}` : `y ${y0}`;
    const [a, b] = x0 === x1 ? [y0, y1] : [x0, x1];
    const line = lines.get(key) ?? [];
    lines.set(key, line);
    const own = { net, low: Math.min(a, b), high: Math.max(a, b) };
    for (const other of line) {
      if (other.net !== net && other.low < own.high && own.low < other.high)
        wrong.push(`nets ${net} and ${other.net} at ${key}`);
    }
    line.push(own);
  }
  return wrong;
}
