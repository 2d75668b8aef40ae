/** Two drawings beside each other, or one above the other where there is no room for that, with a bar that moves. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Divider } from "./Divider.tsx";
import { Drawing } from "./Drawing.tsx";
import { Totals } from "./Header.tsx";
import { PageContext, usePage } from "./page.tsx";
import { type Pair, usePair } from "./pair.ts";
import { Failure } from "./Failure.tsx";

/** Drawings that would have less room than half of this, in pixels, stand one above the other. */
const NARROW = 560;

export function Panes({ pair, theme }: { pair: Pair; theme: "light" | "dark" }) {
  const box = useRef<HTMLDivElement>(null);
  const [stacked, setStacked] = useState(false);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      // On the other tab there is no room at all, which says nothing.
      const { width } = entry!.contentRect;
      if (width > 0) setStacked(width < NARROW);
    });
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  const { share } = pair.state;
  return (
    <div class={`panes${stacked ? " stacked" : ""}`} ref={box}>
      {pair.pages.map((page, side) => [
        side === 1 && <Divider key="divider" pair={pair} box={box} stacked={stacked} />,
        <PageContext.Provider key={side} value={page}>
          <Pane side={side as 0 | 1} part={side === 0 ? share : 100 - share} theme={theme} />
        </PageContext.Provider>,
      ])}
    </div>
  );
}

function Pane({ side, part, theme }: { side: 0 | 1; part: number; theme: "light" | "dark" }) {
  const page = usePage();
  const pair = usePair()!;
  const title = pair.titleOf(page);
  const { name } = page.model.graph;
  const activate = (): void => pair.activate(side);
  return (
    <section
      class={`pane${pair.active === page ? " active" : ""}`}
      style={{ flexGrow: part }}
      aria-label={`${title}: ${name}`}
      onPointerDownCapture={activate}
      onFocusCapture={activate}
    >
      <header class="caption">
        <strong title={title}>{title.slice(0, 100)}</strong>
        <span class="caption-name" title={name}>
          {name !== title && name.slice(0, 200)}
        </span>
        <Totals page={page} />
      </header>
      <Failure page={page} />
      <div class="pane-drawing">
        <Drawing theme={theme} />
      </div>
    </section>
  );
}
