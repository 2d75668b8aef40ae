/** The bar above: what the model is, search, and how it is shown. */

import { exact, short } from "../graph/numbers.ts";
import { useEffect, useRef, useState } from "preact/hooks";
import { hashOf } from "./address.ts";
import { copy } from "./copy.ts";
import { exportPng, exportSvg } from "./export.ts";
import { DIFFERENCE } from "../scene/marks.ts";
import { type Page, usePage } from "./page.tsx";
import { type Pair, usePair } from "./pair.ts";
import { Search } from "./Search.tsx";
import type { Tab, ThemeChoice } from "./state.ts";

export function Header() {
  const page = usePage();
  const pair = usePair();
  const { graph } = page.model;
  const names = pair ? pair.pages.map(({ model }) => model.graph.name) : [graph.name];
  const name = [...new Set(names)].join(" · ");
  return (
    <header class="header">
      <button
        class="icon"
        aria-label="Outline"
        aria-pressed={page.state.outline}
        title="Show or hide the outline"
        onClick={() => page.store.set({ outline: !page.state.outline })}
      >
        ☰
      </button>
      <h1 class="name" title={name}>
        {name}
      </h1>
      {!pair && <Totals page={page} />}
      <Tabs page={page} />
      <Search />
      <View page={page} pair={pair} />
    </header>
  );
}

export function Totals({ page }: { page: Page }) {
  const { totals } = page.model.about;
  return (
    <p class="totals">
      {(totals.parameters > 0 || page.model.graph.modules.length > 0) && (
        <span title={`${exact(totals.parameters)} parameters, ${exact(totals.trainable)} trainable`}>
          {short(totals.parameters)} params
        </span>
      )}
      {totals.flops > 0 && (
        <span title={`${exact(totals.flops)} floating point operations${totals.exact ? "" : ", at least"}`}>
          {totals.exact ? "" : "≥ "}
          {short(totals.flops)} FLOPs
        </span>
      )}
    </p>
  );
}

