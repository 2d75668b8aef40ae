/** From the visible graph to a picture: words, sizes, layout, shapes. */

import type { Value } from "../contract/graph.ts";
import { isThin } from "../graph/calls.ts";
import type { Facts } from "../graph/facts.ts";
import { shortName } from "../graph/names.ts";
import { isMeasured, shapeText } from "../graph/shapes.ts";
import type { Net, VisibleGraph, VisibleNode } from "../graph/visible.ts";
import { type Direction, type Layout, type LayoutInput, type Memory, type Size, layout } from "../layout/layout.ts";
import { LABEL_GAP, LOOP } from "../layout/spacing.ts";
import { type Area, boxSize, closedBox, endBox, frame, frameTitleSize, text } from "./draw.ts";
import { shorten, textWidth } from "./measure.ts";
import type { Box, Group, Scene, Wire } from "../contract/scene.ts";
import type { Shape } from "./ink.ts";
import { drawTag } from "./tag.ts";
import { arc, wire } from "./wire.ts";
import { LABEL, type LabelKind, SMALL, type Speaker, type Words, words } from "./words.ts";

export interface SceneOptions {
  readonly direction: Direction;
  readonly labels: readonly LabelKind[];
}

const TAG_WIDEST = 150;
const CAPTION_EDGE = 20;
const STILL = "not run: the modules that the model holds, in order; nothing flows";

/** All that can be said before anything has a place. */
export interface Prepared {
  readonly speaker: Speaker;
  readonly texts: readonly Words[];
  readonly tags: readonly string[];
  readonly input: LayoutInput;
}

interface Parts extends Prepared {
  readonly placed: Layout;
  /** Data flows from top to bottom. */
  readonly flat: boolean;
}

export function prepare(facts: Facts, visible: VisibleGraph, options: SceneOptions): Prepared {
  const speaker: Speaker = { facts, visible, labels: new Set(options.labels) };
  const texts = visible.nodes.map((node) => words(speaker, node));
  const tags = visible.nets.map((net) => shorten(tagName(speaker, net.source, net.value), SMALL, TAG_WIDEST));
  return { speaker, texts, tags, input: layoutInput(speaker, texts, tags, options.direction) };
}

export function scene(facts: Facts, visible: VisibleGraph, options: SceneOptions, known?: Memory): Scene {
  const prepared = prepare(facts, visible, options);
  const placed = layout(prepared.input, known);
  const parts: Parts = { ...prepared, placed, flat: options.direction === "TB" };
  const caption = visible.still ? captionBelow(placed.size) : null;
  const groups = [...frames(parts), ...wires(parts), ...closed(parts), ...labelGroups(parts), ...tagGroups(parts)];
  return {
    width: Math.max(placed.size.width, caption?.width ?? 0),
    height: placed.size.height + (caption?.height ?? 0),
    inks: [],
    background: "background",
    groups: caption ? [...groups, caption.group] : groups,
    boxes: visible.nodes.map((node) => box(prepared, node, area(placed, node.index))),
    wires: visible.nets.map((net) => wireOf(prepared.speaker, net)),
    legend: null,
    notes: notes(prepared.speaker),
  };
}

function layoutInput(
  { visible, facts, labels }: Speaker,
  texts: readonly Words[],
  tags: readonly string[],
  direction: Direction,
): LayoutInput {
  const boxes = visible.nodes.map((node, i) => ({
    parent: node.parent,
    children: node.children,
    open: node.open,
    first: node.kind === "input",
    size: node.open ? frameTitleSize(texts[i]!) : boxSize(texts[i]!),
    loop: node.repeat?.loop ? textSize(`×${node.repeat.count}`) : null,
  }));
  const nets = visible.nets.map((net, i) => ({
    source: net.source,
    readers: net.readers,
    label: labels.has("shape") ? labelSize(facts.graph.values[net.value]!) : null,
    tag: tagSize(tags[i]!),
  }));
  return { boxes, top: visible.top, nets, direction, still: visible.still, restTag: tagSize("99999 more") };
}

function textSize(said: string): { width: number; height: number } {
  return { width: Math.ceil(textWidth(said, LABEL)), height: 11 };
}

function tagSize(said: string): { width: number; height: number } {
  return { width: Math.ceil(textWidth(said, SMALL)) + 10, height: 15 };
}

/** A tunnel is named after the input that it is, or after the outermost module that returns it. */
function tagName({ facts, visible }: Speaker, source: number, value: number): string {
  const node = visible.nodes[source]!;
  if (node.kind === "input" || node.kind === "constant") return node.name;
  const { calls, values } = facts.graph;
  let call = calls[values[value]!.producer ?? node.call]!;
  for (let at = call.parent; at !== null && calls[at]!.outputs.includes(value); at = calls[at]!.parent) {
    if (calls[at]!.path) call = calls[at]!;
  }
  const name = call.path || shortName(call);
  return call.outputs.length > 1 ? `${name}[${call.outputs.indexOf(value)}]` : name;
}

function area({ x, y, width, height }: Layout, i: number): Area {
  return { x: x[i]!, y: y[i]!, width: width[i]!, height: height[i]! };
}

