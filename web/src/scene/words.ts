/** The words and numbers on a box, and the room that they take. */

import type { Call, Value } from "../contract/graph.ts";
import { type Facts, countOf, leafNames, settings } from "../graph/facts.ts";
import { shortName } from "../graph/names.ts";
import { short, size } from "../graph/numbers.ts";
import { shapeText } from "../graph/shapes.ts";
import { timesOf, type VisibleGraph, type VisibleNode } from "../graph/visible.ts";
import { type Font, clean, shorten, textWidth } from "./measure.ts";
import { hueOf } from "./hue.ts";
import type { Hue } from "./theme.ts";

export const TITLE: Font = { size: 12, bold: true };
export const PLAIN: Font = { size: 12, bold: false };
export const SMALL: Font = { size: 10, bold: false };
/** Beside wires. */
export const LABEL: Font = { size: 9, bold: false };
/** No text on a box is wider. */
export const WIDEST = 240;

export type LabelKind = "shape" | "params" | "flops";

/** Two lines: a name with what qualifies it, then smaller what it is and how large. */
export interface Words {
  readonly name: string;
  /** After the name, in plain type: settings. */
  readonly detail: string;
  /** Second line, left and right; both empty where there is no second line. */
  readonly left: string;
  readonly right: string;
  readonly badge: string;
  readonly hue: Hue;
  readonly failed: boolean;
  /** In full, for pointing at. */
  readonly title: string;
}

export interface Speaker {
  readonly facts: Facts;
  readonly visible: VisibleGraph;
  readonly labels: ReadonlySet<LabelKind>;
}

export function words(speaker: Speaker, node: VisibleNode): Words {
  const said = node.call >= 0 && node.kind === "call" ? callWords(speaker, node) : otherWords(speaker, node);
  const fit = (text: string, font: Font): string => shorten(clean(text), font, WIDEST);
  const name = fit(said.name, TITLE);
  const detail = shorten(clean(said.detail), PLAIN, Math.max(40, WIDEST - textWidth(name, TITLE)));
  return { ...said, name, detail, left: fit(said.left, SMALL), right: fit(said.right, SMALL) };
}

/** Classes that say nothing: such boxes go by their own name. */
const PLAIN_BOXES = new Set(["Sequential", "ModuleList", "ModuleDict", "Module"]);

function callWords(speaker: Speaker, node: VisibleNode): Words {
  const { facts } = speaker;
  const call = facts.graph.calls[node.call]!;
  const [name, times] = nameAndTimes(call, node);
  const path = ownPath(speaker, node, call) + runOf(speaker, node);
  const failed = call.error !== null;
  const named = path !== "" && call.kind !== "group" && (node.open || PLAIN_BOXES.has(name.replace("?", "")));
  const error = failed && facts.graph.error === call.id ? call.error! : "";
  return {
    name: named ? path : name,
    detail: node.open ? "" : call.kind === "saved" ? savedWord(facts, call) : settings(facts, call),
    left: error || (named ? name : node.open && call.kind !== "group" ? "" : path || under(speaker, call, name)),
    right:
      call.kind === "saved"
        ? memory(facts, call)
        : numbers(speaker, call, node.repeat?.grows ? node.repeat.last : call.id),
    badge: node.repeat ? timesOf(node.repeat) : times,
    hue: hueOf(facts.graph, node),
    failed,
    title: titleOf(facts, call, name, error),
  };
}

/** In full: the path and the class, or the function; of a backward node, torch's name and the leaf it feeds. */
function titleOf(facts: Facts, call: Call, name: string, error: string): string {
  const full = call.kind === "backward" ? call.name : name;
  const lines = call.path ? [call.path, name] : [full, leafNames(facts, call)[0]];
  return [...lines, error].filter(Boolean).join("\n");
}

/** Under the name of a backward node: the leaf it feeds, or torch's name for it; of a saved tensor, its shape. */
function under(speaker: Speaker, call: Call, name: string): string {
  const saved = call.kind === "saved" ? savedValue(speaker.facts, call) : undefined;
  if (saved) return shapeText(saved);
  if (call.kind !== "backward") return "";
  const leaf = leafNames(speaker.facts, call)[0];
  const around = enclosingPath(speaker, call);
  if (leaf !== undefined) return around !== "" && leaf.startsWith(`${around}.`) ? leaf.slice(around.length + 1) : leaf;
  return call.name === name ? "" : call.name;
}

function savedValue({ graph }: Facts, call: Call): Value | undefined {
  return graph.values[call.outputs[0] ?? -1];
}

/** Saved for the backward alone, or at hand anyway: a parameter, an input, a view of one. */
function savedWord(facts: Facts, call: Call): string {
  const { alias_of: same = null, view_of: base = null } = savedValue(facts, call) ?? {};
  if (same !== null) return `saved ${facts.graph.values[same]!.kind}`;
  const name = base === null ? undefined : facts.graph.values[base]!.names[0];
  return name === undefined ? "saved" : `view of ${name}`;
}

