/** Opens captured pages in Chromium, and knows from the drawing engine where things stand in them. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
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

/** The folder of captured pages: PAGES where it is set, else these are captured now. */
export function pages(names) {
  if (process.env.PAGES && existsSync(process.env.PAGES)) return process.env.PAGES;
  const folder = mkdtempSync(join(tmpdir(), "torchatlas-pages-"));
  const env = { ...process.env, PYTHONPATH: join(HERE, "../../src"), OMP_NUM_THREADS: "1" };
  execFileSync(process.env.PYTHON ?? "python3", [join(HERE, "capture.py"), folder, ...names], {
    env,
    stdio: "inherit",
  });
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

/** What a page holds of a graph; of two, of that of a side. */
export function payloadOf(file, side = 0) {
  const text = /<script id="atlas" type="application\/json">(.*?)<\/script>/s.exec(readFileSync(file, "utf8"))[1];
  const held = JSON.parse(text);
  return JSON.parse(gunzipSync(Buffer.from((side === 0 ? held : held.beside).payload, "base64")).toString());
}

/** The graph that a page holds; of two, that of a side. */
export function graphOf(file, side = 0) {
  return payloadOf(file, side).graph;
}

/** The same picture as the page draws, with the places of its boxes. */
export function sceneOf(payload, options = {}) {
  const depth = options.depth === "all" ? 1e6 : (options.depth ?? null);
  engine.payload = JSON.stringify({ ...payload, view: { ...payload.view, color_by: null, ...options, depth } });
  const drawn = vm.runInContext("torchatlas.render(payload)", engine);
  return JSON.parse(drawn.slice(drawn.indexOf("</svg>\n") + "</svg>\n".length));
}

/** The key of the first call of a module. */
export const keyOf = (graph, path) => `#${graph.calls.find((call) => call.path === path).id}`;

/** Where a box stands in that picture, by its key or by the path of its module; null where it is not drawn. */
export function boxOf(file, name, { side = 0, ...options } = {}) {
  const payload = payloadOf(file, side);
  const key = name.startsWith("#") ? name : keyOf(payload.graph, name);
  return sceneOf(payload, options).boxes.find((box) => box.key === key) ?? null;
}

/** A camera under which a point of the drawing is at a point of the canvas. */
export function cameraTo(place, scale = 1, x = 300, y = 300) {
  return `camera=${Math.round(x - place.x * scale)}+${Math.round(y - place.y * scale)}+${scale}`;
}

/** The colour of the canvas where a point of the drawing is. */
export async function colourAt(page, x, y, side = 0) {
  const [sx, sy] = await onScreen(page, x, y, side);
  return page.evaluate(
    ([px, py, at]) => {
      const canvas = document.querySelectorAll("canvas.canvas")[at];
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, (px - box.x) * ratio, (py - box.y) * ratio, 1, 1, 0, 0, 1, 1);
      return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);
    },
    [sx, sy, side],
  );
}

/** Where a point of the drawing is on the screen now; of two drawings, of that on a side. */
export async function onScreen(page, x, y, side = 0) {
  const [cx, cy, scale] = await page.evaluate(
    (name) => new URLSearchParams(location.hash.slice(1)).get(name).split(" "),
    side === 0 ? "camera" : "camera2",
  );
  const box = await page.locator("canvas.canvas").nth(side).boundingBox();
  return [box.x + Number(cx) + x * scale, box.y + Number(cy) + y * scale];
}

const SHOTS = process.env.SHOTS;

/**
 * What defines tests on captured networks: each is opened anew, ends with a picture where SHOTS says, and with nothing
 * having gone wrong.
 */
export function onPages(...names) {
  let launched;
  let folder;
  before(async () => {
    if (SHOTS) mkdirSync(SHOTS, { recursive: true });
    folder = pages(names);
    launched = await browser();
  });
  after(() => launched.close());
  const on = (network, does, steps, { allowed, ...options } = {}) =>
    test(`${network}: ${does}`, async () => {
      const file = join(folder, `${network}.html`);
      const { page, wrong, context } = await open(launched, file, options);
      await drawn(page);
      try {
        await steps(page, file, context);
        if (SHOTS) await page.screenshot({ path: join(SHOTS, `${network}-${does.replace(/\W+/g, "-")}.png`) });
        assert.deepEqual(
          wrong.filter((each) => !allowed?.test(each)),
          [],
        );
      } finally {
        await context.close();
      }
    });
  return { on, browser: () => launched, folder: () => folder };
}

/** Give the page the time that it takes to draw anew, and to write the address. */
export const settle = (page) => page.waitForTimeout(500);

/** What the address says. */
export async function hash(page) {
  await settle(page);
  return page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
}

/** Rows of the outline by name. */
export const row = (page, name) =>
  page.locator(".tree [role=treeitem]", { has: page.locator(`.row-name:text-is("${name}")`) });

export const panel = (page) => page.locator(".panel");
