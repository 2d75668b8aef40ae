/** Light or dark, as chosen or as the system says. */

import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { ThemeChoice } from "./state.ts";

/** What is selected and followed, on the page and in the drawing. */
export const ACCENTS = { light: "#0b57d0", dark: "#8ab4ff" };

const DARK = "(prefers-color-scheme: dark)";
const STILL = "(prefers-reduced-motion: reduce)";

export function useTheme(choice: ThemeChoice): "light" | "dark" {
  const [system, setSystem] = useState(() => matchMedia(DARK).matches);
  useEffect(() => {
    const query = matchMedia(DARK);
    const changed = (): void => setSystem(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  const theme = choice === "system" ? (system ? "dark" : "light") : choice;
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return theme;
}

/** Does the reader want nothing to move by itself? */
export function wantsStill(): boolean {
  return matchMedia(STILL).matches;
}
