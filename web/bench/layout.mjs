/**
 * Times the layout of networks with everything open, beside dagre and ELK. `cold` is the first run, `warm` the best of
 * nine more; each starts without a memory of earlier layouts.
 *
 * Usage: npm run bench [-- --peers[=NAME]] [--json]    (peers take minutes; NAME times them on one network only)
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import { dagreCompound, elkCompound } from "./peers.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outDir = join(tmpdir(), `torchatlas-bench-${process.pid}`);
await build({
  configFile: false,
  logLevel: "error",
  build: { ssr: here("entry.ts"), outDir, minify: false, rollupOptions: { output: { entryFileNames: "entry.mjs" } } },
});
const engine = await import(pathToFileURL(join(outDir, "entry.mjs")).href);

const fixture = (name) => new URL(`../test/fixtures/${name}.json.gz`, import.meta.url);
/** Name, graph, and the most milliseconds that a warm layout may take. */
const CASES = [
  ["resnet152", () => engine.load(fixture("resnet152")), 30],
  ["densenet121", () => engine.load(fixture("densenet121")), 200],
  ["llama-7300", () => engine.llama(fixture("llama32"), 126), 300],
  ["llama-91000", () => engine.llama(fixture("llama32"), 1569), 2000],
];

function milliseconds(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const shown = (time) => (typeof time === "number" ? `${time.toFixed(time < 10 ? 1 : 0)}` : time);

const table = [];
for (const [name, make, limit] of CASES) {
  const graph = make();
  const visible = milliseconds(() => engine.everything(graph));
  const input = engine.everything(graph);
  const cold = milliseconds(() => engine.layout(input));
  const warm = Math.min(...Array.from({ length: 9 }, () => milliseconds(() => engine.layout(input))));
  const peers = process.argv.some((word) => word === "--peers" || word === `--peers=${name}`);
  const dagre = peers ? await dagreCompound(input) : "";
  const elk = peers ? await elkCompound(input) : "";
  const row = { name, calls: graph.calls.length, boxes: input.boxes.length, visible, cold, warm, limit, dagre, elk };
  table.push(Object.fromEntries(Object.entries(row).map(([key, value]) => [key, shown(value)])));
  const click = engine.session(graph);
  click({});
  table.at(-1)["open one box"] = shown(milliseconds(() => click({ expand: ["#1"] })));
  if (warm > limit) process.exitCode = 1;
}
if (process.argv.includes("--json")) console.log(JSON.stringify(table));
else console.table(table);
