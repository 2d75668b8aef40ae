/** Saving the drawing as it is shown: opened, coloured, in its theme. */

import type { Look, Sign } from "../paint/look.ts";
import { paint } from "../paint/painter.ts";
import { picture } from "../paint/picture.ts";
import type { Group, Place, Scene, Shape } from "../scene/model.ts";
import { THEMES, type Theme } from "../scene/theme.ts";
import { svg } from "../svg/svg.ts";
import { blankTint } from "./overlay.ts";
import type { Page } from "./page.tsx";
import { NO_SIGNS, type Tinted, tinted } from "./tinted.ts";

/** Browsers make no larger canvas. */
const LONGEST = 16000;
const LARGEST = 120e6;

/** `beside` is the drawing on the other side, where there is one: colours mean the same in both. */
export function exportSvg(page: Page, beside: Page | null): void {
  const { drawn } = page.state;
  if (!drawn) return;
  const theme = shownTheme();
  const colours = coloursOf(page, beside);
  const text = colours ? recolouredSvg(drawn.scene, colours) : svg(drawn.scene, theme);
  save(new Blob([text], { type: "image/svg+xml" }), `${fileName(page)}.svg`);
}

export function exportPng(page: Page, beside: Page | null): void {
  const { drawn, direction } = page.state;
  if (!drawn) return;
  const theme = shownTheme();
  const { width, height } = drawn.scene;
  const scale = Math.min(2, LONGEST / width, LONGEST / height, Math.sqrt(LARGEST / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  const colours = coloursOf(page, beside);
  const look: Look = {
    ...{ theme: THEMES[theme], accent: THEMES[theme].text, blank: blankTint(THEMES[theme]), flat: direction === "LR" },
    ...{ selected: null, hovered: null, followed: null, ends: new Set<string>(), found: new Set<string>() },
    ...{ tints: colours?.tints ?? null, signs: colours?.signs ?? NO_SIGNS },
  };
  const plain = { ...picture(drawn.scene), buttons: new Set<string>() };
  paint(canvas.getContext("2d")!, plain, look, { x: 0, y: 0, scale: 1 }, drawn.scene, scale);
  canvas.toBlob((blob) => {
    if (blob) save(blob, `${fileName(page)}.png`);
    else
      page.store.set({
        problem: `The browser could not make a picture of ${canvas.width} × ${canvas.height} pixels. Save as SVG instead.`,
      });
  });
}

function coloursOf({ model, state }: Page, beside: Page | null): Tinted | null {
  const other = beside && { model: beside.model, drawn: beside.state.drawn };
  return tinted({ model, drawn: state.drawn }, state.overlay, shownTheme(), other);
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

/** The SVG of a scene whose boxes wear the colours of an overlay: each has tokens of its own in a theme of its own. */
function recolouredSvg(scene: Scene, { tints, signs, theme }: Tinted): string {
  const colours: Record<string, string> = { ...THEMES[theme] };
  const blank = blankTint(THEMES[theme]);
  const groups = scene.groups.map((group, i): Group => {
    if (group.kind !== "box") return group;
    const tint = tints.get(group.key) ?? blank;
    for (const part of ["fill", "line", "bar"] as const) colours[`${i}.${part}`] = tint[part];
    return { ...group, shapes: group.shapes.map((shape) => recoloured(shape, i)) };
  });
  const corners = scene.places.flatMap((place) => {
    const sign = signs.get(place.key);
    if (sign) Object.assign(colours, { [`sign.${sign.text}`]: sign.fill, sign: "#000000" });
    return sign ? [corner(place, sign)] : [];
  });
  return svg({ ...scene, groups: [...groups, ...corners] }, colours as unknown as Theme);
}

/** The sign of a box, as the painter puts it; inside the box, for there may be nothing around it. */
function corner({ key, x, y }: Place, { text }: Sign): Group {
  const token = (name: string): keyof Theme => name as keyof Theme;
  return {
    ...{ kind: "tag", key, value: -1, title: "" },
    shapes: [
      {
        ...{ kind: "rect", x, y, width: 14, height: 14, radius: 3, fill: token(`sign.${text}`) },
        ...{ line: null, lineWidth: 0, dashed: false },
      },
      {
        ...{ kind: "text", x: x + 7, y: y + 11.5, text, size: 13, bold: true, anchor: "middle", width: 9 },
        fill: token("sign"),
      },
    ],
  };
}

function recoloured(shape: Shape, group: number): Shape {
  if (shape.kind === "text") return shape.fill === "dim" ? { ...shape, fill: "text" } : shape;
  const own = (token: keyof Theme | null): keyof Theme | null => {
    const [hue, part] = token?.split(".") ?? [];
    return part && hue !== "error" && hue !== "end" ? (`${group}.${part}` as keyof Theme) : token;
  };
  return { ...shape, fill: own(shape.fill), line: own(shape.line) };
}
