/** How a picture is coloured at this moment: theme, overlay, what is selected, what is followed. */

import type { Group } from "../scene/model.ts";
import type { Theme } from "../scene/theme.ts";

/** Colours of one box under an overlay. */
export interface Tint {
  readonly fill: string;
  readonly line: string;
  readonly bar: string;
}

/** A sign at the corner of a box, dark on its own colour. */
export interface Sign {
  readonly text: string;
  readonly fill: string;
}

export interface Look {
  readonly theme: Theme;
  /** For what is selected and followed. */
  readonly accent: string;
  /** By key; null without an overlay. Boxes that are not in it have no number. */
  readonly tints: ReadonlyMap<string, Tint> | null;
  readonly blank: Tint;
  /** By key. */
  readonly signs: ReadonlyMap<string, Sign>;
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

/** The colour of a token in a group: an overlay takes the place of a closed box's own. */
export function colour(look: Look, group: Group, token: keyof Theme): string {
  if (!look.tints || group.kind !== "box" || token.startsWith("end.") || token.startsWith("error.")) {
    return look.theme[token];
  }
  const part = token.split(".")[1];
  if (part !== "fill" && part !== "line" && part !== "bar") return look.theme[token];
  return (look.tints.get(group.key) ?? look.blank)[part];
}
