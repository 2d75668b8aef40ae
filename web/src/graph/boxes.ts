/** From the tree of calls and what is open: the boxes, folds shown once, long lists split into ranges. */

import type { Call, Fold } from "../contract/graph.ts";
import { type CallTree, isAround, isThin } from "./calls.ts";
import { type Chosen, pieces } from "./chosen.ts";
import { type Folds, foldKey, keyOf } from "./folds.ts";
import { labelOf } from "./names.ts";
import type { Flow } from "./flow.ts";
import type { Revealed } from "./revealed.ts";
import type { ViewState } from "./state.ts";
import type { VisibleNode } from "./visible.ts";

/** More children than this in one box are split into ranges. */
const RANGE_LIMIT = 1000;
const RANGE_SIZE = 250;
const SIDE_BY_SIDE = 3;

type Mutable = { -readonly [K in keyof VisibleNode]: VisibleNode[K] };

/** The boxes, and for each call what stands for it. */
export interface Boxes {
  readonly nodes: VisibleNode[];
  readonly top: number[];
  /** By call: its own box, or -1. */
  readonly own: Int32Array;
  /** By call: the call of the first repeat that stands for it (itself, where it is not folded away). */
  readonly first: Int32Array;
  /** By call: which repeat of its fold it belongs to. */
  readonly turn: Int32Array;
  /** By call: the first call of the fold it belongs to, or -1. */
  readonly fold: Int32Array;
  hidden: number;
}

interface Plan {
  readonly tree: CallTree;
  readonly flow: Flow;
  readonly revealed: Revealed;
  readonly state: ViewState;
  readonly depth: number;
  readonly folds: Folds;
  readonly chosen: Chosen;
  readonly expand: ReadonlySet<string>;
  readonly collapse: ReadonlySet<string>;
  readonly unfold: ReadonlySet<string>;
}

interface Task {
  readonly box: number;
  readonly calls: readonly number[];
  readonly depth: number;
}

/** No boxes yet. */
export function noBoxes(tree: CallTree): Boxes {
  const count = tree.graph.calls.length;
  return {
    nodes: [],
    top: [],
    own: new Int32Array(count).fill(-1),
    first: Int32Array.from({ length: count }, (_, id) => id),
    turn: new Int32Array(count),
    fold: new Int32Array(count).fill(-1),
    hidden: 0,
  };
}

/** Add the boxes of calls that `state` shows, at most `depth` levels open. */
export function addCalls(
  boxes: Boxes,
  tree: CallTree,
  flow: Flow,
  revealed: Revealed,
  folds: Folds,
  chosen: Chosen,
  state: ViewState,
  depth: number,
): void {
  const expand = new Set(state.expand);
  const collapse = new Set(state.collapse);
  const unfold = new Set(state.unfold);
  const plan: Plan = { tree, flow, revealed, state, depth, folds, chosen, expand, collapse, unfold };
  if (tree.graph.calls.length === 0) return;
  const inside = tree.children[0]!;
  const tasks: Task[] = [{ box: -1, calls: inside.length > 0 ? inside : [0], depth: 1 }];
  for (let task = tasks.pop(); task; task = tasks.pop()) fill(plan, boxes, task, tasks);
}

/** Give a box its children: ranges where there are too many, else folds and calls. */
function fill(plan: Plan, boxes: Boxes, task: Task, tasks: Task[]): void {
  const parent = task.calls.length > 0 ? plan.tree.graph.calls[task.calls[0]!]!.parent : null;
  const kept = new Set(task.calls.filter((call) => isShown(plan, call, parent)));
  const units = unitsOf(plan, boxes, task.calls, kept, parent);
  const drawn = new Set(units.flat());
  for (const call of task.calls) if (!drawn.has(call) && boxes.first[call] === call) boxes.hidden += 1;
  if (units.length > RANGE_LIMIT) {
    addRanges(plan, boxes, task, units, tasks);
    return;
  }
  for (const unit of units) addUnit(plan, boxes, task, unit, tasks);
}

