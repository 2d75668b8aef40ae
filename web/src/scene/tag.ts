/** Tags: the two ends of a tunnel, each naming the tensor. */

import type { Tag } from "../layout/layout.ts";
import { STUB } from "../layout/spacing.ts";
import { type Area, text } from "./draw.ts";
import type { Shape } from "./ink.ts";
import { wire } from "./wire.ts";
import { SMALL } from "./words.ts";

/** A pill with a name, and a stub between it and its box. */
export function drawTag(tag: Tag, box: Area, said: string, flat: boolean): Shape[] {
  const { x, y, width, height } = tag;
  const reads = tag.end === "reader";
  return [
    ...wire([{ points: flat ? sideways(tag, box) : upright(tag, box), arrow: reads }]),
    {
      ...{ kind: "rect" as const, x, y, width, height, radius: height / 2 },
      ...{ fill: "badge" as const, line: null, line_width: 0, dashed: false },
    },
    text(x + width / 2, y + 11, said, SMALL, "badgeText", "middle"),
  ];
}

/** From the tag to the side of the box; a tag above or below the box's height is joined by a corner. */
function sideways({ x, y, width, height, end }: Tag, box: Area): number[] {
  const middle = y + height / 2;
  const at = Math.max(box.y + 4, Math.min(box.y + box.height - 4, middle));
  if (end === "source")
    return [box.x + box.width, at, box.x + box.width + STUB / 2, at, box.x + box.width + STUB / 2, middle, x, middle];
  return [x + width, middle, box.x - STUB / 2 - 2, middle, box.x - STUB / 2 - 2, at, box.x, at];
}

function upright({ x, y, height, end }: Tag, box: Area): number[] {
  const at = x + 10;
  return end === "source" ? [at, box.y + box.height, at, y] : [at, y + height, at, box.y];
}
