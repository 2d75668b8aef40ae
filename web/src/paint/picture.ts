/** A scene made ready for painting: where each group is, its paths, and which groups are near a place. */

import type { Box, Group, Path, Scene } from "../contract/scene.ts";
import type { Box as Area } from "./camera.ts";

/** Cells are square; most boxes lie in one or two of them. */
const CELL = 256;
/** What lies in more cells than this is looked at always. */
const SPREAD = 64;

export interface Item {
  readonly group: Group;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Picture {
  readonly scene: Scene;
  readonly items: readonly Item[];
  readonly boxOf: ReadonlyMap<string, Box>;
  /** Boxes with a button that opens or closes them. */
  readonly buttons: ReadonlySet<string>;
  /** Indices of items that touch a box, in drawing order. */
  near(box: Area): number[];
}

/** `plain` are boxes that can be opened but have no button: what is in them is hardly worth a look. */
export function picture(scene: Scene, plain: ReadonlySet<string> = new Set()): Picture {
  const items = scene.groups.map(measured);
  const grid = new Grid(items);
  const boxOf = new Map(scene.boxes.map((place) => [place.key, place]));
  const buttons = scene.boxes.filter(({ key, openable, open }) => openable && (open || !plain.has(key)));
  return { scene, items, boxOf, buttons: new Set(buttons.map(({ key }) => key)), near: (box) => grid.near(box) };
}

function measured(group: Group): Item {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const reach = (x0: number, y0: number, x1: number, y1: number): void => {
    [left, top] = [Math.min(left, x0), Math.min(top, y0)];
    [right, bottom] = [Math.max(right, x1), Math.max(bottom, y1)];
  };
  for (const shape of group.shapes) {
    if (shape.kind === "rect") reach(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height);
    else if (shape.kind === "path") for (const [x, y] of corners(shape)) reach(x, y, x, y);
    else {
      const shift = shape.anchor === "start" ? 0 : shape.anchor === "middle" ? shape.width / 2 : shape.width;
      reach(shape.x - shift, shape.y - shape.size, shape.x - shift + shape.width, shape.y + shape.size / 3);
    }
  }
  return { group, left, top, right, bottom };
}

/** The points that a path names; arcs are small, and lie between theirs. */
export function corners({ d }: Path): [number, number][] {
  return lines(d).flat();
}

/** The lines of a path, each as its points; a curve counts as the corner that it rounds. */
export function lines(d: string): [number, number][][] {
  const found: [number, number][][] = [];
  for (const [, letter, numbers] of d.matchAll(/([MLQAZ])([^MLQAZ]*)/g)) {
    const given = (numbers!.match(/-?[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
    if (letter === "M") found.push([]);
    const line = found[found.length - 1];
    const from = letter === "A" ? given.length - 2 : 0;
    for (let i = from; line && i + 1 < given.length; i += 2) line.push([given[i]!, given[i + 1]!]);
  }
  return found;
}

class Grid {
  private readonly cells = new Map<number, number[]>();
  private readonly wide: number[] = [];
  private readonly mark: Int32Array;
  private turn = 0;

  constructor(private readonly items: readonly Item[]) {
    this.mark = new Int32Array(items.length);
    items.forEach((item, i) => this.add(item, i));
  }

  private add({ left, top, right, bottom }: Item, i: number): void {
    if (!(right >= left)) return;
    const [c0, r0, c1, r1] = [cell(left), cell(top), cell(right), cell(bottom)];
    if ((c1 - c0 + 1) * (r1 - r0 + 1) > SPREAD) {
      this.wide.push(i);
      return;
    }
    for (let c = c0; c <= c1; c++) {
      for (let r = r0; r <= r1; r++) {
        const known = this.cells.get(key(c, r));
        if (known) known.push(i);
        else this.cells.set(key(c, r), [i]);
      }
    }
  }

  near(box: Area): number[] {
    const [right, bottom] = [box.x + box.width, box.y + box.height];
    const touches = ({ left, top, right: r, bottom: b }: Item): boolean =>
      left <= right && r >= box.x && top <= bottom && b >= box.y;
    const [c0, r0, c1, r1] = [cell(box.x), cell(box.y), cell(right), cell(bottom)];
    if ((c1 - c0 + 1) * (r1 - r0 + 1) > this.cells.size) {
      return [...this.items.keys()].filter((i) => touches(this.items[i]!));
    }
    this.turn += 1;
    const found = this.wide.filter((i) => touches(this.items[i]!));
    for (let c = c0; c <= c1; c++) {
      for (let r = r0; r <= r1; r++) this.collect(this.cells.get(key(c, r)) ?? [], touches, found);
    }
    return found.sort((a, b) => a - b);
  }

  private collect(cells: readonly number[], touches: (item: Item) => boolean, found: number[]): void {
    for (const i of cells) {
      if (this.mark[i] === this.turn) continue;
      this.mark[i] = this.turn;
      if (touches(this.items[i]!)) found.push(i);
    }
  }
}

function cell(at: number): number {
  return Math.floor(at / CELL);
}

/** Columns and rows of drawings up to 2^25 cells wide, in one number. */
function key(column: number, row: number): number {
  return column * 67108864 + row;
}
