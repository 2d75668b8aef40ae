/** A scene in its theme as SVG text; the same scene gives the same bytes. */

import { coordinate } from "./coordinate.ts";
import type { Path, Rect, Scene, Text } from "../contract/scene.ts";
import { DASH } from "./draw.ts";
import type { Shape } from "./ink.ts";
import { FONTS } from "./measure.ts";

const MARKS: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function svg(scene: Scene): string {
  const inks: Inks = new Map(scene.inks);
  const [width, height] = [coordinate(scene.width), coordinate(scene.height)];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${FONTS}">\n<rect width="${width}" height="${height}" fill="${ink(inks, scene.background)}"/>\n`,
  ];
  for (const { kind, title, shapes } of scene.groups) {
    const told = title && kind !== "wire" ? `<title>${escape(title)}</title>` : "";
    parts.push(`<g>${told}${shapes.map((shape) => element(shape, inks)).join("")}</g>\n`);
  }
  parts.push("</svg>\n");
  return parts.join("");
}

/** Nearly every text: there is nothing to replace in it. */
const PLAIN = /^[\n !#-%(-;=?-~\u00a0-\u2fff]{0,20000}$/;

/** Text from the model is data: marks become entities, and what XML forbids becomes a replacement character. */
export function escape(text: string): string {
  if (PLAIN.test(text)) return text;
  return text
    .slice(0, 20000)
    .replace(/[&<>"']/g, (mark) => MARKS[mark]!)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, "\ufffd");
}

type Inks = ReadonlyMap<string, string>;

function ink(inks: Inks, colour: string): string {
  return inks.get(colour) ?? colour;
}

function element(shape: Shape, inks: Inks): string {
  if (shape.kind === "rect") return rect(shape, inks);
  return shape.kind === "path" ? path(shape, inks) : text(shape, inks);
}

function paint({ fill, line, line_width }: Rect | Path, inks: Inks): string {
  const width = line_width === 1 ? "" : ` stroke-width="${coordinate(line_width)}"`;
  const stroke = line ? ` stroke="${ink(inks, line)}"${width}` : "";
  return ` fill="${fill ? ink(inks, fill) : "none"}"${stroke}`;
}

function rect(shape: Rect, inks: Inks): string {
  const box = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" width="${coordinate(shape.width)}" height="${coordinate(shape.height)}"`;
  const dash = shape.dashed ? ` stroke-dasharray="${DASH.join(" ")}"` : "";
  return `<rect ${box} rx="${coordinate(shape.radius)}"${paint(shape, inks)}${dash}/>`;
}

function path(shape: Path, inks: Inks): string {
  return `<path d="${shape.d}"${paint(shape, inks)}/>`;
}

function text(shape: Text, inks: Inks): string {
  const place = `x="${coordinate(shape.x)}" y="${coordinate(shape.y)}" font-size="${shape.size}"`;
  const bold = shape.bold ? ' font-weight="bold"' : "";
  const anchor = shape.anchor === "start" ? "" : ` text-anchor="${shape.anchor}"`;
  return `<text ${place}${bold}${anchor} fill="${ink(inks, shape.fill)}">${escape(shape.text)}</text>`;
}
