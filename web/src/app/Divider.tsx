/** The bar between two drawings: dragged, or moved by keys. */

import type { RefObject } from "preact";
import { SIDES, boundedShare } from "./link.ts";
import type { Pair } from "./pair.ts";

const STEP = 2;

interface Given {
  pair: Pair;
  box: RefObject<HTMLElement | null>;
  stacked: boolean;
}

export function Divider({ pair, box, stacked }: Given) {
  const { share } = pair.state;
  const move = (to: number): void => pair.store.set({ share: boundedShare(to) });
  const dragged = (event: PointerEvent): void => {
    const bar = event.currentTarget as HTMLElement;
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const { left, top, width, height } = box.current!.getBoundingClientRect();
    move(stacked ? ((event.clientY - top) / height) * 100 : ((event.clientX - left) / width) * 100);
  };
  const pressed = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -STEP, ArrowUp: -STEP, ArrowRight: STEP, ArrowDown: STEP };
    const ends: Record<string, number> = { Home: 0, End: 100, Enter: SIDES.share };
    const to = event.key in steps ? share + steps[event.key]! : ends[event.key];
    if (to === undefined) return;
    move(to);
    event.preventDefault();
  };
  return (
    <div
      class="divider"
      role="separator"
      tabIndex={0}
      aria-label="Room of the first drawing"
      aria-orientation={stacked ? "horizontal" : "vertical"}
      aria-valuenow={share}
      aria-valuemin={boundedShare(0)}
      aria-valuemax={boundedShare(100)}
      title="Drag, or use the arrow keys; Enter shares the room evenly"
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={dragged}
      onDblClick={() => move(SIDES.share)}
      onKeyDown={pressed}
    />
  );
}
