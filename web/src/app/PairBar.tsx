/** The bar of two drawings: which one is told of, whether they go in step, and the walk through what differs. */

import { MARKS } from "../scene/marks.ts";
import type { Pair } from "./pair.ts";
import { Sign } from "./parts.tsx";

export function PairBar({ pair }: { pair: Pair }) {
  return (
    <div class="pair-bar" role="toolbar" aria-label="Two drawings">
      <div class="segments" role="radiogroup" aria-label="Told of by outline, table and details">
        {pair.pages.map((page, side) => (
          <label key={side}>
            <input
              type="radio"
              name="side"
              checked={pair.state.active === side}
              onChange={() => pair.activate(side as 0 | 1)}
            />
            <span>{pair.titleOf(page).slice(0, 60)}</span>
          </label>
        ))}
      </div>
      <label class="check" title="What is selected, opened or closed in one drawing is so in the other">
        <input
          type="checkbox"
          checked={pair.state.inStep}
          onChange={(event) => pair.setInStep(event.currentTarget.checked)}
        />
        In step
      </label>
      <button title="Go over to the other drawing ( x )" onClick={() => pair.cross()}>
        Other side
      </button>
      {pair.pages[0].model.marks && <Walk pair={pair} />}
    </div>
  );
}

/** How many differences there are of each kind, and steps from one to the next. */
function Walk({ pair }: { pair: Pair }) {
  const { differences, state } = pair;
  if (differences.length === 0) return <p class="walk dim">No differences</p>;
  return (
    <div class="walk" role="group" aria-label="Differences">
      {MARKS.map((mark) => {
        const found = differences.filter((one) => one.mark === mark);
        const count = found.reduce((sum, { repeats }) => sum + repeats, 0);
        return count === 0 ? null : (
          <span key={mark} class="marked">
            <Sign mark={mark} /> {count} {mark}
          </span>
        );
      })}
      <span aria-live="polite" class="dim">
        {state.at >= 0 ? `${state.at + 1} of ${differences.length}` : ""}
      </span>
      <button class="icon" aria-label="Previous difference" title="Previous ( p )" onClick={() => pair.walk(-1)}>
        ‹
      </button>
      <button aria-label="Next difference" title="Next ( n )" onClick={() => pair.walk(1)}>
        Next difference ›
      </button>
    </div>
  );
}
