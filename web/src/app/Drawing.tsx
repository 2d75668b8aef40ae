/** The canvas, what lies over it, and the keys that move about in it. */

import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { isThin } from "../graph/calls.ts";
import { shapeText } from "../graph/shapes.ts";
import type { VisibleGraph } from "../graph/visible.ts";
import type { Hit } from "../paint/hit.ts";
import type { Look } from "../paint/look.ts";
import { type Picture, picture } from "../paint/picture.ts";
import { Stage } from "../paint/stage.ts";
import { DIFFERENCE } from "../scene/marks.ts";
import { THEMES } from "../scene/theme.ts";
import type { Drawn } from "../worker/protocol.ts";
import { Legend } from "./Legend.tsx";
import { type Colours, coloursOf } from "../scene/colours.ts";
import { measuredView, valueName } from "./model.ts";
import { type Page, usePage } from "./page.tsx";
import { type Pair, usePair } from "./pair.ts";
import { ACCENTS, wantsStill } from "./theme.ts";

const NONE: ReadonlySet<string> = new Set();

/** Modules that only wrap one function. */
function thin({ model }: Page, { visible }: Drawn): ReadonlySet<string> {
  const { tree } = model.indexed;
  const found = visible.nodes.filter(({ kind, call }) => kind === "call" && isThin(tree, model.graph.calls[call]!));
  return new Set(found.map(({ key }) => key));
}

interface Pointed {
  readonly hit: Hit;
  readonly x: number;
  readonly y: number;
}

export function Drawing({ theme }: { theme: "light" | "dark" }) {
  const page = usePage();
  const pair = usePair();
  const beside = useBeside(pair, page);
  const { drawn, overlay } = page.state;
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage | null>(null);
  const [pointed, setPointed] = useState<Pointed>({ hit: null, x: 0, y: 0 });
  const shown = useMemo(() => (drawn ? picture(drawn.scene, thin(page, drawn)) : null), [drawn]);
  const other = beside?.state.drawn ?? null;
  const colours = useMemo(
    () =>
      drawn && coloursOf(measuredView(page.model, drawn), overlay, theme, other && measuredView(beside!.model, other)),
    [page, drawn, overlay, theme, other],
  );

  useLayoutEffect(() => {
    const made = makeStage(page, canvas.current!, map.current!, setPointed);
    stage.current = made;
    page.moveTo = (camera) => made.open(camera, false);
    return () => made.end();
  }, [page]);
  useShown(page, stage, shown);
  const look = useLook(page, pair, theme, pointed.hit, colours);
  useLayoutEffect(() => stage.current?.dress(look, false), [look]);
  useLayoutEffect(() => stage.current?.dress(look, true), [theme, colours]);

  return (
    <>
      <canvas
        ref={canvas}
        class="canvas"
        tabIndex={0}
        role="application"
        aria-roledescription="drawing"
        aria-label={`Drawing of ${page.model.graph.name}. The outline lists the same boxes.`}
        onKeyDown={(event) => stage.current && pressed(page, stage.current, event)}
      />
      <Tip page={page} pointed={pointed} />
      {colours && overlay !== DIFFERENCE && pair?.sideOf(page) !== 1 && <Legend legend={colours.legend} />}
      <canvas ref={map} class="minimap" aria-hidden="true" hidden />
      <Zoom stage={() => stage.current} />
      <Left page={page} />
      {!drawn && <p class="waiting">Drawing…</p>}
    </>
  );
}

function makeStage(page: Page, canvas: HTMLCanvasElement, map: HTMLCanvasElement, point: (at: Pointed) => void): Stage {
  let last: Hit = null;
  const audience = {
    selected: (key: string | null) => page.select(key),
    toggled: (key: string) => page.toggle(key),
    pointed: (hit: Hit, x: number, y: number) => {
      const same =
        hit?.kind === last?.kind &&
        hit?.key === last?.key &&
        (hit?.kind !== "wire" || last?.kind !== "wire" || hit.value === last.value);
      last = hit;
      if (!same) point({ hit, x, y });
    },
    moved: (camera: Stage["view"]) => page.moved(camera),
  };
  return new Stage(canvas, map, audience, wantsStill);
}

/** A new picture: hold what was clicked on where it is, and bring into sight what was asked for. */
function useShown(page: Page, stage: { current: Stage | null }, shown: Picture | null): void {
  const first = useRef(true);
  const { reveal, direction } = page.state;
  useLayoutEffect(() => {
    if (!shown || !stage.current) return;
    const { anchor } = page.state;
    const { camera } = page;
    stage.current.show(shown, anchor);
    if (first.current) stage.current.open(camera, direction === "LR");
    else if (anchor === null && !page.state.reveal) stage.current.open(null, direction === "LR");
    first.current = false;
    page.painted();
  }, [shown]);
  useLayoutEffect(() => {
    if (reveal === null || page.waiting || !shown?.boxOf.has(reveal)) return;
    stage.current?.reveal(reveal);
    page.store.set({ reveal: null });
  }, [reveal, shown]);
}

