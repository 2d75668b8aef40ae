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
  /** Room for what is known of one row at a time. */
  readonly sides: Sides;
}

export function working(rows: Rows, { at, place }: Arrangement): Working {
  const { height } = rows;
  const widest = at.reduce((most, { length }) => Math.max(most, length), 0);
  return {
    at: at.map((row) => [...row]),
    place: place.slice(),
    below: new Int32Array(height),
    stale: new Uint8Array(height).fill(1),
    settled: new Uint8Array(height),
    sides: { up: reach(rows, true, widest), down: reach(rows, false, widest) },
  };
}

/** Note that something has moved in a row. */
export function moved({ stale, settled }: Working, row: number): void {
  stale[row] = 1;
  settled.fill(0, Math.max(0, row - 1), row + 2);
}

/** Move each element to the place in its row that has fewest crossings, while that removes any. */
export function sift(rows: Rows, now: Working, fixed: ReadonlySet<number>): void {
  for (let round = 0, again = true; again && round < ROUNDS; round++) {
    again = false;
    for (let row = 0; row < rows.height; row++) {
      if (now.settled[row] || fixed.has(row) || now.at[row]!.length < 2) continue;
      const changed = siftRow(rows, now, row);
      if (changed) moved(now, row);
      else now.settled[row] = 1;
      again = changed || again;
    }
  }
}

/** How far the links of a row's elements reach on one side of it: it tells which of them cross, and on which hand. */
interface Reach {
  readonly links: readonly (readonly number[])[];
  readonly far: Int32Array;
  readonly slots: Int32Array | undefined;
  /** By element: where its only link leads; -1 where it has several or none, or where ports are told apart. */
  readonly only: Int32Array;
  /** By element: the leftmost and the rightmost end of its links. */
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** By place in the row: the rightmost end of all before it, the leftmost of all after it. */
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

/** Take in a whole row. Here most of the time of a tangled layout goes: nothing is made in the loops. */
export function lookAt(side: Reach, line: readonly number[], place: Int32Array): void {
  const { only, low, high } = side;
  for (let i = 0; i < line.length; i++) {
    const element = line[i]!;
    const end = only[element]!;
    if (end >= 0) low[element] = high[element] = place[end]!;
    else span(side, element, place);
  }
  side.before[0] = -1;
  side.after[line.length - 1] = NOWHERE;
  lookAgain(side, line, 0, line.length - 1);
}

function span({ links, far, slots, low, high }: Reach, element: number, place: Int32Array): void {
  const own = links[element]!;
  let least = NOWHERE;
  let most = -1;
  for (let j = 0; j < own.length; j++) {
    const link = own[j]!;
    const end = slots ? place[far[link]!]! * SLOTS + slots[link]! : place[far[link]!]!;
    if (end < least) least = end;
    if (end > most) most = end;
  }
  low[element] = least;
  high[element] = most;
}

/** Take in that elements have changed places between two places in the row. */
function lookAgain({ low, high, before, after }: Reach, line: readonly number[], from: number, to: number): void {
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

/** Does some link of an element cross one of what stands before a place? If not, it gains nothing by a move to there. */
export function crossesBefore(sides: Sides, element: number, seat: number): boolean {
  const { up, down } = sides;
  return up.before[seat]! > up.low[element]! || down.before[seat]! > down.low[element]!;
}

export function crossesAfter(sides: Sides, element: number, seat: number): boolean {
  const { up, down } = sides;
  return up.after[seat]! < up.high[element]! || down.after[seat]! < down.high[element]!;
}

function siftRow(rows: Rows, now: Working, row: number): boolean {
  const { place, sides } = now;
  const { up, down } = sides;
  const line = now.at[row]!;
  lookAt(up, line, place);
  lookAt(down, line, place);
  const all = [...line];
  let changed = false;
  for (let i = 0; i < all.length; i++) {
    const element = all[i]!;
    const here = place[element]!;
    // What the two functions above say of both hands, without a call for each of very many that cross nothing.
    const left = up.before[here]! > up.low[element]! || down.before[here]! > down.low[element]!;
    if (!left && up.after[here]! >= up.high[element]! && down.after[here]! >= down.high[element]!) continue;
    const best = bestPlace(rows, place, line, element, sides);
    if (best === here) continue;
    changed = true;
    line.splice(here, 1);
    line.splice(best, 0, element);
    const from = Math.min(here, best);
    const to = Math.max(here, best);
    for (let seat = from; seat <= to; seat++) place[line[seat]!] = seat;
    lookAgain(up, line, from, to);
    lookAgain(down, line, from, to);
  }
  return changed;
}

function bestPlace(rows: Rows, place: Int32Array, line: readonly number[], element: number, sides: Sides): number {
  const here = place[element]!;
  const most = line.length > WIDE ? 1 : line.length;
  let best = here;
  let least = 0;
  let change = 0;
  for (let i = here; i > 0 && here - i < most && crossesBefore(sides, element, i); i--) {
    change += turning(rows, place, line[i - 1]!, element);
    if (change < least) ((least = change), (best = i - 1));
  }
  change = 0;
  for (let i = here; i + 1 < line.length && i - here < most && crossesAfter(sides, element, i); i++) {
    change += turning(rows, place, element, line[i + 1]!);
    if (change < least) ((least = change), (best = i + 1));
  }
  return best;
}
