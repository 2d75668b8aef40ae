/** What a person can do with two graphs on one page, done in a browser on captured networks. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { boxOf, colourAt, drawn, graphOf, hash, keyOf, onPages, onScreen, open, panel, row, settle } from "./stage.mjs";

const { on, browser, folder } = onPages("changed", "resnets", "llamas", "unrun", "backward", "lstm");

const canvas = (page, side) => page.locator("canvas.canvas").nth(side);
const side = (page) =>
  page.locator(".pair-bar [type=radio]:checked").evaluate((input) => input.parentElement.innerText);
const inStep = (page) => page.getByLabel("In step");
const walk = (page) => page.getByRole("group", { name: "Differences" });

/** Click on a box, as it stands in the drawing at the start. */
async function clickOn(page, file, at, path, options = {}) {
  const box = boxOf(file, path, { side: at, ...options });
  await page.mouse.click(...(await onScreen(page, box.x + box.width / 2, box.y + box.height / 2, at)));
  await settle(page);
}

on("changed", "both drawings are there, each with its name and its numbers", async (page) => {
  assert.equal(await page.locator("canvas.canvas").count(), 2);
  const captions = await page.locator(".caption").allInnerTexts();
  assert.match(captions[0], /before[\s\S]*ResNet[\s\S]*12\.0M params/);
  assert.match(captions[1], /after[\s\S]*ResNet[\s\S]*11\.1M params/);
  assert.equal(await page.title(), "ResNet");
});

on("changed", "a box that is selected here is selected there, both ways", async (page, file) => {
  const [one, other] = [graphOf(file, 0), graphOf(file, 1)];
  await clickOn(page, file, 0, "bn1");
  const there = await hash(page);
  assert.deepEqual([there.at, there.at2, there.side], [keyOf(one, "bn1"), keyOf(other, "bn1"), undefined]);
  await clickOn(page, file, 1, "maxpool");
  const back = await hash(page);
  assert.deepEqual([back.at, back.at2, back.side], [keyOf(one, "maxpool"), keyOf(other, "maxpool"), "2"]);
  assert.match(await panel(page).innerText(), /MaxPool2d[\s\S]*The same in both/);
});

on("changed", "a box that is opened here is opened there, and closed again", async (page, file) => {
  const [one, other] = [graphOf(file, 0), graphOf(file, 1)];
  await clickOn(page, file, 0, "layer1.0");
  await page.getByRole("button", { name: "Open", exact: true }).click();
  const opened = await hash(page);
  assert.deepEqual([opened.open, opened.open2], [keyOf(one, "layer1.0"), keyOf(other, "layer1.0")]);
  await canvas(page, 1).focus();
  await page.keyboard.press("Enter");
  const closed = await hash(page);
  assert.deepEqual([closed.closed, closed.closed2], [keyOf(one, "layer1.0"), keyOf(other, "layer1.0")]);
  await page.getByLabel("Open one level").click();
  const deeper = await hash(page);
  assert.equal(deeper.depth, "3");
  assert.equal(deeper.depth2, "3");
});

on("resnets", "repeats are shown and folded again on both sides", async (page, file) => {
  await page.getByLabel("Outline", { exact: true }).click();
  await row(page, "1–22").click();
  await page.getByRole("button", { name: "Show all 22 repeats" }).click();
  const shown = await hash(page);
  assert.equal(shown.repeats, `${keyOf(graphOf(file, 0), "layer3.1")}x`);
  assert.equal(shown.repeats2, `${keyOf(graphOf(file, 1), "layer3.1")}x`);
  await page.getByRole("button", { name: "Fold ×22 again" }).click();
  const folded = await hash(page);
  assert.deepEqual([folded.repeats, folded.repeats2], [undefined, undefined]);
});

on("changed", "out of step each goes its own way, and comes back when asked", async (page, file) => {
  const other = graphOf(file, 1);
  await inStep(page).uncheck();
  await clickOn(page, file, 0, "bn1");
  assert.equal((await hash(page)).at2, undefined);
  assert.equal((await hash(page)).step, "no");
  await page.keyboard.press("x");
  assert.equal(await side(page), "after");
  assert.equal((await hash(page)).at2, keyOf(other, "bn1"));
  await clickOn(page, file, 0, "relu");
  await inStep(page).check();
  assert.equal((await hash(page)).at2, keyOf(other, "relu"));
});

