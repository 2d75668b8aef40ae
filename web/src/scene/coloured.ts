/** A picture in the colours of a measure or a comparison, with signs and a legend. */

import type { Box, Group, Scene } from "../contract/scene.ts";
import type { Colours } from "./colours.ts";
import { inked } from "./ink.ts";
import { drawLegend } from "./legend.ts";
import { drawSign } from "./sign.ts";
import { worn } from "./tint.ts";

/** The same picture, without a legend. */
export function coloured(scene: Scene, colours: Colours): Scene {
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

/** The picture with its legend below it: higher by that, and wider where the legend is the wider one. */
export function explained(scene: Scene): Scene {
  if (!scene.legend) return scene;
  const { shapes, width, height } = drawLegend(scene.legend, 0, scene.height + GAP);
  return {
    ...scene,
    width: Math.max(scene.width, width),
    height: scene.height + GAP + height,
    groups: [...scene.groups, { kind: "legend", key: "", value: -1, title: "", shapes }],
  };
}

const GAP = 14;
