/** The view as the part of an address after #, and back. */

import { DEFAULT_STATE } from "../graph/state.ts";
import type { Camera } from "../paint/camera.ts";
import type { View } from "../contract/payload.ts";
import type { AppState, Tab, ThemeChoice } from "./state.ts";

export type LinkState = Pick<AppState, "view" | "direction" | "labels" | "theme" | "overlay" | "tab" | "selected">;

/** How two drawings stand side by side. */
export interface Sides {
  /** The one that outline, table and panel tell of. */
  readonly active: 0 | 1;
  readonly inStep: boolean;
  /** Of the room, in percent, what the first has. */
  readonly share: number;
}

export const SIDES: Sides = { active: 0, inStep: true, share: 50 };

/** Of a second drawing, what it has for itself is said under names that end in this. */
const SECOND = "2";

/** What differs from the default, in words that a reader can make out. */
export function toHash(state: LinkState, camera: Camera | null): string {
  return paramsOf(state, camera).toString();
}

/** The same of two drawings; what they share is said once. */
export function pairToHash(
  states: readonly [LinkState, LinkState],
  cameras: readonly (Camera | null)[],
  sides: Sides,
): string {
  const all = paramsOf(states[0], cameras[0] ?? null);
  sayOwn(all, SECOND, states[1], cameras[1] ?? null);
  if (sides.active === 1) all.set("side", SECOND);
  if (!sides.inStep) all.set("step", "no");
  if (sides.share !== SIDES.share) all.set("share", String(sides.share));
  return all.toString();
}

function paramsOf(state: LinkState, camera: Camera | null): URLSearchParams {
  const { view } = state;
  const all = new URLSearchParams();
  if (!view.fold) all.set("fold", "no");
  if (view.constants) all.set("constants", "yes");
  if (view.level !== "op") all.set("level", view.level);
  if (state.direction !== "TB") all.set("direction", state.direction);
  if (state.labels.join() !== "shape,params") all.set("labels", state.labels.join(" "));
  if (state.theme !== "system") all.set("theme", state.theme);
  if (state.overlay) all.set("colour", state.overlay);
  if (state.tab !== "drawing") all.set("tab", state.tab);
  sayOwn(all, "", state, camera);
  return all;
}

/** What a drawing has for itself: what is open, what is selected, where the camera is. */
function sayOwn(all: URLSearchParams, end: string, { view, selected }: LinkState, camera: Camera | null): void {
  const say = (name: string, text: string | null): void => {
    if (text) all.set(name + end, text);
  };
  say("depth", view.depth === null ? null : view.depth === Infinity ? "all" : String(view.depth));
  say("open", view.expand.join(" "));
  say("closed", view.collapse.join(" "));
  say("repeats", view.unfold.join(" "));
  say("at", selected);
  say("camera", camera && [camera.x, camera.y].map(Math.round).join(" ") + ` ${Number(camera.scale.toPrecision(4))}`);
}

/** What the page was made to show at first. */
export function fromGiven(given: View): LinkState {
  const { state } = fromHash("");
  const { direction, labels, theme, color_by: overlay, ...view } = given;
  const chosen = theme === "paper" ? "light" : theme;
  return { ...state, direction, labels, theme: chosen, overlay, view: { ...state.view, ...view } };
}

/** What a link says; whatever cannot be understood is left at its default. */
export function fromHash(hash: string): { state: LinkState; camera: Camera | null } {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const oneOf = <T extends string>(name: string, known: readonly T[], otherwise: T): T =>
    known.find((word) => word === said.get(name)) ?? otherwise;
  const { camera, selected, ...opened } = own(said, "");
  const view = {
    ...{ ...DEFAULT_STATE, ...opened },
    fold: said.get("fold") !== "no",
    constants: said.get("constants") === "yes",
    level: oneOf("level", ["op", "aten"] as const, "op"),
  };
  const known = ["shape", "params", "flops"] as const;
  const labels = said.has("labels")
    ? known.filter((kind) => words(said, "labels").includes(kind))
    : (["shape", "params"] as const);
  const state = {
    ...{ view, labels, selected, direction: oneOf("direction", ["TB", "LR"] as const, "TB") },
    theme: oneOf<ThemeChoice>("theme", ["system", "light", "dark"], "system"),
    overlay: said.get("colour"),
    tab: oneOf<Tab>("tab", ["drawing", "table"], "drawing"),
  };
  return { state, camera };
}

/** What a link says of two drawings. */
export function pairFromHash(hash: string): {
  states: readonly [LinkState, LinkState];
  cameras: readonly [Camera | null, Camera | null];
  sides: Sides;
} {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const first = fromHash(hash);
  const { camera, selected, ...opened } = own(said, SECOND);
  const second: LinkState = { ...first.state, selected, view: { ...first.state.view, ...opened } };
  const sides: Sides = {
    active: said.get("side") === SECOND ? 1 : 0,
    inStep: said.get("step") !== "no",
    share: shareOf(said.get("share")),
  };
  return { states: [first.state, second], cameras: [first.camera, camera], sides };
}

function own(said: URLSearchParams, end: string) {
  return {
    depth: depthOf(said.get(`depth${end}`)),
    expand: words(said, `open${end}`),
    collapse: words(said, `closed${end}`),
    unfold: words(said, `repeats${end}`),
    selected: said.get(`at${end}`),
    camera: cameraOf(words(said, `camera${end}`).map(Number)),
  };
}

function words(said: URLSearchParams, name: string): string[] {
  return (said.get(name) ?? "").split(" ").filter(Boolean);
}

/** Neither side is ever too narrow to be caught sight of. */
export function boundedShare(share: number): number {
  return Math.min(85, Math.max(15, Math.round(share)));
}

function shareOf(text: string | null): number {
  const share = text ? Number(text) : NaN;
  return Number.isFinite(share) ? boundedShare(share) : SIDES.share;
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
