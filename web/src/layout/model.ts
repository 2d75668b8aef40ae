/** What the layout is given and what it returns; it knows boxes, nets and sizes, and nothing of calls. */

/** `TB`: data flows from top to bottom; `LR`: from left to right. */
export type Direction = "TB" | "LR";

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A box; open boxes take the size of what is in them. */
export interface LayoutBox {
  /** -1 at the top; always lower than its own index. */
  readonly parent: number;
  readonly children: readonly number[];
  /** Of a closed box, its own size; of an open one, of its title. */
  readonly size: Size;
  readonly open: boolean;
  /** It belongs at the start of the flow; what nothing such leads to stands near its readers instead. */
  readonly first: boolean;
  /** Of the label of the arc that says that it repeats with itself; null without one. */
  readonly loop: Size | null;
}

/** A value, from the box that makes it to the boxes that read it. */
export interface LayoutNet {
  readonly source: number;
  readonly readers: readonly number[];
  /** Of the text beside its start. */
  readonly label: Size | null;
  /** Of the tag that stands for it where it is drawn as a tunnel. */
  readonly tag: Size;
}

export interface LayoutInput {
  readonly boxes: readonly LayoutBox[];
  readonly top: readonly number[];
  readonly nets: readonly LayoutNet[];
  readonly direction: Direction;
  /** Nothing flows: boxes stand in order, one below or beside the other. */
  readonly still: boolean;
  /** Of the tag that stands for several tunnels. */
  readonly restTag: Size;
}

/** One way of a wire, from where data leaves to where it arrives. */
export interface Branch {
  /** x0, y0, x1, y1, …: horizontal and vertical in turn. */
  readonly points: readonly number[];
  /** It ends at a closed box, and not at the border of an open one. */
  readonly arrow: boolean;
}

/** A net inside one open box: from one box or border to others. */
export interface Wire {
  readonly net: number;
  readonly branches: readonly Branch[];
}

/** A stub of a net that is drawn as a tunnel, or of several, hanging on a box. */
export interface Tag {
  readonly nets: readonly number[];
  readonly box: number;
  readonly end: "source" | "reader";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The text beside the start of a net; x and y are its top left corner. */
export interface Label {
  readonly net: number;
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly width: Float64Array;
  readonly height: Float64Array;
  readonly wires: readonly Wire[];
  readonly tags: readonly Tag[];
  readonly labels: readonly Label[];
  readonly size: Size;
  /** How many distinct groups were laid out; all others were the same as one of these. */
  readonly distinct: number;
}
