/** A finished scene as SVG text; the same scene gives the same bytes. */

import { coordinate } from "../scene/coordinate.ts";
import type { Path, Rect, Scene, Text } from "../contract/scene.ts";
import type { Shape } from "../scene/ink.ts";

const FONTS = "Atlas Sans, Liberation Sans, Arial, Helvetica, sans-serif";
const MARKS: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function svg(scene: Scene): string {
  const [width, height] = [coordinate(scene.width), coordinate(scene.height)];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${FONTS}">\n<rect width="${width}" height="${height}" fill="${scene.background}"/>\n`,
  ];
  for (const { kind, title, shapes } of scene.groups) {
    const told = title && kind !== "wire" ? `<title>${escape(title)}</title>` : "";
    parts.push(`<g>${told}${shapes.map((shape) => element(shape)).join("")}</g>\n`);
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

function element(shape: Shape): string {
  if (shape.kind === "rect") return rect(shape);
  return shape.kind === "path" ? path(shape) : text(shape);
}

function paint({ fill, line, line_width }: Rect | Path): string {
  const stroke = line ? ` stroke="${line}"${line_width === 1 ? "" : ` stroke-width="${coordinate(line_width)}"`}` : "";
  return ` fill="${fill ?? "none"}"${stroke}`;
}

function rect(shape: Rect): string {
  const box = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" width="${coordinate(shape.width)}" height="${coordinate(shape.height)}"`;
  const dash = shape.dashed ? ' stroke-dasharray="5 3"' : "";
  return `<rect ${box} rx="${coordinate(shape.radius)}"${paint(shape)}${dash}/>`;
}

function path(shape: Path): string {
  return `<path d="${shape.d}"${paint(shape)}/>`;
}

function text(shape: Text): string {
  const place = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" font-size="${shape.size}"`;
  const bold = shape.bold ? ' font-weight="bold"' : "";
  const anchor = shape.anchor === "start" ? "" : ` text-anchor="${shape.anchor}"`;
  return `<text ${place}${bold}${anchor} fill="${shape.fill}">${escape(shape.text)}</text>`;
}
