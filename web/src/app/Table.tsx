/** The summary as a table: sorted by any column, filtered by words, in step with what is selected. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Page, usePage } from "./page.tsx";
import { Sign } from "./parts.tsx";
import { type Column, type Order, type TableRow, arranged, columnsOf, tableRows } from "./rows.ts";
import { scrollToRow, useWindow } from "./window.ts";

const ROW = 28;
const HEAD = 32;

export function Table() {
  const page = usePage();
  const [filter, setFilter] = useState("");
  const [all, setAll] = useState(false);
  const [order, setOrder] = useState<Order | null>(null);
  const columns = useMemo(() => columnsOf(page.model), [page]);
  const rows = useMemo(() => tableRows(page.model, !all), [page, all]);
  const shown = useMemo(() => arranged(rows, filter, order), [rows, filter, order]);
  return (
    <div class="table">
      <div class="table-bar">
        <input
          type="search"
          aria-label="Filter the rows"
          placeholder="Filter rows"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <label class="check">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
          Functions too
        </label>
        {order && <button onClick={() => setOrder(null)}>In order of the run</button>}
        <span class="dim" role="status">
          {shown.length} {shown.length === 1 ? "row" : "rows"}
        </span>
      </div>
      <Rows
        page={page}
        columns={columns}
        rows={shown}
        order={order}
        setOrder={setOrder}
        indented={!order && filter === ""}
      />
    </div>
  );
}

interface RowsProps {
  page: Page;
  columns: readonly Column[];
  rows: readonly TableRow[];
  order: Order | null;
  setOrder: (order: Order | null) => void;
  indented: boolean;
}

function Rows({ page, columns, rows, order, setOrder, indented }: RowsProps) {
  const list = useRef<HTMLDivElement>(null);
  const [first, last] = useWindow(list, rows.length, ROW);
  const { selected } = page.state;
  const at = rows.findIndex(({ key }) => key === selected);
  useEffect(() => list.current?.scrollTo({ top: 0 }), [order]);
  useEffect(() => scrollToRow(list.current, at, ROW, HEAD), [selected]);
  return (
    <div
      class="rows"
      ref={list}
      tabIndex={0}
      aria-label="Rows: arrows select, Enter shows in the drawing"
      role="region"
      onKeyDown={(event) => pressed(page, rows, at, event)}
    >
      <table aria-rowcount={rows.length + 1}>
        <Head columns={columns} order={order} setOrder={setOrder} />
        <tbody>
          <tr style={{ height: `${first * ROW}px` }} aria-hidden="true" />
          {rows.slice(first, last).map((row, i) => (
            <Row
              key={row.key}
              page={page}
              row={row}
              columns={columns}
              place={first + i}
              selected={row.key === selected}
              indented={indented}
            />
          ))}
          <tr style={{ height: `${(rows.length - last) * ROW}px` }} aria-hidden="true" />
        </tbody>
      </table>
    </div>
  );
}

function Head({ columns, order, setOrder }: Pick<RowsProps, "columns" | "order" | "setOrder">) {
  const sort = (column: number): void => {
    const again = order?.column === column;
    // Numbers are asked for to see the largest; names, to find one.
    setOrder({ column, down: again ? !order.down : columns[column]!.number });
  };
  return (
    <thead>
      <tr>
        {columns.map(({ name, title, number }, i) => (
          <th
            key={name}
            scope="col"
            class={number ? "number" : ""}
            aria-sort={order?.column === i ? (order.down ? "descending" : "ascending") : "none"}
          >
            <button onClick={() => sort(i)}>
              {title}
              <span aria-hidden="true">{order?.column === i ? (order.down ? " ↓" : " ↑") : ""}</span>
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

interface RowProps {
  page: Page;
  row: TableRow;
  columns: readonly Column[];
  place: number;
  selected: boolean;
  indented: boolean;
}

function Row({ page, row, columns, place, selected, indented }: RowProps) {
  const { call, cells, level, count, failed, mark, whole } = row;
  return (
    <tr
      class={`${selected ? "selected" : ""}${failed ? " failed" : ""}`}
      aria-rowindex={place + 2}
      aria-selected={selected}
      onClick={() => page.show(call)}
      onDblClick={() => page.store.set({ tab: "drawing", reveal: row.key })}
    >
      {columns.map(({ name, number, text }, i) =>
        i === 0 ? (
          <th key={name} scope="row" style={{ paddingLeft: `${(indented ? level * 14 : 0) + 12}px` }}>
            {mark && (
              <>
                <Sign mark={mark} />{" "}
              </>
            )}
            {(indented ? String(cells[0]) : whole).slice(0, 200)}
            {count > 1 && <span class="count">×{count}</span>}
          </th>
        ) : (
          <td key={name} class={number ? "number" : ""}>
            {text(cells[i] ?? null).slice(0, 200)}
          </td>
        ),
      )}
    </tr>
  );
}

function pressed(page: Page, rows: readonly TableRow[], at: number, event: KeyboardEvent): void {
  const move = (to: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (row) page.show(row.call);
  };
  const actions: Record<string, () => void> = {
    ArrowDown: () => move(at + 1),
    ArrowUp: () => move(at < 0 ? 0 : at - 1),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    Enter: () => page.store.set({ tab: "drawing", reveal: page.state.selected }),
  };
  const action = actions[event.key];
  if (!action || (event.target as HTMLElement).tagName === "BUTTON") return;
  action();
  event.preventDefault();
}