/** Constants are hidden, except inside a module that makes nothing else, and where a box would be reached by nothing. */
function isShown({ tree, flow, revealed, state }: Plan, call: number, parent: number | null): boolean {
  const { kind, error } = tree.graph.calls[call]!;
  if (state.constants || revealed.calls[call] === 1 || flow.constant[call] === 0 || isAround(kind) || error !== null)
    return true;
  return parent === null || flow.constant[parent] === 1;
}

/** Few runs of one module side by side (two images through one encoder) are clearer than their fold. */
function isPlain({ kind, carried, count }: Fold): boolean {
  return kind === "loop" && carried === 0 && count <= SIDE_BY_SIDE;
}

/** A unit is a call, or the calls of one repeat, with the fold it is the first repeat of. */
type Unit = number[] & { fold?: Fold };

/** Calls one by one, and each fold as its first repeat. */
function unitsOf(
  plan: Plan,
  boxes: Boxes,
  calls: readonly number[],
  kept: ReadonlySet<number>,
  parent: number | null,
): Unit[] {
  const folds = (parent === null ? undefined : plan.folds.get(parent)) ?? [];
  const folded = folds.filter((fold) => isFolded(plan, fold));
  const parts = folded.flatMap((fold) => pieces(fold, plan.chosen.get(fold.calls[0]!)));
  const starts = new Map(parts.map((fold) => [fold.calls[0]!, fold]));
  for (const fold of starts.values()) foldAway(boxes, fold);
  const units: Unit[] = [];
  for (const call of calls) {
    const fold = starts.get(call);
    const unit: Unit = fold ? firstRepeat(fold, kept) : kept.has(call) && boxes.fold[call]! < 0 ? [call] : [];
    if (fold) unit.fold = fold;
    if (unit.length > 0) units.push(unit);
  }
  return units;
}

function isFolded({ state, unfold, tree }: Plan, fold: Fold): boolean {
  if (!state.fold || isPlain(fold) || unfold.has(foldKey(fold))) return false;
  return fold.calls.every((call) => tree.position[call]! >= 0);
}

/** Remember for each repeat what stands for it. */
function foldAway(boxes: Boxes, { calls, period }: Fold): void {
  calls.forEach((call, i) => {
    boxes.first[call] = calls[i % period]!;
    boxes.fold[call] = calls[0]!;
    boxes.turn[call] = Math.floor(i / period);
  });
}

/** The first repeat's calls, without those that are hidden in every repeat: the first turn may start from constants. */
function firstRepeat({ calls, period }: Fold, kept: ReadonlySet<number>): Unit {
  const places = new Set<number>();
  calls.forEach((call, i) => kept.has(call) && places.add(i % period));
  return calls.slice(0, period).filter((_, i) => places.has(i));
}

function addUnit(plan: Plan, boxes: Boxes, task: Task, unit: Unit, tasks: Task[]): void {
  const { fold } = unit;
  if (fold && isCountedByGroup(plan, fold)) {
    addIntoGroup(plan, boxes, task, unit, tasks);
    return;
  }
  const repeat = fold
    ? { count: fold.count, loop: fold.kind === "loop" && fold.carried > 0, last: lastOf(fold), grows: growthOf(fold) }
    : null;
  if (!fold || unit.length === 1) {
    addCall(plan, boxes, task, unit[0]!, repeat, tasks);
    return;
  }
  const key = foldKey(fold); // of its first call, be that one in the picture or not: so is it named where it is opened
  const open = !plan.collapse.has(key);
  const box = add(boxes, { kind: "fold", key, call: unit[0]!, members: unit, parent: task.box, open, repeat });
  for (const call of unit) boxes.own[call] = box;
  if (open) for (const call of unit) addCall(plan, boxes, { ...task, box }, call, null, tasks);
}

/** Does the group around the fold say how often its parts repeat, as `Residual` with the badge `×35`? A loop still needs its arrow. */
function isCountedByGroup({ tree }: Plan, { parent, calls, kind, count }: Fold): boolean {
  const isWhole = tree.children[parent]!.length === calls.length;
  return kind === "stack" && isWhole && tree.graph.calls[parent]!.repeats === count;
}

