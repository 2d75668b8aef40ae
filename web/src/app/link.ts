/** The view as the part of an address after #, and back. */

import { DEFAULT_STATE } from "../graph/state.ts";
import type { Camera } from "../paint/camera.ts";
import type { GivenView } from "./document.ts";
import type { AppState, Tab, ThemeChoice } from "./state.ts";

export type Kept = Pick<AppState, "view" | "direction" | "labels" | "theme" | "overlay" | "tab" | "selected">;

/** What differs from the default, in words that a reader can make out. */
export function toHash(state: Kept, camera: Camera | null): string {
  const { view } = state;
  const said = new URLSearchParams();
  const say = (name: string, text: string | null | undefined): void => {
    if (text) said.set(name, text);
  };
  say("depth", view.depth === null ? null : view.depth === Infinity ? "all" : String(view.depth));
  say("open", view.expand.join(" "));
  say("closed", view.collapse.join(" "));
  say("repeats", view.unfold.join(" "));
  if (!view.fold) say("fold", "no");
  if (view.constants) say("constants", "yes");
  if (view.level !== "op") say("level", view.level);
  if (state.direction !== "TB") say("direction", state.direction);
  if (state.labels.join() !== "shape,params") said.set("labels", state.labels.join(" "));
  if (state.theme !== "system") say("theme", state.theme);
  say("colour", state.overlay);
  if (state.tab !== "drawing") say("tab", state.tab);
  say("at", state.selected);
  if (camera) say("camera", [camera.x, camera.y].map(Math.round).join(" ") + ` ${Number(camera.scale.toPrecision(4))}`);
  return said.toString();
}

/** What the page was made to show at first. */
export function fromGiven(given: GivenView | null): Kept {
  const { state } = fromHash("");
  if (!given) return state;
  const { direction, labels, theme, overlay, ...view } = given;
  return { ...state, direction, labels, theme, overlay, view: { ...state.view, ...view } };
}

/** What a link says; whatever cannot be understood is left at its default. */
export function fromHash(hash: string): { state: Kept; camera: Camera | null } {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const words = (name: string): string[] => (said.get(name) ?? "").split(" ").filter(Boolean);
  const oneOf = <T extends string>(name: string, known: readonly T[], otherwise: T): T =>
    known.find((word) => word === said.get(name)) ?? otherwise;
  const view = {
    ...DEFAULT_STATE,
    depth: depthOf(said.get("depth")),
    expand: words("open"),
    collapse: words("closed"),
    unfold: words("repeats"),
    fold: said.get("fold") !== "no",
    constants: said.get("constants") === "yes",
    level: oneOf("level", ["op", "aten"] as const, "op"),
  };
  const known = ["shape", "params", "flops"] as const;
  const labels = said.has("labels")
    ? known.filter((kind) => words("labels").includes(kind))
    : (["shape", "params"] as const);
  const state = {
    ...{ view, labels, direction: oneOf("direction", ["TB", "LR"] as const, "TB") },
    theme: oneOf<ThemeChoice>("theme", ["system", "light", "dark"], "system"),
    overlay: said.get("colour"),
    tab: oneOf<Tab>("tab", ["drawing", "table"], "drawing"),
    selected: said.get("at"),
  };
  return { state, camera: cameraOf(words("camera").map(Number)) };
}

function depthOf(text: string | null): number | null {
  if (text === "all") return Infinity;
  const depth = Number(text ?? NaN);
  return Number.isInteger(depth) && depth > 0 ? depth : null;
}

function cameraOf([x, y, scale]: number[]): Camera | null {
  const given = [x, y, scale].every((number) => Number.isFinite(number));
  return given && scale! > 0 && scale! < 100 ? { x: x!, y: y!, scale: scale! } : null;
}