function memory(facts: Facts, call: Call): string {
  const bytes = savedValue(facts, call)?.nbytes ?? null;
  return bytes === null ? "" : size(bytes);
}

/** The name of a group of repeats, and their count, which is its badge, unless it is repeated itself. */
function nameAndTimes(call: Call, { repeat }: VisibleNode): readonly [string, string] {
  return call.repeats > 1 && repeat === null ? [call.name, `×${call.repeats}`] : [shortName(call), ""];
}

function numbers({ facts, labels }: Speaker, call: Call, last: number): string {
  const held = labels.has("params") ? countOf(facts, "params", call.id) : 0;
  const work = labels.has("flops") ? countOf(facts, "flops", call.id) : 0;
  const most = countOf(facts, "flops", last);
  const least = facts.atLeast.has(call.id) ? "≥ " : "";
  const said = most === work ? short(work) : `${short(work)}..${short(most)}`;
  return [held > 0 ? short(held) : "", work > 0 ? `${least}${said} FLOPs` : ""].filter(Boolean).join(" · ");
}

/** A path that ends in a number: `layers.0`, or `layers[0]` of a plain list. */
const NUMBERED = /^(.*?)(\d+)(\]?)$/;

/** A module's path as seen from the open module around it; of repeats, from the first to the last. */
function ownPath(speaker: Speaker, node: VisibleNode, call: Call): string {
  const [path, last] = pathsOf(speaker, node, call);
  if (path === null) return "";
  const around = enclosingPath(speaker, call);
  const own = around !== "" && path.startsWith(`${around}.`) ? path.slice(around.length + 1) : path;
  const [first, end] = [NUMBERED.exec(path), NUMBERED.exec(last ?? "")];
  if (!first || !end || first[1] !== end[1] || first[2] === end[2]) return own;
  const close = first[3]!;
  return `${own.slice(0, own.length - close.length)}–${end[2]}${close}`;
}

/** The path of a module, or of the one that a group consists of; of repeats, that of the first and that of the last. */
function pathsOf({ facts }: Speaker, node: VisibleNode, call: Call): readonly [string | null, string | null] {
  const { calls } = facts.graph;
  const inside = facts.tree.children[call.id]!;
  if (node.repeat) return [onlyPath(facts, call), onlyPath(facts, calls[node.repeat.last]!)];
  if (call.repeats === 1) return [onlyPath(facts, call), null];
  return [onlyPath(facts, calls[inside[0]!]!), onlyPath(facts, calls[inside[inside.length - 1]!]!)];
}

function onlyPath({ graph, tree }: Facts, call: Call): string | null {
  let at = call;
  for (let inside; at.kind === "group"; at = graph.calls[inside[0]!]!) {
    inside = tree.children[at.id]!;
    if (inside.length !== 1) return null;
  }
  return at.path;
}

/** Which run of a module this is, where that is not said by a fold. */
function runOf({ facts, visible }: Speaker, node: VisibleNode): string {
  const run = facts.runs.get(node.call);
  if (!run || !isWhole(facts, node.call)) return "";
  for (let at: VisibleNode | undefined = node; at; at = visible.nodes[at.parent]) {
    if (at.repeat || (at.kind === "call" && at.members.length > 0)) return "";
  }
  return ` (run ${run[0]} of ${run[1]})`;
}

/** Was it this module that was used again, rather than one around it? */
function isWhole(facts: Facts, call: number): boolean {
  const around = facts.graph.calls[call]!.parent;
  return around === null || facts.runs.get(around)?.[1] !== facts.runs.get(call)![1];
}

function enclosingPath({ facts }: Speaker, call: Call): string {
  for (let at = call.parent; at !== null; at = facts.graph.calls[at]!.parent) {
    const { path } = facts.graph.calls[at]!;
    if (path !== null) return path;
  }
  return "";
}

function otherWords({ facts, visible }: Speaker, node: VisibleNode): Words {
  const hue = hueOf(facts.graph, node);
  const plain = { detail: "", left: "", right: "", badge: "", hue, failed: false, title: node.name };
  if (node.kind === "fold") {
    const inside = node.members.map((call) => shortName(facts.graph.calls[call]!)).join(", ");
    const badge = timesOf(node.repeat!);
    return { ...plain, name: node.open ? "repeat" : inside, badge, title: inside };
  }
  if (node.kind === "range") return { ...plain, name: node.name, left: "part of a long list" };
  const many = node.members.length > 1 ? `${node.members.length} tensors` : "";
  const more = node.kind === "constant" ? facts.graph.values[node.members[0]!]!.kind : many;
  return { ...plain, name: node.name || node.kind, left: more, title: visible.nodes[node.index]!.name };
}
