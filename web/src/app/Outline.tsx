/** The drawing as a tree of names: what is open here is open there. */

import { useEffect, useMemo, useRef } from "preact/hooks";
import { timesOf, type VisibleGraph, type VisibleNode } from "../graph/visible.ts";
import { hueOf } from "../scene/hue.ts";
import { markOf } from "../scene/marks.ts";
import { repeatsOf } from "../graph/repeats.ts";
import { titleOf } from "./model.ts";
import { type Page, usePage } from "./page.tsx";
import { Dot, Sign } from "./parts.tsx";
import { scrollToRow, useWindow } from "./window.ts";

const ROW = 26;

interface Row {
  readonly node: VisibleNode;
  readonly level: number;
  readonly place: number;
  readonly of: number;
}

/** Parents before their children, in the order in which they ran. */
function outlineRows({ nodes, top }: VisibleGraph): Row[] {
  const rows: Row[] = [];
  const waiting: Row[] = [];
  const add = (indices: readonly number[], level: number): void => {
    for (let i = indices.length - 1; i >= 0; i--) {
      waiting.push({ node: nodes[indices[i]!]!, level, place: i + 1, of: indices.length });
    }
  };
  add(top, 1);
  for (let row = waiting.pop(); row; row = waiting.pop()) {
    rows.push(row);
    if (row.node.open) add(row.node.children, row.level + 1);
  }
  return rows;
}

export function Outline() {
  const page = usePage();
  const { drawn, selected } = page.state;
  const rows = useMemo(() => (drawn ? outlineRows(drawn.visible) : []), [drawn]);
  const list = useRef<HTMLDivElement>(null);
  const [first, last] = useWindow(list, rows.length, ROW);
  const at = rows.findIndex(({ node }) => node.key === selected);
  useEffect(() => scrollToRow(list.current, at, ROW), [at, drawn]);
  return (
    <nav class="outline" aria-label="Outline">
      <div
        class="tree"
        role="tree"
        aria-label="Boxes of the drawing"
        tabIndex={0}
        ref={list}
        aria-activedescendant={at >= 0 ? rowId(rows[at]!) : undefined}
        onKeyDown={(event) => pressed(page, rows, at, event)}
      >
        <div role="none" style={{ height: `${first * ROW}px` }} />
        {rows.slice(first, last).map((row) => (
          <OutlineRow key={row.node.key} page={page} row={row} selected={row.node.key === selected} />
        ))}
        <div role="none" style={{ height: `${(rows.length - last) * ROW}px` }} />
      </div>
    </nav>
  );
}

function rowId({ node }: Row): string {
  return `row-${node.index}`;
}

function OutlineRow({ page, row, selected }: { page: Page; row: Row; selected: boolean }) {
  const { node, level, place, of } = row;
  const { name, detail } = titleOf(page.model, node);
  const failed = node.call >= 0 && page.model.graph.calls[node.call]!.error !== null;
  const mark = page.model.marks && markOf(page.model.marks, node, repeatsOf(page.model.indexed, node));
  return (
    <div
      class={`row${selected ? " selected" : ""}${failed ? " failed" : ""}`}
      role="treeitem"
      id={rowId(row)}
      aria-level={level}
      aria-posinset={place}
      aria-setsize={of}
      aria-selected={selected}
      aria-expanded={node.openable ? node.open : undefined}
      style={{ paddingLeft: `${(level - 1) * 14 + 6}px` }}
      onClick={() => page.select(node.key, true)}
      onDblClick={() => page.toggle(node.key)}
    >
      <span
        class={`twist${node.openable ? (node.open ? " open" : " shut") : ""}`}
        aria-hidden="true"
        onClick={(event) => {
          if (!node.openable) return;
          event.stopPropagation();
          page.toggle(node.key);
        }}
      />
      <Dot hue={hueOf(page.model.graph, node)} />
      {mark && <Sign mark={mark} />}
      <span class="row-name">{name.slice(0, 200)}</span>
      {detail && <span class="row-detail">{detail.slice(0, 200)}</span>}
      {node.repeat && <span class="count">{timesOf(node.repeat)}</span>}
      {failed && <span class="unseen">failed</span>}
    </div>
  );
}

/** The keys of a tree, as WAI-ARIA's practices describe them. */
function pressed(page: Page, rows: readonly Row[], at: number, event: KeyboardEvent): void {
  const move = (to: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (row) page.select(row.node.key, true);
  };
  const row = rows[at];
  const actions: Record<string, () => void> = {
    ArrowDown: () => move(at + 1),
    ArrowUp: () => move(at < 0 ? 0 : at - 1),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    PageDown: () => move(at + 10),
    PageUp: () => move(Math.max(0, at - 10)),
    ArrowRight: () => {
      if (row?.node.openable && !row.node.open) page.open(row.node.key);
      else if (row?.node.open) move(at + 1);
    },
    ArrowLeft: () => {
      if (row?.node.open) page.close(row.node.key);
      else if (row) move(parentRow(rows, at));
    },
    Enter: () => row && page.toggle(row.node.key),
    " ": () => row && page.toggle(row.node.key),
    "*": () => row && page.openAll(row.node.key),
  };
  const action = actions[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  action();
  event.preventDefault();
}

function parentRow(rows: readonly Row[], at: number): number {
  const { level } = rows[at]!;
  for (let i = at - 1; i >= 0; i--) if (rows[i]!.level < level) return i;
  return at;
}
