/** Long lists: only the rows that can be seen are made. */

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Rows made beyond those that are seen, on either side. */
const MORE = 8;

/** First and last row (exclusive) to make, of `count` rows of `height` pixels in a scrolling element. */
export function useWindow(list: RefObject<HTMLElement | null>, count: number, height: number): [number, number] {
  const [seen, setSeen] = useState<[number, number]>([0, 60]);
  useEffect(() => {
    const element = list.current!;
    const look = (): void => {
      const first = Math.floor(element.scrollTop / height);
      setSeen([first, first + Math.ceil(element.clientHeight / height)]);
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [list, height]);
  const last = Math.min(count, seen[1] + MORE);
  return [Math.max(0, Math.min(seen[0] - MORE, last)), last];
}

/** Scroll so that a row can be seen, if it cannot. */
export function scrollToRow(element: HTMLElement | null, row: number, height: number, above = 0): void {
  if (!element || row < 0) return;
  const top = row * height;
  const room = element.clientHeight - above;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + height > element.scrollTop + room) element.scrollTop = top + height - room;
}
