/** What colours say of the boxes that are shown: the numbers of a measure, or the marks of a comparison. */

import type { Measure } from "../contract/payload.ts";
import type { Legend } from "../contract/scene.ts";
import type { Indexed } from "../graph/index.ts";
import { holdersOf, repeatsOf } from "../graph/repeats.ts";
import type { VisibleGraph, VisibleNode } from "../graph/visible.ts";
import { legendOf, marksLegend } from "./legend.ts";
import { DIFFERENCE, type Marked, SIGNS, markOf } from "./marks.ts";
import { type Datum, scaleOf } from "./scale.ts";
import type { Sign } from "./sign.ts";
import { type Theme, THEMES, type ThemeName } from "./theme.ts";
import { type Tint, blankTint, hueTint, tint } from "./tint.ts";

/** A picture and what is known of its graph. */
export interface MeasuredView {
  readonly indexed: Indexed;
  readonly measures: readonly Measure[];
  readonly marks: Marked | null;
  readonly visible: VisibleGraph;
}

/** By the keys of boxes. */
export interface Colours {
  readonly said: ReadonlyMap<string, number | string>;
  readonly tints: ReadonlyMap<string, Tint>;
  /** For closed boxes without a tint. */
  readonly blank: Tint;
  readonly signs: ReadonlyMap<string, Sign>;
  readonly legend: Legend;
}

/** The colours by a name; null where nothing has it. They mean the same in the picture `beside` this one. */
export function coloursOf(
  shown: MeasuredView,
  name: string | null,
  theme: ThemeName,
  beside: MeasuredView | null = null,
): Colours | null {
  if (name === DIFFERENCE && shown.marks) return differing(shown, shown.marks, THEMES[theme]);
  const measure = shown.measures.find((each) => each.name === name);
  return measure ? measured(shown, measure, THEMES[theme], beside) : null;
}

function measured(shown: MeasuredView, measure: Measure, theme: Theme, beside: MeasuredView | null): Colours {
  const all = valuesOfClosed(shown, measure);
  const other = beside?.measures.find(({ name }) => name === measure.name);
  const others = beside && other ? [...valuesOfClosed(beside, other).values()] : [];
  const scale = scaleOf([...all.values(), ...others], measure.linear);
  const tints = new Map([...all].map(([key, one]) => [key, tint(scale, theme, one)]));
  return { said: all, tints, blank: blankTint(theme), signs: new Map(), legend: legendOf(measure, scale, theme) };
}

/** Nothing is a number like others only where somebody gave it. */
function valuesOfClosed({ indexed, visible }: MeasuredView, measure: Measure): Map<string, number | string> {
  const values = new Map<string, number | string>();
  for (const node of visible.nodes) {
    const one = node.open ? null : valueOfBox(measure, indexed, node);
    if (one !== null && (one !== 0 || measure.overlay)) values.set(node.key, one);
  }
  return values;
}

/** What a measure says of a box; of repeats shown once, all of them together, but of a loop the weights of one turn. */
export function valueOfBox(measure: Measure, indexed: Indexed, node: VisibleNode): Datum {
  if (node.call < 0) return null;
  let together: number | null = null;
  for (const call of measure.of_weights ? holdersOf(indexed, node) : repeatsOf(indexed, node)) {
    const one = measure.values[call] ?? null;
    if (typeof one === "string") return one;
    if (one !== null)
      together = together === null ? one : measure.aggregate === "sum" ? together + one : Math.max(together, one);
  }
  return together;
}

function differing({ indexed, visible }: MeasuredView, marks: Marked, theme: Theme): Colours {
  const [tints, signs] = [new Map<string, Tint>(), new Map<string, Sign>()];
  for (const node of visible.nodes) {
    const mark = markOf(marks, node, repeatsOf(indexed, node));
    if (!mark) continue;
    tints.set(node.key, hueTint(theme, SIGNS[mark].hue));
    signs.set(node.key, { text: SIGNS[mark].sign, fill: SIGNS[mark].hue });
  }
  return { said: new Map(), tints, blank: blankTint(theme), signs, legend: marksLegend(theme) };
}
