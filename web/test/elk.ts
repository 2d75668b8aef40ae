/** The same boxes and nets laid out by ELK's layered algorithm, as a measure of quality. */

import ELK, { type ElkExtendedEdge, type ElkNode } from "elkjs/lib/elk.bundled.js";
import type { LayoutInput } from "../src/layout/layout.ts";
import { type Segment, segments } from "./quality.ts";

export async function elkSegments(input: LayoutInput, tunnels: ReadonlySet<number>): Promise<Segment[]> {
  const children = input.top.map((box) => node(input, box));
  const layoutOptions = {
    "elk.algorithm": "layered",
    "elk.direction": input.direction === "TB" ? "DOWN" : "RIGHT",
    "elk.hierarchyHandling": "INCLUDE_CHILDREN",
    "elk.edgeRouting": "ORTHOGONAL",
    "elk.json.edgeCoords": "ROOT",
  };
  const made = await new ELK().layout({ id: "root", children, edges: edges(input, tunnels), layoutOptions });
  return (made.edges ?? []).flatMap((edge) => edgeSegments(edge));
}

function node(input: LayoutInput, box: number): ElkNode {
  const { open, children, size } = input.boxes[box]!;
  if (!open) return { id: `b${box}`, width: size.width, height: size.height };
  const layoutOptions = { "elk.padding": `[top=${size.height},left=14,bottom=14,right=14]` };
  return { id: `b${box}`, children: children.map((child) => node(input, child)), layoutOptions };
}

/** A port per net and box, so that ELK too draws a net that leaves a box once. */
function edges(input: LayoutInput, tunnels: ReadonlySet<number>): ElkExtendedEdge[] {
  return input.nets.flatMap(({ source, readers }, net) =>
    tunnels.has(net)
      ? []
      : readers.map((reader) => ({ id: `n${net} ${reader}`, sources: [`b${source}`], targets: [`b${reader}`] })),
  );
}

function edgeSegments(edge: ElkExtendedEdge): Segment[] {
  const net = Number(edge.id.slice(1).split(" ")[0]);
  return (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    segments(
      [startPoint, ...bendPoints, endPoint].flatMap(({ x, y }) => [x, y]),
      net,
    ),
  );
}