function box({ speaker, texts }: Prepared, node: VisibleNode, where: Area): Box {
  const { key, open, openable, parent } = node;
  const own = texts[node.index]!;
  const lines = [
    [own.name, own.detail, own.badge],
    [own.left, own.right],
  ].map((line) => line.filter(Boolean).join("  "));
  return {
    ...{ key, ...where, open, openable },
    around: speaker.visible.nodes[parent]?.key ?? "",
    says: lines.filter(Boolean),
    fill: open ? "frame" : `${own.hue}.fill`,
    line: open ? "frameLine" : `${own.hue}.line`,
    value: null,
    mark: "",
  };
}

function wireOf({ facts, visible }: Speaker, { value, source, readers }: Net): Wire {
  const targets = readers.map((reader) => visible.nodes[reader]!.key);
  return { source: visible.nodes[source]!.key, targets, says: shapeText(facts.graph.values[value]!) };
}

function group(kind: Group["kind"], key: string, value: number, title: string, shapes: readonly Shape[]): Group {
  return { kind, key, value, title, shapes };
}

function frames({ speaker, texts, placed, flat }: Parts): Group[] {
  const { nodes } = speaker.visible;
  const depth = new Int32Array(nodes.length);
  nodes.forEach((node, i) => (depth[i] = node.parent < 0 ? 0 : depth[node.parent]! + 1));
  const open = nodes.filter((node) => node.open);
  return open.map((node) => {
    const where = area(placed, node.index);
    const shapes = frame(where, texts[node.index]!, depth[node.index]!, node.kind === "fold");
    return group("frame", node.key, -1, texts[node.index]!.title, [...shapes, ...loop(node, where, flat)]);
  });
}

function closed({ speaker, texts, placed, flat }: Parts): Group[] {
  const shut = speaker.visible.nodes.filter((node) => !node.open);
  return shut.map((node) => {
    const where = area(placed, node.index);
    const own = texts[node.index]!;
    const isEnd = node.kind === "input" || node.kind === "output" || node.kind === "constant";
    const shapes = isEnd ? endBox(where, own) : closedBox(where, own, node.openable && !isThinCall(speaker, node));
    return group("box", node.key, -1, own.title, [...shapes, ...loop(node, where, flat)]);
  });
}

/** What only wraps one function has nothing under it worth a look. */
function isThinCall({ facts }: Speaker, { kind, call }: VisibleNode): boolean {
  return kind === "call" && isThin(facts.tree, facts.graph.calls[call]!);
}

/** What repeats with itself has an arc beside it, labelled with how often. */
function loop({ repeat }: VisibleNode, where: Area, flat: boolean): Shape[] {
  if (!repeat?.loop) return [];
  const said = `×${repeat.count}`;
  const label = flat
    ? text(where.x + where.width + LOOP + LABEL_GAP, where.y + where.height / 2 + 3, said, LABEL, "dim")
    : text(where.x + where.width / 2, where.y + where.height + LOOP + 11, said, LABEL, "dim", "middle");
  return [...arc(where, flat, LOOP), label];
}

/** No label says that nothing is known. */
function labelSize(value: Value): Size | null {
  return isMeasured(value) ? textSize(shapeText(value)) : null;
}

function wires({ speaker, placed }: Parts): Group[] {
  const { nodes, nets } = speaker.visible;
  return placed.wires.map(({ net, branches }) => {
    const { source, value } = nets[net]!;
    const carried = speaker.facts.graph.values[value]!;
    return group("wire", nodes[source]!.key, value, `${shapeText(carried)} ${carried.dtype}`, wire(branches));
  });
}

function labelGroups({ speaker, placed }: Parts): Group[] {
  return placed.labels.map(({ net, x, y }) => {
    const { source, value } = speaker.visible.nets[net]!;
    const said = shapeText(speaker.facts.graph.values[value]!);
    return group("label", speaker.visible.nodes[source]!.key, value, "", [text(x, y + 9, said, LABEL, "dim")]);
  });
}

function tagGroups({ speaker, tags, placed, flat }: Parts): Group[] {
  return placed.tags.map((tag) => {
    const { source, value } = speaker.visible.nets[tag.nets[0]!]!;
    const many = tag.nets.length > 1;
    const said = many ? `${tag.nets.length} more` : tags[tag.nets[0]!]!;
    const title = tag.nets.map((net) => tags[net]!).join("\n");
    const box = area(placed, tag.box);
    return group("tag", speaker.visible.nodes[source]!.key, many ? -1 : value, title, drawTag(tag, box, said, flat));
  });
}

/** Below the picture of a model that was not run, so that nobody takes it for one of a run. */
function captionBelow(size: Size): Size & { group: Group } {
  const line = text(CAPTION_EDGE, size.height + 4, STILL, LABEL, "dim");
  return { width: line.width + 2 * CAPTION_EDGE, height: 16, group: group("label", "", -1, "", [line]) };
}

/** What the picture leaves out. */
function notes({ facts, visible }: Speaker): string[] {
  const { nodes, hidden } = visible;
  const shut = nodes.filter((node) => !node.open && node.kind === "call" && isThick(facts, node.call)).length;
  const notes: string[] = visible.still ? [STILL] : [];
  if (shut > 0)
    notes.push(`${count(shut, "box is", "boxes are")} closed; more depth opens ${shut === 1 ? "it" : "them"}`);
  if (hidden > 0)
    notes.push(`${count(hidden, "call that depends", "calls that depend")} on no input or parameter hidden`);
  return notes;
}

function isThick({ tree }: Facts, call: number): boolean {
  return tree.children[call]!.length > 0 && !isThin(tree, tree.graph.calls[call]!);
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
