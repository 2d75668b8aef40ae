/** The search field, and the list of what it found. */

import { useMemo, useRef, useState } from "preact/hooks";
import { type Page, usePage } from "./page.tsx";
import { type Pair, usePair } from "./pair.ts";
import { type Entries, type FoundOn, merged, search, searchIndex } from "./search.ts";

/** Listed at once; stepping reaches the others too. */
const LISTED = 100;

export function Search() {
  const page = usePage();
  const { query, step } = page.state;
  // Made with the first letter, for a page that is looked at before it is searched.
  const isUsed = query !== "";
  const pair = usePair();
  const entries = useMemo(
    () => (isUsed ? (pair?.pages ?? [page]).map(({ model }) => searchIndex(model)) : []),
    [pair ?? page, isUsed],
  );
  const found = useMemo(() => foundIn(pair, entries, query), [entries, query, pair]);
  const [listed, setListed] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const go = (to: number): void => stepTo(page, pair, found, to);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || (event.key === "Enter" && !event.shiftKey)) go(step + 1);
    else if (event.key === "ArrowUp" || event.key === "Enter") go(step - 1);
    else if (event.key === "Escape" && (query || listed)) {
      page.store.set({ query: "", step: -1 });
      setListed(false);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const left = (event: FocusEvent): void => {
    if (!box.current?.contains(event.relatedTarget as Element | null)) setListed(false);
  };
  const shown = listed && query !== "";
  return (
    <div class="search" role="search" ref={box} onKeyDown={onKeyDown} onFocusOut={left}>
      <input
        id="search"
        type="search"
        role="combobox"
        list={undefined}
        aria-label="Search by name, type, shape or path"
        aria-expanded={shown}
        aria-controls="results"
        aria-activedescendant={shown && step >= 0 ? `result-${step}` : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder="Search name, type, shape, path  ( / )"
        value={query}
        onFocus={() => setListed(true)}
        onInput={(event) => {
          page.store.set({ query: event.currentTarget.value, step: -1 });
          setListed(true);
        }}
      />
      {query !== "" && (
        <span class="steps">
          <span aria-live="polite">
            {found.length === 0 ? "none" : `${step < 0 ? "" : `${step + 1} of `}${found.length}`}
          </span>
          <button class="icon" aria-label="Previous result" disabled={found.length === 0} onClick={() => go(step - 1)}>
            ‹
          </button>
          <button class="icon" aria-label="Next result" disabled={found.length === 0} onClick={() => go(step + 1)}>
            ›
          </button>
        </span>
      )}
      {shown && found.length > 0 && <Results page={page} pair={pair} found={found} step={step} go={go} />}
    </div>
  );
}

/** In one graph, or in both of a pair. */
function foundIn(pair: Pair | null, entries: readonly Entries[], query: string): readonly FoundOn[] {
  const [one = [], other = []] = entries.map((each) => search(each, query));
  return merged(one, other, pair?.ways[0].partners ?? new Map());
}

function Results({
  page,
  pair,
  found,
  step,
  go,
}: {
  page: Page;
  pair: Pair | null;
  found: readonly FoundOn[];
  step: number;
  go: (to: number) => void;
}) {
  const start = Math.max(0, Math.min(step - LISTED / 2, found.length - LISTED));
  const listed = found.slice(start, start + LISTED);
  return (
    <ul class="results" id="results" role="listbox" aria-label="Results">
      {listed.map(({ call, name, path, side, both }, i) => (
        <li
          key={`${side} ${call}`}
          id={`result-${start + i}`}
          role="option"
          aria-selected={start + i === step}
          ref={(element) => {
            if (start + i === step) element?.scrollIntoView({ block: "nearest" });
          }}
          // Focus stays in the field, where the keys that step are heard.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => go(start + i)}
        >
          <span class="result-name">{name}</span>
          <span class="result-path">{path || (pair?.pages[side] ?? page).model.graph.name}</span>
          {pair && <span class="result-side">{both ? "both" : pair.given.titles[side].slice(0, 40)}</span>}
        </li>
      ))}
      {found.length > listed.length && <li class="rest">{found.length - listed.length} more: step with Enter</li>}
    </ul>
  );
}

function stepTo(page: Page, pair: Pair | null, found: readonly FoundOn[], to: number): void {
  if (found.length === 0) return;
  const step = (to + found.length) % found.length;
  const { side, call } = found[step]!;
  page.store.set({ step });
  if (pair) pair.show(side, call);
  else page.show(call);
}