function Tabs({ page }: { page: Page }) {
  const tabs: [Tab, string][] = [
    ["drawing", "Drawing"],
    ["table", "Table"],
  ];
  const choose = (tab: Tab): void => page.store.set({ tab, reveal: tab === "drawing" ? page.state.selected : null });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    choose(page.state.tab === "drawing" ? "table" : "drawing");
    const list = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => list.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views" onKeyDown={onKeyDown}>
      {tabs.map(([tab, title]) => (
        <button
          key={tab}
          role="tab"
          aria-selected={page.state.tab === tab}
          aria-controls={tab}
          tabIndex={page.state.tab === tab ? 0 : -1}
          onClick={() => choose(tab)}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

function View({ page, pair }: { page: Page; pair: Pair | null }) {
  const { state, model } = page;
  const { drawn } = state;
  const depth = state.view.depth ?? drawn?.visible.depth ?? 1;
  return (
    <div class="view">
      <div class="group" role="group" aria-label="Depth">
        <button
          class="icon"
          aria-label="Close one level"
          title="Close one level"
          onClick={() => page.depth(shallower(depth, page))}
        >
          −
        </button>
        <span class="depth" title="Levels of boxes that are open">
          depth {depth === Infinity ? "all" : depth}
        </span>
        <button
          class="icon"
          aria-label="Open one level"
          title="Open one level"
          onClick={() => page.depth(deeper(depth, page))}
        >
          +
        </button>
      </div>
      <label class="choice">
        <span>Colour</span>
        <select
          aria-label="Colour by"
          value={state.overlay ?? ""}
          onChange={(event) => page.store.set({ overlay: event.currentTarget.value || null })}
        >
          <option value="">by operation</option>
          {model.marks && <option value={DIFFERENCE}>Difference</option>}
          {model.measures.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Menu page={page} pair={pair} />
    </div>
  );
}

/** The deepest level that the graph has. */
export function deepest(page: Page): number {
  return page.model.indexed.tree.depth.reduce((most, depth) => Math.max(most, depth), 1);
}

function shallower(depth: number, page: Page): number {
  return Math.max(1, Math.min(depth, deepest(page)) - 1);
}

function deeper(depth: number, page: Page): number {
  return Math.min(depth + 1, deepest(page));
}

function Menu({ page, pair }: { page: Page; pair: Pair | null }) {
  const [open, setOpen] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: Event): void => {
      if (!menu.current?.contains(event.target as Element)) setOpen(false);
    };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, [open]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !open) return;
    setOpen(false);
    menu.current?.querySelector("button")?.focus();
    event.stopPropagation();
  };
  return (
    <div class="menu" ref={menu} onKeyDown={onKeyDown}>
      <button aria-expanded={open} aria-controls="menu" onClick={() => setOpen(!open)}>
        View ▾
      </button>
      {open && (
        <div class="sheet" id="menu" role="group" aria-label="View">
          <MenuItems page={page} pair={pair} done={() => setOpen(false)} />
        </div>
      )}
    </div>
  );
}

function MenuItems({ page, pair, done }: { page: Page; pair: Pair | null; done: () => void }) {
  const { state, model } = page;
  const { view } = state;
  const act = (action: () => void) => () => {
    action();
    done();
  };
  const label = (kind: "shape" | "params" | "flops", on: boolean): void =>
    page.redraw({
      labels: (["shape", "params", "flops"] as const).filter((k) => (k === kind ? on : state.labels.includes(k))),
    });
  return (
    <>
      <h2>Theme</h2>
      <Choice<ThemeChoice>
        name="theme"
        options={[
          ["system", "System"],
          ["light", "Light"],
          ["dark", "Dark"],
        ]}
        value={state.theme}
        choose={(theme) => page.store.set({ theme })}
      />
      <h2>Direction</h2>
      <Choice
        name="direction"
        options={[
          ["TB", "Down"],
          ["LR", "Right"],
        ]}
        value={state.direction}
        choose={(direction) => page.redraw({ direction, reveal: state.selected, anchor: null })}
      />
      <h2>Shown</h2>
      <Check text="Shapes on wires" on={state.labels.includes("shape")} set={(on) => label("shape", on)} />
      <Check text="Parameters" on={state.labels.includes("params")} set={(on) => label("params", on)} />
      <Check text="FLOPs" on={state.labels.includes("flops")} set={(on) => label("flops", on)} />
      <Check text="Fold repeats" on={view.fold} set={(fold) => page.redraw({ view: { ...view, fold } })} />
      <Check text="Constants" on={view.constants} set={(constants) => page.redraw({ view: { ...view, constants } })} />
      {model.hasAten && (
        <Check
          text="ATen operators"
          on={view.level === "aten"}
          set={(on) => page.redraw({ view: { ...view, level: on ? "aten" : "op" } })}
        />
      )}
      <hr />
      <button onClick={act(() => page.depth(null))}>As fits a page</button>
      <button onClick={act(() => page.depth(Infinity))}>Open everything</button>
      <button onClick={act(() => page.depth(1))}>Close everything</button>
      <hr />
      <button onClick={act(() => exportSvg(page, pair && pair.other(page)))}>Save as SVG</button>
      <button onClick={act(() => exportPng(page, pair && pair.other(page)))}>Save as PNG</button>
      <button onClick={act(() => copyLink(page, pair))}>Copy link to this view</button>
    </>
  );
}

interface ChoiceProps<T extends string> {
  name: string;
  options: [T, string][];
  value: T;
  choose: (value: T) => void;
}

function Choice<T extends string>({ name, options, value, choose }: ChoiceProps<T>) {
  return (
    <div class="segments" role="radiogroup" aria-label={name}>
      {options.map(([option, text]) => (
        <label key={option}>
          <input type="radio" name={name} checked={value === option} onChange={() => choose(option)} />
          <span>{text}</span>
        </label>
      ))}
    </div>
  );
}

function Check({ text, on, set }: { text: string; on: boolean; set: (on: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
      {text}
    </label>
  );
}

function copyLink(page: Page, pair: Pair | null): void {
  const address = location.href.replace(/#.*$/, "");
  void copy(`${address}#${hashOf(page, pair)}`).then((done) =>
    page.store.set({ said: done ? "Link copied" : "The link could not be copied: it stands in the address bar" }),
  );
}
