/** How a picture is coloured at this moment: theme, overlay, what is selected, what is followed. */

import type { Box, Group } from "../contract/scene.ts";
import { keepsItsColours } from "../scene/recolour.ts";
import type { Colours } from "../scene/colours.ts";
import { inkOf } from "../scene/ink.ts";
import type { Theme } from "../scene/theme.ts";
import { worn } from "../scene/tint.ts";

export interface Look {
  readonly theme: Theme;
  /** For what is selected and followed. */
  readonly accent: string;
  /** Of a measure or a comparison; null without. */
  readonly colours: Pick<Colours, "tints" | "blank" | "signs"> | null;
  readonly selected: string | null;
  /** Under the pointer. */
  readonly hovered: string | null;
  /** The value that is followed, and the boxes that make and read it. */
  readonly followed: number | null;
  readonly ends: ReadonlySet<string>;
  /** Boxes that belong to what is selected elsewhere. */
  readonly found: ReadonlySet<string>;
  /** Data flows to the right. */
  readonly flat: boolean;
}

/** A colour of a shape in a group; a box may wear others than its own. */
export function colour({ theme, colours }: Look, group: Group, box: Box | undefined, own: string): string {
  if (!colours || group.kind !== "box" || !box || keepsItsColours(box)) return inkOf(theme, own);
  return inkOf(theme, worn(colours.tints.get(group.key) ?? colours.blank, own));
}
