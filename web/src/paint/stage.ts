/** The canvas as something to move about in: camera, pointer, wheel, and painting once per frame. */

import {
  type Box,
  type Camera,
  type Extent,
  between,
  centred,
  fitting,
  kept,
  opening,
  seen,
  zoomed,
} from "./camera.ts";
import { type Hit, hit } from "./hit.ts";
import type { Look } from "./look.ts";
import { mapCamera, mapSize, paintMap, showMap, showsAll } from "./minimap.ts";
import { paint } from "./painter.ts";
import type { Picture } from "./picture.ts";

/** What the stage tells the page. */
export interface Audience {
  selected(key: string | null): void;
  toggled(key: string): void;
  /** What is under the pointer, and where that is on the canvas. */
  pointed(hit: Hit, x: number, y: number): void;
  moved(camera: Camera): void;
}

const DRAG = 4;
const GLIDE = 220;

interface Pointer {
  x: number;
  y: number;
}

export class Stage {
  private picture: Picture | null = null;
  private look: Look | null = null;
  private map: HTMLCanvasElement | null = null;
  private camera: Camera = { x: 0, y: 0, scale: 1 };
  private screen: Extent = { width: 0, height: 0 };
  private frame = 0;
  private glide: { from: Camera; to: Camera; start: number } | null = null;
  private readonly pointers = new Map<number, Pointer>();
  private dragged = false;
  private readonly stop = new AbortController();
  private readonly context: CanvasRenderingContext2D;
  private readonly watcher: ResizeObserver;
  /** Milliseconds that the last frame took to paint. */
  lastFrame = 0;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly minimap: HTMLCanvasElement,
    private readonly audience: Audience,
    private readonly still: () => boolean,
  ) {
    this.context = canvas.getContext("2d", { alpha: false })!;
    const { signal } = this.stop;
    canvas.addEventListener("pointerdown", (event) => this.pressed(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.movedTo(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.released(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId), { signal });
    canvas.addEventListener("pointerleave", () => this.audience.pointed(null, 0, 0), { signal });
    canvas.addEventListener("dblclick", (event) => this.doubled(event), { signal });
    canvas.addEventListener("wheel", (event) => this.wheeled(event), { signal, passive: false });
    for (const kind of ["pointerdown", "pointermove"] as const) {
      minimap.addEventListener(kind, (event) => this.mapped(event), { signal });
    }
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(canvas);
    this.resized();
  }

  end(): void {
    this.stop.abort();
    this.watcher.disconnect();
    cancelAnimationFrame(this.frame);
  }

  get view(): Camera {
    return this.camera;
  }

  /** Show another picture; what stood at `anchor` stays where it is on the screen. */
  show(picture: Picture, anchor: string | null): void {
    const before = this.picture;
    const [from, to] = [before?.boxOf.get(anchor ?? ""), picture.boxOf.get(anchor ?? "")];
    this.picture = picture;
    this.map = null;
    this.glide = null;
    if (from && to) {
      const { scale } = this.camera;
      this.camera = { scale, x: this.camera.x + (from.x - to.x) * scale, y: this.camera.y + (from.y - to.y) * scale };
    }
    this.hold();
  }

  dress(look: Look, mapToo: boolean): void {
    this.look = look;
    if (mapToo) this.map = null;
    this.request();
  }

  /** The first look, or as a link says. */
  open(camera: Camera | null, flat: boolean): void {
    if (!this.picture) return;
    this.go(camera ?? opening(this.picture.scene, this.screen, flat), false);
  }

  fit(): void {
    if (this.picture) this.go(fitting({ x: 0, y: 0, ...this.picture.scene }, this.screen), true);
  }

  zoom(factor: number): void {
    this.go(zoomed(this.glide?.to ?? this.camera, factor, this.screen.width / 2, this.screen.height / 2), true);
  }

  pan(x: number, y: number): void {
    const from = this.glide?.to ?? this.camera;
    this.go({ ...from, x: from.x + x, y: from.y + y }, true);
  }

  /** Bring a box to the middle, unless it can be seen and read where it is. */
  reveal(key: string, smoothly = true): void {
    const place = this.picture?.boxOf.get(key);
    if (!place) return;
    const view = seen(this.camera, this.screen);
    if (this.camera.scale >= 0.5 && encloses(view, place)) return;
    const fit = fitting(place, this.screen).scale;
    const scale = Math.min(1, Math.max(fit, Math.min(this.camera.scale, 1), fit >= 0.7 ? 0.7 : fit));
    this.go(centred(place, this.screen, fit < scale ? fit : scale), smoothly);
  }

  private go(to: Camera, smoothly: boolean): void {
    if (smoothly && !this.still()) {
      this.glide = { from: this.camera, to, start: performance.now() };
      this.request();
      return;
    }
    this.glide = null;
    this.camera = to;
    this.hold();
  }

  private hold(): void {
    if (this.picture && !this.glide) this.camera = kept(this.camera, this.picture.scene, this.screen);
    this.audience.moved(this.camera);
    this.request();
  }

  private resized(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0 || height === 0) return;
    this.screen = { width, height };
    const ratio = window.devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.map = null;
    this.paintNow();
  }

  private request(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.tick());
  }

  private tick(): void {
    this.frame = 0;
    if (this.glide) {
      const share = Math.min(1, (performance.now() - this.glide.start) / GLIDE);
      const eased = 1 - (1 - share) ** 3;
      this.camera = between(this.glide.from, this.glide.to, eased, this.screen);
      if (share >= 1) this.glide = null;
      this.hold();
    }
    this.paintNow();
  }

  private paintNow(): void {
    const { picture, look } = this;
    if (!picture || !look) return;
    const start = performance.now();
    const ratio = window.devicePixelRatio;
    paint(this.context, picture, look, this.camera, this.screen, ratio);
    const whole = showsAll(picture.scene, this.camera, this.screen);
    this.minimap.hidden = whole;
    if (!whole) this.paintMinimap(picture, look, ratio);
    this.lastFrame = performance.now() - start;
  }

  private paintMinimap(picture: Picture, look: Look, ratio: number): void {
    const size = mapSize(picture.scene);
    if (!this.map) {
      this.map = paintMap(picture, look, ratio);
      this.minimap.style.width = `${size.width}px`;
      this.minimap.style.height = `${size.height}px`;
    }
    const view = seen(this.camera, this.screen);
    showMap(this.minimap, this.map, view, mapCamera(picture.scene, size), look, ratio);
  }

  private at(event: MouseEvent): Pointer {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private under({ x, y }: Pointer): Hit {
    if (!this.picture || !this.look) return null;
    const { camera } = this;
    return hit(
      this.picture,
      (x - camera.x) / camera.scale,
      (y - camera.y) / camera.scale,
      camera.scale,
      this.look.flat,
    );
  }

  private pressed(event: PointerEvent): void {
    if (event.button !== 0 && event.button !== 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.dragged = this.pointers.size > 1;
    this.glide = null;
  }

  private movedTo(event: PointerEvent): void {
    const to = this.at(event);
    const from = this.pointers.get(event.pointerId);
    if (!from) {
      const found = this.under(to);
      this.canvas.style.cursor = found ? "pointer" : "grab";
      this.audience.pointed(found, to.x, to.y);
      return;
    }
    if (!this.dragged && Math.hypot(to.x - from.x, to.y - from.y) < DRAG) return;
    this.dragged = true;
    this.canvas.style.cursor = "grabbing";
    if (this.pointers.size === 2) this.pinch(event.pointerId, from, to);
    else this.camera = { ...this.camera, x: this.camera.x + to.x - from.x, y: this.camera.y + to.y - from.y };
    this.pointers.set(event.pointerId, to);
    this.hold();
  }

  private pinch(id: number, from: Pointer, to: Pointer): void {
    const other = [...this.pointers].find(([key]) => key !== id)![1];
    const span = (one: Pointer): number => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
    this.camera = zoomed(this.camera, span(to) / span(from), (to.x + other.x) / 2, (to.y + other.y) / 2);
  }

  private released(event: PointerEvent): void {
    const known = this.pointers.delete(event.pointerId);
    this.canvas.style.cursor = "grab";
    if (!known || this.dragged || event.button !== 0) return;
    const found = this.under(this.at(event));
    if (found?.kind === "button") this.audience.toggled(found.key);
    else this.audience.selected(found ? found.key : null);
  }

  private doubled(event: MouseEvent): void {
    const found = this.under(this.at(event));
    if (found?.kind === "box" && this.picture?.boxOf.get(found.key)?.openable) this.audience.toggled(found.key);
  }

  /** In a frame inside another page the wheel scrolls that page, until the drawing is clicked on. */
  private wheeled(event: WheelEvent): void {
    const mine = window.parent === window || document.activeElement === this.canvas || event.ctrlKey || event.metaKey;
    if (!mine) return;
    event.preventDefault();
    this.glide = null;
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? this.screen.height : 1;
    const { x, y } = this.at(event);
    if (event.shiftKey) {
      const by = (event.deltaX || event.deltaY) * unit;
      this.camera = { ...this.camera, x: this.camera.x - by };
    } else {
      const speed = event.ctrlKey ? 0.01 : 0.0015;
      this.camera = zoomed(this.camera, Math.exp(-event.deltaY * unit * speed), x, y);
    }
    this.hold();
  }

  private mapped(event: PointerEvent): void {
    if (event.buttons !== 1 || !this.picture) return;
    this.minimap.setPointerCapture(event.pointerId);
    const { left, top } = this.minimap.getBoundingClientRect();
    const map = mapCamera(this.picture.scene, mapSize(this.picture.scene));
    const point = { x: (event.clientX - left - map.x) / map.scale, y: (event.clientY - top - map.y) / map.scale };
    this.go(centred({ ...point, width: 0, height: 0 }, this.screen, this.camera.scale), false);
  }
}

function encloses(outer: Box, inner: Box): boolean {
  const right = inner.x + inner.width <= outer.x + outer.width;
  const bottom = inner.y + inner.height <= outer.y + outer.height;
  return inner.x >= outer.x && inner.y >= outer.y && right && bottom;
}
