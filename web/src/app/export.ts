/** Saving the drawing as it is shown, to a file. */

import type { Look } from "../paint/look.ts";
import { paint } from "../paint/painter.ts";
import { picture } from "../paint/picture.ts";
import { THEMES } from "../scene/theme.ts";
import { svg } from "../scene/svg.ts";
import { exportedScene } from "./exported.ts";
import type { Page } from "./page.tsx";

/** Browsers make no larger canvas. */
const LONGEST = 16000;
const LARGEST = 120e6;

/** `beside` is the drawing on the other side, where there is one: colours mean the same in both. */
export function exportSvg(page: Page, beside: Page | null): void {
  const scene = exportedScene(page, beside, shownTheme());
  if (scene) save(new Blob([svg(scene)], { type: "image/svg+xml" }), `${fileName(page)}.svg`);
}

export function exportPng(page: Page, beside: Page | null): void {
  const scene = exportedScene(page, beside, shownTheme());
  if (!scene) return;
  const { width, height } = scene;
  const scale = Math.min(2, LONGEST / width, LONGEST / height, Math.sqrt(LARGEST / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  const theme = THEMES[shownTheme()];
  const look: Look = {
    ...{ theme, accent: theme.text, colours: null, flat: page.state.direction === "LR" },
    ...{ selected: null, hovered: null, followed: null, ends: new Set<string>(), found: new Set<string>() },
  };
  const plain = { ...picture(scene), buttons: new Set<string>() };
  paint(canvas.getContext("2d")!, plain, look, { x: 0, y: 0, scale: 1 }, scene, scale);
  canvas.toBlob((blob) => {
    if (blob) save(blob, `${fileName(page)}.png`);
    else
      page.store.set({
        problem: `The browser could not make a picture of ${canvas.width} × ${canvas.height} pixels. Save as SVG instead.`,
      });
  });
}

function shownTheme(): "light" | "dark" {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

function fileName({ model }: Page): string {
  return model.graph.name.replace(/[^\w.-]+/g, "_").slice(0, 80) || "network";
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