/** Add one repeat in the frame of its group; where the repeat is one call, add what is in that call. */
function addIntoGroup(plan: Plan, boxes: Boxes, task: Task, unit: Unit, tasks: Task[]): void {
  const { calls } = plan.tree.graph;
  (boxes.nodes[task.box] as Mutable).members = unit;
  const inside = plan.tree.children[unit[0]!]!;
  if (unit.length > 1 || inside.length === 0 || isThin(plan.tree, calls[unit[0]!]!)) {
    for (const call of unit) addCall(plan, boxes, task, call, null, tasks);
    return;
  }
  boxes.own[unit[0]!] = task.box;
  tasks.push({ ...task, calls: inside });
}

function growthOf({ growth }: Fold): string {
  return growth ? `${growth.name} ${growth.first}..${growth.last}` : "";
}

function lastOf({ calls, period }: Fold): number {
  return calls[calls.length - period]!;
}

function addCall(
  plan: Plan,
  boxes: Boxes,
  task: Task,
  call: number,
  repeat: VisibleNode["repeat"],
  tasks: Task[],
): void {
  const children = plan.tree.children[call]!;
  const open = children.length > 0 && isOpen(plan, call, task.depth);
  const openable = children.length > 0;
  const box = add(boxes, { kind: "call", key: keyOf(call), call, parent: task.box, open, openable, repeat });
  boxes.own[call] = box;
  if (open) tasks.push({ box, calls: children, depth: task.depth + 1 });
}

function isOpen(plan: Plan, id: number, depth: number): boolean {
  const call = plan.tree.graph.calls[id]!;
  const key = keyOf(id);
  const names = call.kind === "group" ? [key, call.name, labelOf(call)] : [key, call.path ?? key];
  const named = (set: ReadonlySet<string>): boolean => set.size > 0 && names.some((name) => set.has(name));
  if (named(plan.collapse)) return false;
  return named(plan.expand) || isOpenAt(plan, call, depth) || isOnTheWay(plan, id);
}

/** Groups were made to be seen closed, unless so many levels are asked for; one that only wraps a module opens with it. */
function isOpenAt({ tree, state, depth: levels }: Plan, call: Call, depth: number): boolean {
  if (isThin(tree, call)) return false;
  if (state.depth !== null) return depth < levels;
  if (call.kind === "group") return false;
  const around = call.parent === null ? undefined : tree.graph.calls[call.parent];
  return depth < levels || (around?.kind === "group" && tree.children[around.id]!.length === 1);
}

/** The way to the call that failed is open, unless everything is to stay closed. */
function isOnTheWay(plan: Plan, id: number): boolean {
  const { error, calls } = plan.tree.graph;
  if (error === null || calls[id]!.error === null) return false;
  for (let at = calls[error]!.parent; at !== null && at >= id; at = calls[at]!.parent) if (at === id) return true;
  return false;
}

/** Split a long list of children into boxes that say which part they hold. */
function addRanges(plan: Plan, boxes: Boxes, task: Task, units: Unit[], tasks: Task[]): void {
  const size = Math.max(RANGE_SIZE, Math.ceil(units.length / RANGE_LIMIT));
  for (let start = 0; start < units.length; start += size) {
    const part = units.slice(start, start + size);
    const members = part.flat();
    const key = `${keyOf(members[0]!)}-`;
    const name = `${start + 1}–${start + part.length} of ${units.length}`;
    const open = (task.depth < plan.depth || plan.expand.has(key)) && !plan.collapse.has(key);
    const box = add(boxes, { kind: "range", key, call: members[0]!, members, parent: task.box, open, name });
    for (const call of members) boxes.own[call] = box;
    if (open) for (const unit of part) addUnit(plan, boxes, { ...task, box, depth: task.depth + 1 }, unit, tasks);
  }
}

/** Append a box, with defaults for what is not said, and return its index. */
export function add(
  boxes: Pick<Boxes, "nodes" | "top">,
  given: Partial<Mutable> & Pick<Mutable, "kind" | "key">,
): number {
  const index = boxes.nodes.length;
  const node: VisibleNode = {
    call: -1,
    members: [],
    parent: -1,
    children: [],
    open: false,
    openable: given.kind === "fold" || given.kind === "range",
    repeat: null,
    name: "",
    ...given,
    index,
  };
  boxes.nodes.push(node);
  (node.parent < 0 ? boxes.top : boxes.nodes[node.parent]!.children).push(index);
  return index;
}
