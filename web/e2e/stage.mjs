/** Opens captured pages in Chromium, and knows from the drawing engine where things stand in them. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";
import { gunzipSync } from "node:zlib";
import { chromium } from "playwright-core";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The folder of captured pages: PAGES where it is set, else captured now. */
export function pages() {
  if (process.env.PAGES && existsSync(process.env.PAGES)) return process.env.PAGES;
  const folder = mkdtempSync(join(tmpdir(), "torchatlas-pages-"));
  const env = { ...process.env, PYTHONPATH: join(HERE, "../../src"), OMP_NUM_THREADS: "1" };
  execFileSync(process.env.PYTHON ?? "python3", [join(HERE, "capture.py"), folder], { env, stdio: "inherit" });
  return folder;
}

export async function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
  });
}

/** A page that is open, with all that went wrong in it; `first` runs in it before anything else. */
export async function open(launched, file, { hash = "", ...options } = {}, first = null) {
  const context = await launched.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
  const page = await context.newPage();
  if (first) await page.addInitScript(first);
  const wrong = [];
  page.on("console", (message) => wrong.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => wrong.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    if (!/^(file|blob|data|about):/.test(request.url())) wrong.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href + (hash ? `#${hash}` : ""));
  return { page, wrong, context };
}

/** Wait until the drawing that was asked for last is on the screen. */
export async function drawn(page) {
  await page.waitForFunction(() => performance.getEntriesByName("painted").length > 0);
  await page.waitForTimeout(350);
}

const engine = vm.createContext({});
vm.runInContext(readFileSync(join(HERE, "../dist/engine.js"), "utf8"), engine);

/** The graph that a page holds. */
export function graphOf(file) {
  const held = /<script id="atlas" type="application\/json">(.*?)<\/script>/s.exec(readFileSync(file, "utf8"))[1];
  return JSON.parse(gunzipSync(Buffer.from(JSON.parse(held).graph, "base64")).toString());
}

/** The same picture as the page draws, with the places of its boxes. */
export function sceneOf(graph, options = {}) {
  engine.graph = JSON.stringify(graph);
  engine.options = JSON.stringify({ ...options, format: "scene" });
  return JSON.parse(vm.runInContext("torchatlas.render(graph, options)", engine));
}

/** A camera under which a point of the drawing is at a point of the canvas. */
export function cameraTo(place, scale = 1, x = 300, y = 300) {
  return `camera=${Math.round(x - place.x * scale)}+${Math.round(y - place.y * scale)}+${scale}`;
}

/** Where a point of the drawing is on the screen now. */
export async function onScreen(page, x, y) {
  const [cx, cy, scale] = await page.evaluate(() =>
    new URLSearchParams(location.hash.slice(1)).get("camera").split(" "),
  );
  const box = await page.locator("canvas.canvas").boundingBox();
  return [box.x + Number(cx) + x * scale, box.y + Number(cy) + y * scale];
}
