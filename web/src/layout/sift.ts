/**
 * Moves elements within their rows, one at a time, to the position with the fewest crossings.
 *
 * Source: Matuszewski, Schönfeld, Molitor, Using Sifting for k-Layer Straightline Crossing Minimization, 1999.
 *
 * Example: the upper row is [a, b, c], the lower [p, q, r]; links are c ──▶ p, a ──▶ q, b ──▶ r. One step to the right
 * takes p past q and removes one crossing, a second one takes it past r and removes another: p moves to the end, and
 * nothing crosses.
 */

import { type Arrangement, swapChange } from "./crossings.ts";
import { type Rows, SLOTS } from "./rows.ts";

const ROUNDS = 8;
/** In longer rows than this, elements move by one position at a time. */
const WIDE = 60;

/** An arrangement while it is changed. */
export interface Working extends Arrangement {
  readonly elements: number[][];
  /** By row: the crossings between it and the next, when they were last counted; and 1 if something moved since. */
  readonly below: Int32Array;
  readonly stale: Uint8Array;
  /** By row: 1 while nothing has moved in it and beside it since it was gone through. */
  readonly settled: Uint8Array;
  /** Space for measuring one row at a time. */
  readonly sides: Sides;
}

export function working(rows: Rows, { elements, position }: Arrangement): Working {
  const { height } = rows;
  const widest = elements.reduce((most, { length }) => Math.max(most, length), 0);
  return {
    elements: elements.map((row) => [...row]),
    position: position.slice(),
    below: new Int32Array(height),
    stale: new Uint8Array(height).fill(1),
    settled: new Uint8Array(height),
    sides: { up: reach(rows, true, widest), down: reach(rows, false, widest) },
  };
}

/** Note that something has moved in a row. */
export function markMoved({ stale, settled }: Working, row: number): void {
  stale[row] = 1;
  settled.fill(0, Math.max(0, row - 1), row + 2);
}

/** Move each element to the position in its row that has fewest crossings, while that removes any. */
export function sift(rows: Rows, now: Working, fixed: ReadonlySet<number>): void {
  for (let round = 0, again = true; again && round < ROUNDS; round++) {
    again = false;
    for (let row = 0; row < rows.height; row++) {
      if (now.settled[row] || fixed.has(row) || now.elements[row]!.length < 2) continue;
      const changed = siftRow(rows, now, row);
      if (changed) markMoved(now, row);
      else now.settled[row] = 1;
      again = changed || again;
    }
  }
}

/** How far the links of a row's elements reach into the row above, or below: it shows which of them cross, on which side. */
interface Reach {
  readonly links: readonly (readonly number[])[];
  readonly far: Int32Array;
  readonly slots: Int32Array | undefined;
  /** By element: where its only link leads; -1 where it has several or none, or where ports are distinct. */
  readonly only: Int32Array;
  /** By element: the leftmost and the rightmost end of its links. */
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** By position in the row: the rightmost end of all before it, the leftmost of all after it. */
  readonly before: Int32Array;
  readonly after: Int32Array;
}

/** What is above a row, and what is below it. */
interface Sides {
  readonly up: Reach;
  readonly down: Reach;
}

const NOWHERE = 0x7fffffff;

function reach(rows: Rows, up: boolean, widest: number): Reach {
  const [links, far] = up ? [rows.up, rows.upper] : [rows.down, rows.lower];
  return {
    links,
    far,
    slots: up ? rows.slots?.upper : rows.slots?.lower,
    only: Int32Array.from(links, (own) => (own.length === 1 && !rows.slots ? far[own[0]!]! : -1)),
    low: new Int32Array(rows.count),
    high: new Int32Array(rows.count),
    before: new Int32Array(widest),
    after: new Int32Array(widest),
  };
}

/** Measure a whole row. Most of the time of a tangled layout is spent here, so the loops allocate nothing. */
export function measureRow(side: Reach, line: readonly number[], position: Int32Array): void {
  const { only, low, high } = side;
  for (let i = 0; i < line.length; i++) {
    const element = line[i]!;
    const end = only[element]!;
    if (end >= 0) low[element] = high[element] = position[end]!;
    else span(side, element, position);
  }
  side.before[0] = -1;
  side.after[line.length - 1] = NOWHERE;
  updateRow(side, line, 0, line.length - 1);
}

function span({ links, far, slots, low, high }: Reach, element: number, position: Int32Array): void {
  const own = links[element]!;
  let least = NOWHERE;
  let most = -1;
  for (let j = 0; j < own.length; j++) {
    const link = own[j]!;
    const end = slots ? position[far[link]!]! * SLOTS + slots[link]! : position[far[link]!]!;
    if (end < least) least = end;
    if (end > most) most = end;
  }
  low[element] = least;
  high[element] = most;
}

/** Measure again after elements were exchanged between two positions of the row. */
function updateRow({ low, high, before, after }: Reach, line: readonly number[], from: number, to: number): void {
  let most = before[from]!;
  for (let i = from; i < to; i++) {
    const end = high[line[i]!]!;
    if (end > most) most = end;
    before[i + 1] = most;
  }
  let least = after[to]!;
  for (let i = to; i > from; i--) {
    const end = low[line[i]!]!;
    if (end < least) least = end;
    after[i - 1] = least;
  }
}

/** Does a link of an element cross one of an element before this position? If not, the element gains nothing by moving there. */
export function crossesBefore(sides: Sides, element: number, seat: number): boolean {
  const { up, down } = sides;
  return up.before[seat]! > up.low[element]! || down.before[seat]! > down.low[element]!;
}

export function crossesAfter(sides: Sides, element: number, seat: number): boolean {
  const { up, down } = sides;
  return up.after[seat]! < up.high[element]! || down.after[seat]! < down.high[element]!;
}

function siftRow(rows: Rows, now: Working, row: number): boolean {
  const { position, sides } = now;
  const { up, down } = sides;
  const line = now.elements[row]!;
  measureRow(up, line, position);
  measureRow(down, line, position);
  const all = [...line];
  let changed = false;
  for (let i = 0; i < all.length; i++) {
    const element = all[i]!;
    const here = position[element]!;
    // What the two functions above say of both hands, without a call for each of very many that cross nothing.
    const left = up.before[here]! > up.low[element]! || down.before[here]! > down.low[element]!;
    if (!left && up.after[here]! >= up.high[element]! && down.after[here]! >= down.high[element]!) continue;
    const best = bestPosition(rows, position, line, element, sides);
    if (best === here) continue;
    changed = true;
    line.splice(here, 1);
    line.splice(best, 0, element);
    const from = Math.min(here, best);
    const to = Math.max(here, best);
    for (let seat = from; seat <= to; seat++) position[line[seat]!] = seat;
    updateRow(up, line, from, to);
    updateRow(down, line, from, to);
  }
  return changed;
}

function bestPosition(
  rows: Rows,
  position: Int32Array,
  line: readonly number[],
  element: number,
  sides: Sides,
): number {
  const here = position[element]!;
  const most = line.length > WIDE ? 1 : line.length;
  let best = here;
  let least = 0;
  let change = 0;
  for (let i = here; i > 0 && here - i < most && crossesBefore(sides, element, i); i--) {
    change += swapChange(rows, position, line[i - 1]!, element);
    if (change < least) ((least = change), (best = i - 1));
  }
  change = 0;
  for (let i = here; i + 1 < line.length && i - here < most && crossesAfter(sides, element, i); i++) {
    change += swapChange(rows, position, element, line[i + 1]!);
    if (change < least) ((least = change), (best = i + 1));
  }
  return best;
}
