/** The same boxes and nets through other layout engines. */

import dagre from "@dagrejs/dagre";
import ELK from "elkjs/lib/elk.bundled.js";

/** Larger graphs than this are not given to the peers: they take minutes or overflow. */
const LARGEST = 9000;

async function timed(input, work) {
  if (input.boxes.length > LARGEST) return "too large";
  const start = performance.now();
  try {
    await work();
  } catch (error) {
    return error.constructor.name;
  }
  return performance.now() - start;
}

function edges({ nets }) {
  return nets.flatMap(({ source, readers }, net) => readers.map((reader) => ({ net, source, reader })));
}

export function dagreCompound(input) {
  return timed(input, () => {
    const graph = new dagre.graphlib.Graph({ compound: true, multigraph: true });
    graph.setGraph({});
    graph.setDefaultEdgeLabel(() => ({}));
    input.boxes.forEach(({ size, open }, i) => graph.setNode(String(i), open ? {} : { ...size }));
    input.boxes.forEach(({ parent }, i) => parent >= 0 && graph.setParent(String(i), String(parent)));
    for (const { net, source, reader } of edges(input)) {
      const ends = [source, reader].map((box) => (input.boxes[box].open ? -1 : box));
      if (!ends.includes(-1)) graph.setEdge(String(source), String(reader), {}, `n${net}`);
    }
    dagre.layout(graph);
  });
}

export function elkCompound(input) {
  const node = (box) => {
    const { open, children, size } = input.boxes[box];
    return open ? { id: `b${box}`, children: children.map(node) } : { id: `b${box}`, ...size };
  };
  const links = edges(input).map(({ net, source, reader }) => ({
    id: `n${net} ${reader}`,
    sources: [`b${source}`],
    targets: [`b${reader}`],
  }));
  const layoutOptions = {
    "elk.algorithm": "layered",
    "elk.direction": "DOWN",
    "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  };
  return timed(input, () =>
    new ELK().layout({ id: "root", children: input.top.map(node), edges: links, layoutOptions }),
  );
}
