/** Elements moved within their rows, one at a time, to where they have fewest crossings. */

import { type Arrangement, turning } from "./crossings.ts";
import { type Rows, SLOTS } from "./rows.ts";

const ROUNDS = 8;
/** In longer rows than this, elements are moved by one place at a time. */
const WIDE = 60;

/** An arrangement while it is changed. */
export interface Working extends Arrangement {
  readonly at: number[][];
  /** By row: the crossings between it and the next, when they were last counted; and 1 if something moved since. */
  readonly below: Int32Array;
  readonly stale: Uint8Array;
  /** By row: 1 while nothing has moved in it and beside it since it was gone through. */
  readonly settled: Uint8Array;
}

export function working({ height }: Rows, { at, place }: Arrangement): Working {
  return {
    at: at.map((row) => [...row]),
    place: place.slice(),
    below: new Int32Array(height),
    stale: new Uint8Array(height).fill(1),
    settled: new Uint8Array(height),
  };
}

/** Note that something has moved in a row. */
export function moved({ stale, settled }: Working, row: number): void {
  stale[row] = 1;
  settled.fill(0, Math.max(0, row - 1), row + 2);
}

/** Move each element to the place in its row that has fewest crossings, while that removes any. */
export function sift(rows: Rows, now: Working, fixed: ReadonlySet<number>): void {
  const widest = now.at.reduce((most, { length }) => Math.max(most, length), 0);
  const sides = [reach(rows, "up", widest), reach(rows, "down", widest)] as const;
  for (let round = 0, again = true; again && round < ROUNDS; round++) {
    again = false;
    for (let row = 0; row < rows.height; row++) {
      if (now.settled[row] || fixed.has(row) || now.at[row]!.length < 2) continue;
      const changed = siftRow(rows, now, row, sides);
      if (changed) moved(now, row);
      else now.settled[row] = 1;
      again = changed || again;
    }
  }
}

/** How far the links of a row's elements reach on one side of it: it tells which of them cross, and on which hand. */
export interface Reach {
  readonly links: readonly (readonly number[])[];
  readonly far: Int32Array;
  readonly slots: Int32Array | undefined;
  /** By element: the leftmost and the rightmost end of its links. */
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** By place in the row: the rightmost end of all before it, the leftmost of all after it. */
  readonly before: Int32Array;
  readonly after: Int32Array;
}

const NOWHERE = 0x7fffffff;

export function reach(rows: Rows, side: "up" | "down", widest: number): Reach {
  const up = side === "up";
  return {
    links: up ? rows.up : rows.down,
    far: up ? rows.upper : rows.lower,
    slots: up ? rows.slots?.upper : rows.slots?.lower,
    low: new Int32Array(rows.count),
    high: new Int32Array(rows.count),
    before: new Int32Array(widest),
    after: new Int32Array(widest),
  };
}

/** Take in a whole row. */
export function lookAt(side: Reach, line: readonly number[], place: Int32Array): void {
  const { links, far, slots, low, high } = side;
  for (let i = 0; i < line.length; i++) {
    const own = links[line[i]!]!;
    let [least, most] = [NOWHERE, -1];
    for (let j = 0; j < own.length; j++) {
      const link = own[j]!;
      const end = slots ? place[far[link]!]! * SLOTS + slots[link]! : place[far[link]!]!;
      if (end < least) least = end;
      if (end > most) most = end;
    }
    low[line[i]!] = least;
    high[line[i]!] = most;
  }
  side.before[0] = -1;
  side.after[line.length - 1] = NOWHERE;
  lookAgain(side, line, 0, line.length - 1);
}

/** Take in that elements have changed places between two places in the row. */
function lookAgain({ low, high, before, after }: Reach, line: readonly number[], from: number, to: number): void {
  for (let i = from; i < to; i++) before[i + 1] = Math.max(before[i]!, high[line[i]!]!);
  for (let i = to; i > from; i--) after[i - 1] = Math.min(after[i]!, low[line[i]!]!);
}

/** Does some link of the element cross one of what stands before a place, or after it? If not, it gains nothing there. */
export function crossesBefore({ low, before }: Reach, element: number, seat: number): boolean {
  return before[seat]! > low[element]!;
}

export function crossesAfter({ high, after }: Reach, element: number, seat: number): boolean {
  return after[seat]! < high[element]!;
}

function siftRow(rows: Rows, now: Working, row: number, sides: readonly [Reach, Reach]): boolean {
  const line = now.at[row]!;
  const [up, down] = sides;
  lookAt(up, line, now.place);
  lookAt(down, line, now.place);
  let changed = false;
  for (const element of [...line]) {
    const here = now.place[element]!;
    const best = bestPlace(rows, now.place, line, element, sides);
    if (best === here) continue;
    changed = true;
    line.splice(here, 1);
    line.splice(best, 0, element);
    const [from, to] = here < best ? [here, best] : [best, here];
    for (let i = from; i <= to; i++) now.place[line[i]!] = i;
    lookAgain(up, line, from, to);
    lookAgain(down, line, from, to);
  }
  return changed;
}

function bestPlace(
  rows: Rows,
  place: Int32Array,
  line: readonly number[],
  element: number,
  [up, down]: readonly [Reach, Reach],
): number {
  const here = place[element]!;
  const step = line.length > WIDE ? 1 : line.length;
  let [best, least, change] = [here, 0, 0];
  for (let i = here; i > 0 && here - i < step; i--) {
    if (!crossesBefore(up, element, i) && !crossesBefore(down, element, i)) break;
    change += turning(rows, place, line[i - 1]!, element);
    if (change < least) [best, least] = [i - 1, change];
  }
  change = 0;
  for (let i = here; i + 1 < line.length && i - here < step; i++) {
    if (!crossesAfter(up, element, i) && !crossesAfter(down, element, i)) break;
    change += turning(rows, place, element, line[i + 1]!);
    if (change < least) [best, least] = [i + 1, change];
  }
  return best;
}
