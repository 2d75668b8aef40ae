/** The rows of the table: every module or every call, repeats once. */

import type { Call } from "../contract/graph.ts";
import { addCalls, noBoxes } from "../graph/boxes.ts";
import { DEFAULT_STATE } from "../graph/state.ts";
import type { VisibleNode } from "../graph/visible.ts";
import { type Mark, markOf } from "../scene/marks.ts";
import { type Model, pathOf, shapesText, titleOf } from "./model.ts";
import { repeatsOf } from "../graph/repeats.ts";
import { valueOfBox } from "../scene/colours.ts";
import { quantity } from "../graph/numbers.ts";

export type Cell = number | string | null;

export interface Column {
  readonly name: string;
  readonly title: string;
  readonly number: boolean;
  text(cell: Cell): string;
}

export interface TableRow {
  readonly key: string;
  readonly call: number;
  readonly level: number;
  readonly count: number;
  readonly failed: boolean;
  /** What a comparison says of it and all inside it. */
  readonly mark: Mark | null;
  /** The name with all that is around it, for where the rows around it are not. */
  readonly whole: string;
  /** In the order of the columns. */
  readonly cells: readonly Cell[];
  /** All that a filter looks at, in lower case. */
  readonly words: string;
}

const asText = (cell: Cell): string => (cell === null ? "" : String(cell));

export function columnsOf({ measures }: Model): Column[] {
  const words: Column[] = [
    { name: "name", title: "Name", number: false, text: asText },
    { name: "type", title: "Type", number: false, text: asText },
    { name: "output", title: "Output", number: false, text: asText },
  ];
  const others = measures.map(({ name, title, unit, aggregate, overlay }) => {
    const sums = aggregate === "sum";
    return {
      name,
      title,
      number: sums || overlay,
      text: (cell: Cell) =>
        typeof cell === "number" ? (cell === 0 && sums ? "" : quantity(cell, unit)) : asText(cell),
    };
  });
  return [...words, ...others];
}

/** What a table of modules lists: what readers have put together too, and of a backward pass its nodes. */
const LISTED: ReadonlySet<Call["kind"]> = new Set<Call["kind"]>(["module", "group", "backward"]);

/** Rows in the order in which they ran. */
export function tableRows(model: Model, modulesOnly: boolean): TableRow[] {
  const { tree, flow, revealed, folds, graph } = model.indexed;
  const made = noBoxes(tree);
  // At any depth groups stay closed, and modules that hold one call alone, unless they are named.
  const named = graph.calls.flatMap(({ id, kind, parent }) =>
    kind === "group" ? id : kind === "backward" ? parent! : [],
  );
  const expand = [...new Set(named)].map((call) => `#${call}`);
  addCalls(made, tree, flow, revealed, folds, new Map(), { ...DEFAULT_STATE, depth: Infinity, expand }, Infinity);
  const rows: TableRow[] = [];
  const waiting: [VisibleNode, number][] = made.top.map((i): [VisibleNode, number] => [made.nodes[i]!, 0]).reverse();
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [node, level] = next;
    const isShown = node.kind === "call" && (!modulesOnly || LISTED.has(graph.calls[node.call]!.kind));
    if (isShown) rows.push(row(model, node, level));
    // A module that only wraps a function is not opened for the drawing, and has nothing more to tell here.
    for (let i = node.children.length - 1; i >= 0; i--)
      waiting.push([made.nodes[node.children[i]!]!, isShown ? level + 1 : level]);
  }
  return rows;
}

function row(model: Model, node: VisibleNode, level: number): TableRow {
  const call = model.graph.calls[node.call]!;
  const { name, detail } = titleOf(model, node);
  const isModule = call.path !== null;
  const repeats = repeatsOf(model.indexed, node);
  const numbers = model.measures.map((measure) => valueOfBox(measure, model.indexed, node));
  const output = shapesText(model, call.outputs);
  const path = pathOf(model, call);
  const words = [name, detail, path, output, call.name].join(" ").toLowerCase();
  const cells: Cell[] = [name, isModule ? detail : call.kind.replace("_", " "), output, ...numbers];
  const whole = isModule ? wholeName(path, name) : path ? `${path}: ${name}` : name;
  return {
    key: node.key,
    whole,
    call: call.id,
    level,
    count: node.repeat?.count ?? 1,
    failed: call.error !== null,
    mark: model.marks && markOf(model.marks, { ...node, open: false }, repeats),
    cells,
    words,
  };
}

/** The path around a module, then its name in the list, which may stand for many: `layers.` and `0–31`. */
function wholeName(path: string, name: string): string {
  const own = name.split("–")[0]!;
  return path.endsWith(own) ? path.slice(0, path.length - own.length) + name : path;
}

export interface Order {
  readonly column: number;
  readonly down: boolean;
}

/** Rows that hold every word of the filter, sorted; what has nothing to compare stands last. */
export function arranged(rows: readonly TableRow[], filter: string, order: Order | null): readonly TableRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = words.length > 0 ? rows.filter((each) => words.every((word) => each.words.includes(word))) : rows;
  if (!order) return kept;
  const sign = order.down ? -1 : 1;
  return [...kept].sort((a, b) => {
    const [one, two] = [a.cells[order.column] ?? null, b.cells[order.column] ?? null];
    if (one === null || two === null) return one === two ? 0 : one === null ? 1 : -1;
    if (typeof one === "number" && typeof two === "number") return sign * (one - two);
    return sign * String(one).localeCompare(String(two), "en", { numeric: true });
  });
}
