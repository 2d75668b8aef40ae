/** A sign at the corner of a box: what became of it, not by colour alone. */

import { rect, text } from "./draw.ts";
import type { Hex } from "./hex.ts";
import type { Shape } from "./ink.ts";

/** Dark on its own colour, `#rrggbb`. */
export interface Sign {
  readonly text: string;
  readonly fill: Hex;
}

/** Side of the plate that bears a sign, in pixels of the drawing. */
const SIDE = 14;
const INK = "#000000";

/** The plate stands on the left upper corner, where a box has neither words nor a button. */
export function drawSign({ x, y }: { readonly x: number; readonly y: number }, sign: Sign): Shape[] {
  const plate = { x: x - SIDE / 2, y: y - SIDE / 2, width: SIDE, height: SIDE };
  return [rect(plate, 3, sign.fill, null), text(x, y + 4.5, sign.text, { size: 13, bold: true }, INK, "middle")];
}
