/** The search field, and the list of what it found. */

import { useMemo, useRef, useState } from "preact/hooks";
import { type Page, usePage } from "./page.tsx";
import { type Found, search, searchIndex } from "./search.ts";

/** Listed at once; stepping reaches the others too. */
const LISTED = 100;

export function Search() {
  const page = usePage();
  const { query, step } = page.state;
  // Made with the first letter, for a page that is looked at before it is searched.
  const isUsed = query !== "";
  const entries = useMemo(() => (isUsed ? searchIndex(page.model) : []), [page, isUsed]);
  const found = useMemo(() => search(entries, query), [entries, query]);
  const [listed, setListed] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const go = (to: number): void => stepTo(page, found, to);
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
      {shown && found.length > 0 && <Results page={page} found={found} step={step} go={go} />}
    </div>
  );
}

function Results({
  page,
  found,
  step,
  go,
}: {
  page: Page;
  found: readonly Found[];
  step: number;
  go: (to: number) => void;
}) {
  const start = Math.max(0, Math.min(step - LISTED / 2, found.length - LISTED));
  const listed = found.slice(start, start + LISTED);
  return (
    <ul class="results" id="results" role="listbox" aria-label="Results">
      {listed.map(({ call, name, path }, i) => (
        <li
          key={call}
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
          <span class="result-path">{path || page.model.graph.name}</span>
        </li>
      ))}
      {found.length > listed.length && <li class="rest">{found.length - listed.length} more: step with Enter</li>}
    </ul>
  );
}

function stepTo(page: Page, found: readonly Found[], to: number): void {
  if (found.length === 0) return;
  const step = (to + found.length) % found.length;
  page.store.set({ step });
  page.show(found[step]!.call);
}
