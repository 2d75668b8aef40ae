/** A scene as SVG text; the same scene gives the same bytes. */

import { coordinate } from "../scene/coordinate.ts";
import type { Path, Rect, Scene, Shape, Text } from "../scene/model.ts";
import { THEMES, type Theme, type ThemeName } from "../scene/theme.ts";

const FONTS = "Atlas Sans, Liberation Sans, Arial, Helvetica, sans-serif";
const MARKS: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A theme may be given by name, or colour by colour. */
export function svg(scene: Scene, look: ThemeName | Theme): string {
  const theme = typeof look === "string" ? THEMES[look] : look;
  const [width, height] = [coordinate(scene.width), coordinate(scene.height)];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${FONTS}">\n<rect width="${width}" height="${height}" fill="${theme.background}"/>\n`,
  ];
  for (const { kind, title, shapes } of scene.groups) {
    const told = title && kind !== "wire" ? `<title>${escape(title)}</title>` : "";
    parts.push(`<g>${told}${shapes.map((shape) => element(shape, theme)).join("")}</g>\n`);
  }
  parts.push("</svg>\n");
  return parts.join("");
}

/** Text from the model is data: marks become entities, and what XML forbids becomes a replacement character. */
export function escape(text: string): string {
  return text
    .slice(0, 20000)
    .replace(/[&<>"']/g, (mark) => MARKS[mark]!)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, "\ufffd");
}

function element(shape: Shape, theme: Theme): string {
  if (shape.kind === "rect") return rect(shape, theme);
  return shape.kind === "path" ? path(shape, theme) : text(shape, theme);
}

function paint({ fill, line, lineWidth }: Rect | Path, theme: Theme): string {
  const stroke = line
    ? ` stroke="${theme[line]}"${lineWidth === 1 ? "" : ` stroke-width="${coordinate(lineWidth)}"`}`
    : "";
  return ` fill="${fill ? theme[fill] : "none"}"${stroke}`;
}

function rect(shape: Rect, theme: Theme): string {
  const box = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" width="${coordinate(shape.width)}" height="${coordinate(shape.height)}"`;
  const dash = shape.dashed ? ' stroke-dasharray="5 3"' : "";
  return `<rect ${box} rx="${coordinate(shape.radius)}"${paint(shape, theme)}${dash}/>`;
}

function path(shape: Path, theme: Theme): string {
  return `<path d="${shape.d}"${paint(shape, theme)}/>`;
}

function text(shape: Text, theme: Theme): string {
  const place = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" font-size="${shape.size}"`;
  const bold = shape.bold ? ' font-weight="bold"' : "";
  const anchor = shape.anchor === "start" ? "" : ` text-anchor="${shape.anchor}"`;
  return `<text ${place}${bold}${anchor} fill="${theme[shape.fill]}">${escape(shape.text)}</text>`;
}