/** The page on the other side, whose changes are seen here too. */
function useBeside(pair: Pair | null, page: Page): Page | null {
  const beside = pair && pair.other(page);
  const [, renew] = useReducer((count: number) => count + 1, 0);
  useEffect(() => beside?.store.listen(() => renew(undefined as never)), [beside]);
  return beside;
}

function useLook(page: Page, pair: Pair | null, theme: "light" | "dark", hit: Hit, colours: Colours | null): Look {
  const { drawn, selected, direction } = page.state;
  const meant = pair?.alsoMeant(page).join(" ") ?? "";
  const found = useMemo(() => new Set(meant.split(" ")), [meant]);
  const followed = hit?.kind === "wire" ? hit.value : null;
  const ends = useMemo(() => endsOf(drawn?.visible ?? null, followed), [drawn, followed]);
  return useMemo(
    () => ({
      ...{ theme: THEMES[theme], accent: ACCENTS[theme], selected, followed, ends, found },
      ...{ colours, flat: direction === "LR" },
      hovered: hit && hit.kind !== "wire" ? hit.key : null,
    }),
    [theme, colours, selected, hit, followed, ends, found, direction],
  );
}

/** The boxes that make and read a value. */
function endsOf(visible: VisibleGraph | null, value: number | null): ReadonlySet<string> {
  if (!visible || value === null) return NONE;
  const nets = visible.nets.filter((net) => net.value === value);
  return new Set(nets.flatMap(({ source, readers }) => [source, ...readers]).map((i) => visible.nodes[i]!.key));
}

/** What is under the pointer, in words. */
function Tip({ page, pointed: { hit, x, y } }: { page: Page; pointed: Pointed }) {
  if (hit?.kind !== "wire") return null;
  const value = page.model.graph.values[hit.value]!;
  const { visible } = page.state.drawn!;
  const readers = visible.nets
    .filter((net) => net.value === hit.value)
    .reduce((sum, net) => sum + net.readers.length, 0);
  return (
    <div class="tip" style={{ left: `${x + 14}px`, top: `${y + 14}px` }}>
      <strong>{shapeText(value)}</strong> {value.dtype}
      <div class="tip-name">{valueName(page.model, value).slice(0, 200)}</div>
      <div>
        {readers} {readers === 1 ? "reader" : "readers"}
      </div>
    </div>
  );
}

function Zoom({ stage }: { stage: () => Stage | null }) {
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <button class="icon" aria-label="Zoom in" title="Zoom in ( + )" onClick={() => stage()?.zoom(1.4)}>
        +
      </button>
      <button class="icon" aria-label="Zoom out" title="Zoom out ( − )" onClick={() => stage()?.zoom(1 / 1.4)}>
        −
      </button>
      <button class="icon" aria-label="Fit" title="Fit the drawing ( 0 )" onClick={() => stage()?.fit()}>
        ⤢
      </button>
    </div>
  );
}

/** What the drawing leaves out. */
function Left({ page }: { page: Page }) {
  const { drawn, view } = page.state;
  const hidden = drawn?.visible.hidden ?? 0;
  if (hidden === 0) return null;
  return (
    <p class="left">
      {hidden} {hidden === 1 ? "call depends" : "calls depend"} on no input:{" "}
      <button class="inline" onClick={() => page.redraw({ view: { ...view, constants: true } })}>
        show
      </button>
    </p>
  );
}

const STEP = 80;

function pressed(page: Page, stage: Stage, event: KeyboardEvent): void {
  const { selected } = page.state;
  const actions: Record<string, () => void> = {
    "+": () => stage.zoom(1.4),
    "=": () => stage.zoom(1.4),
    "-": () => stage.zoom(1 / 1.4),
    "0": () => stage.fit(),
    f: () => selected && stage.reveal(selected),
    ArrowLeft: () => stage.pan(STEP, 0),
    ArrowRight: () => stage.pan(-STEP, 0),
    ArrowUp: () => stage.pan(0, STEP),
    ArrowDown: () => stage.pan(0, -STEP),
    Enter: () => selected && page.toggle(selected),
    " ": () => selected && page.toggle(selected),
  };
  const action = actions[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  action();
  event.preventDefault();
}
