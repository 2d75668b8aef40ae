/** The picture as plain shapes, in drawing order; painters know these and nothing else. */

import type { Token } from "./theme.ts";

export interface Rect {
  readonly kind: "rect";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly radius: number;
  readonly fill: Token | null;
  readonly line: Token | null;
  readonly lineWidth: number;
  readonly dashed: boolean;
}

/** `d` as in SVG, of M, L, Q, A and Z in absolute coordinates. */
export interface Path {
  readonly kind: "path";
  readonly d: string;
  readonly fill: Token | null;
  readonly line: Token | null;
  readonly lineWidth: number;
}

/** One line of text; `y` is its baseline. */
export interface Text {
  readonly kind: "text";
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly size: number;
  readonly bold: boolean;
  readonly anchor: "start" | "middle" | "end";
  readonly fill: Token;
  /** As measured, in pixels. */
  readonly width: number;
}

export type Shape = Rect | Path | Text;

/** What belongs together: a box with its texts, a wire, a tag, a label. */
export interface Group {
  readonly kind: "frame" | "box" | "wire" | "tag" | "label";
  /** The key of the box, or of the box that makes the value. */
  readonly key: string;
  /** The value that a wire, tag or label shows; -1 for boxes. */
  readonly value: number;
  /** Shown when pointed at. */
  readonly title: string;
  readonly shapes: readonly Shape[];
}

/** Where a box stands, and whether it can be opened: what a page needs to be clicked on. */
export interface Place {
  readonly key: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly open: boolean;
  readonly openable: boolean;
}

export interface Scene {
  readonly width: number;
  readonly height: number;
  readonly groups: readonly Group[];
  readonly places: readonly Place[];
  /** What the picture leaves out, in words. */
  readonly notes: readonly string[];
}
