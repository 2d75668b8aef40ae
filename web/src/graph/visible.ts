/** What is to be drawn: boxes, some open and some closed, and the values that flow between them. */

/** How often a box stands for itself; in a loop each turn reads what the one before made; `last` is the last such call; `grows` says what grows from one to the next. */
export interface Repeat {
  readonly count: number;
  readonly loop: boolean;
  readonly last: number;
  readonly grows: string;
}

/** How often, and what grows: `×29, cache 3..32`. */
export function timesOf({ count, grows }: Repeat): string {
  return grows ? `×${count}, ${grows}` : `×${count}`;
}

/** A box. The order of a parent's children is the order in which they ran. */
export interface VisibleNode {
  readonly index: number;
  readonly key: string;
  readonly kind: "call" | "fold" | "range" | "input" | "output" | "constant";
  /** The call it shows; of a fold or range, the first one; -1 for inputs, outputs and constants. */
  readonly call: number;
  /** Of a fold, and of an open group that says how often it repeats, the calls of one repeat; of a range, its calls; of an input, an output or a constant, its values. */
  readonly members: readonly number[];
  /** -1 at the top. */
  readonly parent: number;
  readonly children: number[];
  readonly open: boolean;
  readonly openable: boolean;
  readonly repeat: Repeat | null;
  /** The name of an input, an output or a constant, or what a range covers. */
  readonly name: string;
}

/** One value, from the box that made it to the boxes that read it. */
export interface Net {
  readonly value: number;
  readonly source: number;
  readonly readers: readonly number[];
}

export interface VisibleGraph {
  readonly nodes: readonly VisibleNode[];
  readonly top: readonly number[];
  readonly nets: readonly Net[];
  /** By call: the box that shows it, or -1 where it is hidden. */
  readonly box: Int32Array;
  /** How many calls were hidden as constants. */
  readonly hidden: number;
  /** The model was not run: its modules stand in order, and nothing flows between them. */
  readonly still: boolean;
  /** The depth that was used. */
  readonly depth: number;
}