on("changed", "the differences are walked through on both sides, by button and key", async (page, file) => {
  const [one, other] = [graphOf(file, 0), graphOf(file, 1)];
  assert.match(await walk(page).innerText(), /1 added[\s\S]*1 removed[\s\S]*1 changed/);
  await page.getByRole("button", { name: "Next difference" }).click();
  await settle(page);
  assert.match(await walk(page).innerText(), /1 of 3/);
  assert.match(await panel(page).innerText(), /≠ kernel_size\s+\(7, 7\)\s+\(5, 5\)/);
  assert.equal((await hash(page)).at2, keyOf(other, "conv1"));
  await page.keyboard.press("n");
  const added = await hash(page);
  assert.deepEqual([added.at, added.at2, added.side], [undefined, keyOf(other, "layer2.3"), "2"]);
  assert.match(await panel(page).innerText(), /Only in after/);
  await page.keyboard.press("n");
  const removed = await hash(page);
  assert.deepEqual([removed.at, removed.at2], [keyOf(one, "layer3.1"), undefined]);
  await page.keyboard.press("p");
  assert.match(await walk(page).innerText(), /2 of 3/);
});

on("resnets", "blocks that are missing in a row are one stop", async (page) => {
  assert.match(await walk(page).innerText(), /17 removed/);
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await settle(page);
  assert.match(await walk(page).innerText(), /2 of 2/);
  assert.match(await panel(page).innerText(), /layer3\.23/);
});

on("changed", "colours and signs say what differs, and what hides it when closed", async (page, file) => {
  const fill = async (path) => {
    const box = boxOf(file, path, { side: 1 });
    return colourAt(page, box.x + box.width / 2, box.y + 3, 1);
  };
  const amber = await fill("conv1");
  assert.ok(amber[0] > 230 && amber[2] < 200, String(amber));
  assert.deepEqual(await fill("bn1"), [255, 255, 255]);
  // Repeats that differ in another way than those beside them are folded apart.
  assert.deepEqual(await fill("layer2.1"), [255, 255, 255]);
  const green = await fill("layer2.3");
  assert.ok(green[1] > green[0] && green[1] > green[2], String(green));
  await page.getByLabel("Outline", { exact: true }).click();
  assert.equal(await row(page, "conv1").first().locator(".sign").getAttribute("aria-label"), "changed");
  await page.getByRole("tab", { name: "Table" }).click();
  assert.equal(await page.locator("tbody tr", { hasText: /^~ conv1/ }).count(), 1);
});

on("changed", "search finds on both sides, and tells which", async (page, file) => {
  const input = page.getByLabel("Search by name");
  await input.fill("layer2.3");
  assert.match(await page.locator(".results").innerText(), /layer2\.3[\s\S]*after/);
  await page.keyboard.press("Enter");
  await settle(page);
  assert.equal(await side(page), "after");
  await input.fill("maxpool");
  assert.equal(await page.locator(".results li").count(), 2);
  assert.match(await page.locator(".results li").first().innerText(), /both/);
  await page.keyboard.press("Enter");
  const found = await hash(page);
  assert.deepEqual(
    [found.at, found.at2],
    [0, 1].map((at) => keyOf(graphOf(file, at), "maxpool")),
  );
});

on("changed", "a link restores both drawings", async (page, _file, context) => {
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await page.getByLabel("Open one level").click();
  await page.getByRole("separator").focus();
  await page.keyboard.press("ArrowRight");
  await settle(page);
  await page.getByRole("button", { name: "View" }).click();
  await page.getByRole("button", { name: "Copy link" }).click();
  const before = await hash(page);
  const other = await context.newPage();
  await other.goto(await page.evaluate(() => navigator.clipboard.readText()));
  await drawn(other);
  assert.deepEqual(await hash(other), before);
  assert.equal(await side(other), "after");
  assert.match(await panel(other).innerText(), /layer2\.3/);
  await other.close();
});

on("changed", "the divider is dragged, and moved by keys", async (page) => {
  const width = async () => (await canvas(page, 0).boundingBox()).width;
  const start = await width();
  const bar = page.getByRole("separator");
  const box = await bar.boundingBox();
  await page.mouse.move(box.x + 4, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x + 154, box.y + 220, { steps: 5 });
  await page.mouse.up();
  assert.ok(Math.abs((await width()) - start - 150) < 12, `${start} ${await width()}`);
  await bar.focus();
  await page.keyboard.press("Home");
  assert.equal(await bar.getAttribute("aria-valuenow"), "15");
  assert.equal((await hash(page)).share, "15");
  await page.keyboard.press("Enter");
  assert.ok(Math.abs((await width()) - start) < 2);
});

on(
  "changed",
  "where there is little room one stands above the other",
  async (page) => {
    const [one, other] = [await canvas(page, 0).boundingBox(), await canvas(page, 1).boundingBox()];
    assert.ok(other.y > one.y + one.height - 1 && Math.abs(other.x - one.x) < 1);
    assert.equal(await page.getByRole("separator").getAttribute("aria-orientation"), "horizontal");
    await page.getByRole("button", { name: "Next difference" }).click();
    await settle(page);
    assert.match(await panel(page).innerText(), /kernel_size/);
    const box = await canvas(page, 0).boundingBox();
    assert.ok(box.height > 100 && (await panel(page).boundingBox()).y >= box.y + box.height);
  },
  { viewport: { width: 480, height: 1000 } },
);

