/**
 * Times the page in headless Chromium: first picture, opening a box, frames while zooming.
 *
 * Usage: node bench/page.mjs [RUNS]    (PAGES, PYTHON and CHROMIUM as for the tests in e2e/)
 */

import { join } from "node:path";
import { browser, open, pages } from "../e2e/stage.mjs";

const CASES = [
  { name: "resnet152", hash: "", box: "layer3", goal: 300 },
  { name: "llama126", hash: "", box: "layers.0–125", goal: 500 },
  { name: "wide", hash: "depth=all", box: null, goal: null },
];
const RUNS = Number(process.argv[2] ?? 5);

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Milliseconds from the beginning of the load to the first picture. */
const firstPicture = (page) => page.waitForFunction(() => performance.getEntriesByName("painted")[0]?.startTime);

/** Milliseconds from a key that opens or closes the selected box to the picture of that. */
async function toggled(page) {
  await page.evaluate(() => performance.clearMarks());
  const start = await page.evaluate(() => {
    const tree = document.querySelector(".tree");
    tree.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    return performance.now();
  });
  const end = await firstPicture(page);
  return (await end.jsonValue()) - start;
}

/** Main thread of one frame while the wheel turns: painting and all that comes before it. */
const frame = (page) =>
  page.evaluate(async () => {
    const canvas = document.querySelector("canvas.canvas");
    const times = [];
    for (let i = 0; i < 30; i++) {
      const init = { deltaY: i % 2 ? 30 : -30, clientX: 700, clientY: 500, bubbles: true, cancelable: true };
      const start = performance.now();
      canvas.dispatchEvent(new WheelEvent("wheel", init));
      const asked = performance.now() - start;
      await new Promise((done) => {
        requestAnimationFrame(() => {
          const begun = performance.now();
          const after = new MessageChannel();
          after.port1.onmessage = () => {
            times.push(performance.now() - begun + asked);
            done();
          };
          after.port2.postMessage(0);
        });
      });
    }
    return times.sort((a, b) => a - b)[times.length >> 1];
  });

async function timed(launched, file, { hash, box }) {
  const { page, context } = await open(launched, file, { hash });
  const first = await (await firstPicture(page)).jsonValue();
  await page.waitForTimeout(500);
  let opened = NaN;
  let closed = NaN;
  if (box) {
    await page.locator(".tree [role=treeitem]", { has: page.locator(`.row-name:text-is("${box}")`) }).click();
    closed = await toggled(page);
    opened = await toggled(page);
  }
  await page.getByLabel("Fit").click();
  await page.waitForTimeout(500);
  const whole = await frame(page);
  await context.close();
  return { first, opened, closed, whole };
}

const folder = pages();
const launched = await browser();
for (const each of CASES) {
  const runs = [];
  for (let i = 0; i < RUNS; i++) runs.push(await timed(launched, join(folder, `${each.name}.html`), each));
  const [first, opened, closed, whole] = ["first", "opened", "closed", "whole"].map((kind) => {
    return middle(runs.map((run) => run[kind])).toFixed(0);
  });
  const goal = each.goal ? ` (wanted ${each.goal})` : "";
  console.log(`${each.name}: first picture ${first} ms${goal}, close ${closed}, open ${opened}, frame ${whole} ms`);
}
await launched.close();
