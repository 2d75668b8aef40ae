/** A picture in the colours of a measure or a comparison, with signs. */

import type { Box, Group, Scene } from "../contract/scene.ts";
import type { Colours } from "./colours.ts";
import { inked } from "./ink.ts";
import { drawSign } from "./sign.ts";
import { worn } from "./tint.ts";

/** The same picture, its legend not drawn yet. */
export function withColours(scene: Scene, colours: Colours): Scene {
  const boxes = scene.boxes.map((box) => colouredBox(box, colours));
  const plain = new Set(scene.boxes.filter(keepsItsColours).map(({ key }) => key));
  const groups = scene.groups.map((group) => {
    if (group.kind !== "box" || plain.has(group.key)) return group;
    const tint = colours.tints.get(group.key) ?? colours.blank;
    return { ...group, shapes: group.shapes.map((shape) => inked(shape, (colour) => worn(tint, colour))) };
  });
  const signs = scene.boxes.flatMap((box): Group[] => {
    const sign = colours.signs.get(box.key);
    return sign ? [{ kind: "sign", key: box.key, value: -1, title: "", shapes: drawSign(box, sign) }] : [];
  });
  return { ...scene, boxes, groups: [...groups, ...signs], legend: colours.legend };
}

/** Inputs, outputs and what failed look as without colours. */
export function keepsItsColours({ fill }: Box): boolean {
  return fill.startsWith("end.") || fill.startsWith("error.");
}

function colouredBox(box: Box, { said, tints, blank, signs }: Colours): Box {
  const mark = signs.get(box.key)?.text ?? "";
  if (box.open || keepsItsColours(box)) return { ...box, mark };
  const { fill, line } = tints.get(box.key) ?? blank;
  return { ...box, fill, line, mark, value: said.get(box.key) ?? null };
}