on(
  "resnets",
  "dark goes for both",
  async (page, file) => {
    for (const at of [0, 1]) {
      const [red, green, blue] = await colourAt(page, 2, 2, at);
      assert.ok(red + green + blue < 120, `${red} ${green} ${blue}`);
    }
    await page.keyboard.press("n");
    await settle(page);
  },
  { colorScheme: "dark" },
);

on("changed", "an overlay means the same on both sides", async (page) => {
  await page.getByLabel("Colour by").selectOption({ label: "Parameters" });
  await settle(page);
  assert.equal(await page.locator(".legend").count(), 1);
  await page.getByRole("button", { name: "View" }).click();
  await page.getByText("Right", { exact: true }).click();
  const flat = await hash(page);
  assert.equal(flat.direction, "LR");
  const boxes = await page.locator(".minimap").evaluateAll((maps) => maps.map((map) => map.width > map.height));
  assert.deepEqual(boxes, [true, true]);
});

on("changed", "the pictures that are saved bear the signs", async (page) => {
  await page.keyboard.press("n");
  await page.getByRole("button", { name: "View" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save as SVG" }).click(),
  ]);
  const svg = readFileSync(await download.path(), "utf8");
  assert.match(svg, /#e69f00[\s\S]*>~</);
  assert.ok(!svg.includes("undefined"));
});

on("unrun", "models that were not run stand side by side too", async (page, file) => {
  await page.keyboard.press("n");
  await settle(page);
  assert.match(await panel(page).innerText(), /Only in after[\s\S]*layer2\.1/);
  assert.equal((await hash(page)).at2, keyOf(graphOf(file, 1), "layer2.1"));
});

on("llamas", "two large networks are there soon", async (page) => {
  const painted = await page.evaluate(() => performance.getEntriesByName("painted")[1].startTime);
  assert.ok(painted < 5000, String(painted));
});

on("backward", "a node of the backward pass leads to the call that it is of, and back", async (page, file) => {
  const [pass, run] = [graphOf(file, 0), graphOf(file, 1)];
  await page.getByLabel("Search by name").fill("conv2dbackward0 conv");
  await page.keyboard.press("Enter");
  await settle(page);
  assert.match(await panel(page).innerText(), /In forward\s+conv2d[\s\S]*backward Conv2DBackward0[\s\S]*Saved tensors/);
  const { at, at2 } = await hash(page);
  const node = pass.calls[Number(at.slice(1))];
  assert.equal(node.kind, "backward");
  const [made, shown] = [run.calls[node.forward], run.calls[Number(at2.slice(1))]];
  assert.ok(made.id === shown.id || made.parent === shown.id);
  await panel(page).getByRole("button", { name: "conv2d", exact: true }).click();
  await settle(page);
  assert.equal(await side(page), "forward");
  assert.match(await panel(page).innerText(), /In backward\s+Conv2D/);
  const back = await hash(page);
  assert.equal(pass.calls[Number(back.at.slice(1))].name, "Conv2DBackward0");
  assert.equal(await page.locator(".pair-bar .walk").count(), 0);
});

on("backward", "nothing is said of FLOPs that nobody can count, and no node leads to itself", async (page, file) => {
  assert.doesNotMatch(await panel(page).innerText(), /FLOPs\s+≥ 0/);
  const node = graphOf(file).calls.find(({ kind, outputs }) => kind === "backward" && outputs.length > 0);
  await page.evaluate((id) => (location.hash = `at=%23${id}`), node.id);
  await settle(page);
  const made = panel(page).locator(".part", { hasText: "Outputs" });
  assert.ok(await made.count());
  assert.equal(await made.getByRole("button").count(), 0);
});

on("backward", "the table of a backward pass lists its nodes", async (page) => {
  await page.getByRole("tab", { name: "Table" }).click();
  assert.match(await page.locator(".rows tbody").innerText(), /Relu\s+backward/);
  await page.locator(".pair-bar").getByText("forward", { exact: true }).click();
  assert.match(await page.locator(".rows tbody").innerText(), /BatchNorm2d/);
});

on("lstm", "a page with one graph has nothing of a second", async (page) => {
  assert.equal(await page.locator("canvas.canvas").count(), 1);
  assert.equal(await page.locator(".pair-bar, .divider, .caption, .paired").count(), 0);
  for (const key of ["n", "p", "x"]) await page.keyboard.press(key);
  assert.ok(!("at2" in (await hash(page))) && !("camera2" in (await hash(page))));
});

test("changed: in a notebook's frame two drawings work without its origin", async () => {
  const { page, wrong, context } = await open(browser(), join(folder(), "changed.frame.html"));
  const frame = page.frameLocator("iframe");
  await frame.locator("canvas.canvas").nth(1).waitFor();
  await frame.getByRole("button", { name: "Next difference" }).click();
  await settle(page);
  assert.match(await frame.locator(".panel").innerText(), /kernel_size/);
  assert.deepEqual(wrong, []);
  await context.close();
});
