/** What the colours of a picture say: as data, and as shapes below it. */

import type { Measure } from "../contract/payload.ts";
import type { Legend, Sample, Scene } from "../contract/scene.ts";
import type { Hex } from "./hex.ts";
import type { Shape } from "./ink.ts";
import { rect, text } from "./draw.ts";
import { DIFFERENCE, MARKS, SIGNS } from "./marks.ts";
import { clean, shorten, textWidth } from "./measure.ts";
import { quantity } from "../graph/numbers.ts";
import type { Scale } from "./scale.ts";
import type { Theme } from "./theme.ts";
import { type Tint, blankTint, hueTint, numberTint, tint } from "./tint.ts";

/** Colours of a scale, as many as the eye can tell apart. */
const STEPS = 24;
const NONE = "no closed box has any";

export function legendOf({ title, unit }: Measure, scale: Scale, theme: Theme): Legend {
  if (scale.kind === "words") {
    return {
      title,
      note: "",
      scale: false,
      samples: scale.words.map((word) => sample(word, tint(scale, theme, word))),
    };
  }
  // Open boxes are not coloured: what is around others may have a number all the same.
  if (scale.from === 0 && scale.to === 0) return { title, note: NONE, scale: false, samples: [] };
  const samples = Array.from({ length: STEPS }, (_, step) => {
    const said = step === 0 ? quantity(scale.from, unit) : step === STEPS - 1 ? quantity(scale.to, unit) : "";
    return sample(said, numberTint(theme, step / (STEPS - 1)));
  });
  return { title, note: scale.log ? "logarithmic" : "", scale: true, samples };
}

/** What the signs of a comparison say. */
export function marksLegend(theme: Theme): Legend {
  const marks = MARKS.map((mark) => sample(`${SIGNS[mark].sign} ${mark}`, hueTint(theme, SIGNS[mark].hue)));
  return { title: DIFFERENCE, note: "", scale: false, samples: [...marks, sample("same", blankTint(theme))] };
}

function sample(said: string, { fill, line }: Tint): Sample {
  return { text: said, fill, line };
}

const EDGE = 14;
const LINE = 16;
const SWATCH = { width: 34, height: 11 };
const RAMP = 170;
/** Of a step and the next, so that no paper shines through between them. */
const OVERLAP = 0.5;
const BOLD = { size: 10, bold: true };
const PLAIN = { size: 10, bold: false };
const WIDEST = 400;
/** Between the picture and the legend. */
const GAP = 14;

/** The shapes of a legend, and the room that they take; its title is at the top. */
interface Block {
  readonly shapes: readonly Shape[];
  readonly width: number;
  readonly height: number;
}

/** The legend with its left upper corner at a place. */
function drawLegend(legend: Legend, x: number, y: number): Block {
  const title = text(x + EDGE, y + 10, shorten(clean(legend.title), BOLD, WIDEST), BOLD, "text");
  const note = legend.scale ? text(x + EDGE + RAMP, y + 10, legend.note, PLAIN, "text", "end") : null;
  const shapes: Shape[] = note && note.text ? [title, note] : [title];
  if (legend.scale) shapes.push(...ramp(legend.samples, x + EDGE, y + LINE));
  else if (legend.note) shapes.push(text(x + EDGE, y + LINE + 10, legend.note, PLAIN, "text"));
  else legend.samples.forEach((one, i) => shapes.push(...swatch(one, x + EDGE, y + LINE * (i + 1))));
  const right = Math.max(...shapes.map(rightOf), title.x + title.width + (note ? note.width + EDGE : 0));
  const lines = 1 + (legend.scale ? 2 : Math.max(1, legend.samples.length));
  return { shapes, width: right + EDGE - x, height: LINE * lines + EDGE };
}

/** The picture with its legend below it: higher by that, and wider where the legend is the wider one. */
export function withLegend(scene: Scene): Scene {
  if (!scene.legend) return scene;
  const { shapes, width, height } = drawLegend(scene.legend, 0, scene.height + GAP);
  return {
    ...scene,
    width: Math.max(scene.width, width),
    height: scene.height + GAP + height,
    groups: [...scene.groups, { kind: "legend", key: "", value: -1, title: "", shapes }],
  };
}

/** The samples side by side, in one row. */
export function drawRow({ samples }: Legend, x: number, y: number): Block {
  const shapes: Shape[] = [];
  let at = x;
  for (const one of samples) {
    shapes.push(...swatch(one, at, y));
    at += SWATCH.width + 8 + Math.ceil(textWidth(one.text, PLAIN)) + EDGE;
  }
  return { shapes, width: at - x, height: LINE };
}

function swatch({ text: said, fill, line }: Sample, x: number, y: number): Shape[] {
  const words = text(x + SWATCH.width + 8, y + 9, shorten(clean(said), PLAIN, WIDEST), PLAIN, "text");
  return [rect({ x, y, ...SWATCH }, 0, fill as Hex, line as Hex), words];
}

function ramp(samples: readonly Sample[], x: number, y: number): Shape[] {
  const width = RAMP / samples.length;
  const steps = samples.map(({ fill }, i) =>
    rect(
      { x: x + i * width, y, width: width + (i < samples.length - 1 ? OVERLAP : 0), height: SWATCH.height },
      0,
      fill as Hex,
      null,
    ),
  );
  const frame = rect({ x, y, width: RAMP, height: SWATCH.height }, 0, null, samples[0]!.line as Hex);
  const [least, most] = [samples[0]!.text, samples[samples.length - 1]!.text];
  return [
    ...steps,
    frame,
    text(x, y + LINE + 9, least, PLAIN, "text"),
    text(x + RAMP, y + LINE + 9, most, PLAIN, "text", "end"),
  ];
}

function rightOf(shape: Shape): number {
  if (shape.kind === "rect") return shape.x + shape.width;
  if (shape.kind === "path" || shape.anchor === "end") return 0;
  return shape.x + shape.width;
}
