/** Everything that a person can do in a page, done in a browser on captured networks. */

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  boxOf,
  cameraTo,
  colourAt,
  drawn,
  graphOf,
  hash,
  keyOf,
  onPages,
  onScreen,
  open,
  panel,
  payloadOf,
  row,
  sceneOf,
  settle,
} from "./stage.mjs";

const SHOTS = process.env.SHOTS;
const { on, browser, folder } = onPages(
  ...["resnet152", "llama32", "llama126", "lstm", "failing", "hostile", "unet", "seq2seq", "wide"],
);

const rows = (page) => page.locator(".tree [role=treeitem]");
const choose = (page, name) => page.getByLabel("Colour by").selectOption({ label: name });

on("resnet152", "the whole file is at most 300 kB", async (_page, file) => {
  assert.ok(statSync(file).size <= 300_000, String(statSync(file).size));
});

on("resnet152", "the outline lists the boxes of the drawing, with repeats", async (page, file) => {
  const { boxes } = sceneOf(payloadOf(file));
  assert.equal(await rows(page).count(), boxes.length);
  assert.match(await row(page, "1–35").innerText(), /Bottleneck\s*×35/);
  assert.equal(await rows(page).first().getAttribute("aria-level"), "1");
  assert.equal(await row(page, "layer1").getAttribute("aria-expanded"), "true");
});

on("resnet152", "a click on plus opens a box and one on minus closes it", async (page, file) => {
  const box = boxOf(file, "layer1.0");
  const before = await rows(page).count();
  await page.mouse.click(...(await onScreen(page, box.x + box.width, box.y + box.height / 2)));
  await settle(page);
  assert.ok((await rows(page).count()) > before);
  assert.equal((await hash(page)).open, box.key);
  const opened = boxOf(file, box.key, { expand: [box.key] });
  await page.mouse.click(...(await onScreen(page, opened.x + opened.width - 14, opened.y + 14)));
  await settle(page);
  assert.equal(await rows(page).count(), before);
});

on("resnet152", "a box stays where it is when it opens", async (page, file) => {
  const key = keyOf(graphOf(file), "layer3.0");
  const box = boxOf(file, key);
  const from = await onScreen(page, box.x, box.y);
  await page.mouse.dblclick(from[0] + 20, from[1] + 5);
  await settle(page);
  const opened = boxOf(file, key, { expand: [key] });
  const to = await onScreen(page, opened.x, opened.y);
  assert.ok(Math.hypot(from[0] - to[0], from[1] - to[1]) < 3, `${from} ${to}`);
});

on("resnet152", "keys in the outline move, open, close and select", async (page) => {
  await page.locator(".tree").focus();
  for (const key of ["Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"])
    await page.keyboard.press(key);
  assert.equal(await row(page, "layer1").getAttribute("aria-selected"), "true");
  await page.keyboard.press("ArrowLeft");
  await settle(page);
  assert.equal(await row(page, "layer1").getAttribute("aria-expanded"), "false");
  await page.keyboard.press("ArrowRight");
  await settle(page);
  await page.keyboard.press("ArrowRight");
  assert.match(await panel(page).innerText(), /layer1\.0/);
  await page.keyboard.press("ArrowLeft");
  assert.equal(await row(page, "layer1").getAttribute("aria-selected"), "true");
  const active = await page.locator(".tree").getAttribute("aria-activedescendant");
  assert.equal(active, await row(page, "layer1").getAttribute("id"));
});

on("resnet152", "everything opens to a depth and closes again", async (page) => {
  const few = await rows(page).count();
  await page.getByLabel("Open one level").click();
  await settle(page);
  assert.equal((await hash(page)).depth, "3");
  assert.ok((await page.locator(".tree").evaluate((tree) => tree.scrollHeight)) > few * 26);
  for (let i = 0; i < 2; i++) await page.getByLabel("Close one level").click();
  await settle(page);
  assert.equal((await hash(page)).depth, "1");
  assert.equal(await rows(page).count(), 13);
});

on("resnet152", "one repeat of a fold is opened and the fold closed again", async (page) => {
  await row(page, "1–35").click();
  await page.getByRole("button", { name: "Show all 35 repeats" }).click();
  await settle(page);
  await row(page, "7")
    .nth(1)
    .click()
    .catch(() => {});
  await page.getByLabel("Search by name").fill("layer3.17.conv2");
  await page.keyboard.press("Enter");
  await settle(page);
  assert.match(await panel(page).innerText(), /layer3\.17\.conv2/);
  assert.equal(await row(page, "17").getAttribute("aria-expanded"), "true");
  assert.equal(await row(page, "18").getAttribute("aria-expanded"), "false");
  await row(page, "17").click();
  await page.getByRole("button", { name: "Fold ×35 again" }).click();
  await settle(page);
  assert.equal(await row(page, "1–35").count(), 1);
});

on("resnet152", "the wheel zooms, a drag pans, and fit shows all", async (page) => {
  const camera = async () => (await hash(page)).camera.split(" ").map(Number);
  const start = await camera();
  await page.mouse.move(700, 500);
  await page.mouse.wheel(0, -400);
  const near = await camera();
  assert.ok(near[2] > start[2]);
  assert.ok(await page.locator("canvas.minimap").isVisible());
  await page.mouse.down();
  await page.mouse.move(760, 440, { steps: 4 });
  await page.mouse.up();
  const moved = await camera();
  assert.ok(Math.abs(moved[0] - near[0] - 60) <= 1 && Math.abs(moved[1] - near[1] + 60) <= 1, `${near} ${moved}`);
  await page.getByLabel("Fit").click();
  await settle(page);
  assert.ok(await page.locator("canvas.minimap").isHidden());
});

on("llama32", "a click on the map moves the view", async (page) => {
  const before = (await hash(page)).camera;
  const map = await page.locator("canvas.minimap").boundingBox();
  await page.mouse.click(map.x + map.width / 2, map.y + map.height - 10);
  assert.notEqual((await hash(page)).camera, before);
});

on("resnet152", "keys on the drawing zoom, pan, open and search", async (page) => {
  await page.locator("canvas.canvas").focus();
  const before = (await hash(page)).camera;
  await page.keyboard.press("+");
  await page.keyboard.press("ArrowDown");
  assert.notEqual((await hash(page)).camera, before);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
});

on("unet", "pointing at a wire follows its tensor to all readers", async (page, file) => {
  const graph = graphOf(file);
  const scene = sceneOf(payloadOf(file));
  const wire = scene.groups.find(({ kind, shapes }) => kind === "wire" && shapes[0].d.split("M").length > 2);
  const [x, y] = /M([-\d.]+),([-\d.]+)/.exec(wire.shapes[0].d).slice(1).map(Number);
  await page.mouse.move(...(await onScreen(page, x, y + 3)));
  await settle(page);
  const { shape } = graph.values[wire.value];
  assert.match(await page.locator(".tip").innerText(), new RegExp(`${shape.join("×")} float32[\\s\\S]*[2-9] readers`));
});

on("resnet152", "the panel tells what a layer is, takes and gives", async (page) => {
  await row(page, "fc").click();
  const text = await panel(page).innerText();
  for (const wanted of [
    "fc",
    "Linear",
    "in_features=2048",
    "1×2048",
    "1×1000",
    "float32",
    "weight",
    "1000×2048",
    "2.05M",
    "models.py:",
  ]) {
    assert.ok(text.includes(wanted), `${wanted} in ${text}`);
  }
  assert.match(text, /FLOPs\s*4\.10M/);
  await page.getByLabel("Copy fc").click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "fc");
});

on("llama32", "tied weights are named", async (page) => {
  await row(page, "lm_head").click();
  assert.match(
    await panel(page).innerText(),
    /tied: .*embed_tokens\.weight.*lm_head\.weight|tied: .*lm_head\.weight.*embed_tokens\.weight/,
  );
});

on("resnet152", "search finds by name, type, shape and path, and steps through", async (page) => {
  const input = page.getByLabel("Search by name");
  for (const [query, least] of [
    ["maxpool", 1],
    ["batchnorm2d", 150],
    ["1x2048x1x1", 5],
    ["layer2.3", 5],
    ["Conv2d 512", 10],
  ]) {
    await input.fill(query);
    const count = Number((await page.locator(".steps span").innerText()).replace("of", ""));
    assert.ok(count >= least, `${query}: ${count}`);
  }
  await input.fill("layer4.2 conv2");
  await page.keyboard.press("Enter");
  assert.match(await page.locator(".steps span").innerText(), /^1 of/);
  await page.keyboard.press("ArrowDown");
  await settle(page);
  assert.match(await page.locator(".steps span").innerText(), /^2 of/);
  assert.match(await panel(page).innerText(), /layer4\.2/);
  assert.equal(await page.locator(".results [aria-selected=true]").count(), 1);
  await page.keyboard.press("Escape");
  assert.equal(await input.inputValue(), "");
});

on("resnet152", "the table sorts, filters and follows the selection", async (page) => {
  await row(page, "fc").click();
  await page.getByRole("tab", { name: "Table" }).click();
  assert.match(await page.locator("tbody tr.selected").innerText(), /^fc/);
  await page.getByRole("button", { name: "Parameters" }).click();
  await settle(page);
  const first = page.locator("tbody tr:not([aria-hidden])").first();
  assert.match(await first.innerText(), /^layer3\s+Sequential/);
  assert.equal(await page.locator("th[aria-sort=descending]").innerText(), "Parameters ↓");
  await page.getByLabel("Filter the rows").fill("downsample");
  assert.match(await page.locator(".table-bar [role=status]").innerText(), /^12 rows/);
  await first.click();
  await settle(page);
  assert.match(await panel(page).innerText(), /layer4\.0\.downsample/);
  await page.getByRole("tab", { name: "Drawing" }).click();
  assert.equal(await row(page, "downsample").getAttribute("aria-selected"), "true");
});

for (const [name, legend, path] of [
  ["Parameters", /logarithmic[\s\S]*128[\s\S]*40\.6M/, "conv1"],
  ["FLOPs", /0[\s\S]*327M/, "conv1"],
  ["Activation bytes", / [kM]B/, "conv1"],
  ["Dtype", /float32/, "conv1"],
  ["Device", /cpu/, "conv1"],
  ["gradient", /-0\.5[\s\S]*3/, "layer1"],
]) {
  on(
    "resnet152",
    `colour by ${name} has a legend`,
    async (page, file) => {
      const box = boxOf(file, path, { depth: 1 });
      const before = await colourAt(page, box.x + box.width - 20, box.y + 4);
      await choose(page, name);
      await settle(page);
      assert.match(await page.locator(".legend").innerText(), legend);
      assert.notDeepEqual(await colourAt(page, box.x + box.width - 20, box.y + 4), before);
    },
    { hash: "depth=1" },
  );
}

on(
  "resnet152",
  "where only open boxes have numbers the legend says so",
  async (page) => {
    await choose(page, "gradient");
    await settle(page);
    assert.match(await page.locator(".legend").innerText(), /3/);
    await row(page, "fc").dblclick();
    await settle(page);
    assert.match(await page.locator(".legend").innerText(), /no closed box has any/);
  },
  { hash: "depth=2" },
);

on("seq2seq", "data flows to the right when asked", async (page, file) => {
  await page.getByRole("button", { name: "View" }).click();
  await page.getByText("Right", { exact: true }).click();
  await settle(page);
  assert.equal((await hash(page)).direction, "LR");
  const { width, height } = sceneOf(payloadOf(file), { direction: "LR" });
  assert.ok(width > height);
  await page.keyboard.press("Escape");
  await page.getByLabel("Fit").click();
  await settle(page);
});

on(
  "seq2seq",
  "dark follows the system and can be chosen",
  async (page) => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    assert.equal(await theme(), "dark");
    await page.getByRole("button", { name: "View" }).click();
    await page.getByText("Light", { exact: true }).click();
    assert.equal(await theme(), "light");
    await page.getByText("Dark", { exact: true }).click();
    assert.equal(await theme(), "dark");
    await page.locator("h1").click();
    await settle(page);
  },
  { colorScheme: "dark" },
);

on(
  "resnet152",
  "where there is little room the drawing has it, until something is asked for",
  async (page) => {
    const drawing = async () => page.locator("canvas.canvas").boundingBox();
    assert.equal(await panel(page).count(), 0);
    const all = await drawing();
    assert.ok(all.width === 480 && all.height > 500);
    await page.getByTitle("Show or hide the outline").click();
    await row(page, "layer1").click();
    assert.match(await panel(page).innerText(), /layer1/);
    await page.getByTitle("Show or hide the outline").click();
    assert.equal(await page.locator(".tree").count(), 0);
    const rest = await drawing();
    assert.ok(rest.height > 200 && (await panel(page).boundingBox()).y >= rest.y + rest.height);
  },
  { viewport: { width: 480, height: 800 } },
);

on("resnet152", "what is seen is saved as SVG and PNG", async (page) => {
  await row(page, "layer1").dblclick();
  await choose(page, "Parameters");
  await settle(page);
  const save = async (name) => {
    await page.getByRole("button", { name: "View" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    assert.match(download.suggestedFilename(), /^ResNet\./);
    return readFileSync(await download.path());
  };
  const svg = (await save("Save as SVG")).toString();
  assert.match(svg, /^<svg xmlns/);
  assert.ok(!svg.includes("layer1.0") && svg.includes("layer1") && !svg.includes("undefined"));
  const png = await save("Save as PNG");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  const [, , width, height] = /width="([\d.]+)"( )height|/.exec(svg)
    ? [0, 0, png.readUInt32BE(16), png.readUInt32BE(20)]
    : [];
  const size = /width="([\d.]+)" height="([\d.]+)"/.exec(svg).slice(1).map(Number);
  assert.deepEqual(
    [width, height],
    size.map((side) => Math.ceil(side * 2)),
  );
});

on("resnet152", "a link restores the view", async (page, file, context) => {
  await row(page, "1–35").click();
  await page.getByLabel("Open one level").click();
  await choose(page, "FLOPs");
  await page.mouse.move(700, 500);
  await page.mouse.wheel(0, -300);
  await settle(page);
  await page.getByRole("button", { name: "View" }).click();
  await page.getByRole("button", { name: "Copy link" }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const before = await hash(page);
  const other = await context.newPage();
  await other.goto(link);
  await drawn(other);
  assert.deepEqual(await hash(other), before);
  assert.match(await other.locator(".legend").innerText(), /FLOPs/);
  await other.close();
});

on("failing", "the failing node is red and says why", async (page, file) => {
  assert.match(await page.locator(".failure").innerText(), /failed[\s\S]*shapes cannot be multiplied/);
  assert.match(await panel(page).innerText(), /RuntimeError/);
  assert.equal(await page.locator(".row.failed.selected").count(), 1);
  const box = boxOf(file, `#${graphOf(file).error}`);
  const [red, green, blue] = await colourAt(page, box.x + 2, box.y + box.height / 2);
  assert.ok(red > 150 && green < 90 && blue < 100, `${red} ${green} ${blue}`);
});

on("hostile", "names stay text, everywhere they stand", async (page) => {
  await row(page, "quote'\\\"\\\\")
    .click()
    .catch(() => {});
  for (let i = 0; i < (await rows(page).count()); i++) {
    await rows(page).nth(i).click();
    await settle(page);
  }
  await page.getByLabel("Search by name").fill("<img");
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "Table" }).click();
  await settle(page);
  assert.equal(await page.title(), "Hostile");
  assert.equal(await page.locator("img, b").count(), 0);
  assert.match(await page.locator(".rows tbody").innerText(), /<img src=x/);
});

on("lstm", "a loop says how often it runs", async (page) => {
  assert.match(await page.locator(".tree").innerText(), /×12/);
});

test("a page without a network says so", async () => {
  const { page, context } = await open(
    browser(),
    new URL("../../src/torchatlas/views/page/page.html", import.meta.url).pathname,
  );
  await settle(page);
  assert.match(await page.locator("#page").innerText(), /holds no network/);
  await context.close();
});

on(
  "lstm",
  "an error in the page is shown in the page",
  async (page) => {
    await page.evaluate(() => void Promise.reject(new Error("made for the test"))).catch(() => {});
    await page.waitForSelector(".problem");
    assert.match(await page.locator(".problem").innerText(), /made for the test/);
    await page.getByLabel("Dismiss the error").click();
    assert.equal(await page.locator(".problem").count(), 0);
  },
  { allowed: /made for the test/ },
);

on(
  "resnet152",
  "nothing glides by itself where motion is not wanted",
  async (page) => {
    await page.mouse.move(700, 500);
    await page.mouse.wheel(0, -600);
    await page.getByLabel("Fit").click();
    await page.waitForTimeout(60);
    assert.ok(await page.locator("canvas.minimap").isHidden());
  },
  { reducedMotion: "reduce" },
);

test("unet: without workers the page draws by itself", async () => {
  const { page, wrong, context } = await open(browser(), join(folder(), "unet.html"), {}, () => delete window.Worker);
  await drawn(page);
  await row(page, "enc1").click();
  await page.keyboard.press("Escape");
  await row(page, "enc1").dblclick();
  await settle(page);
  assert.equal(await row(page, "enc1").getAttribute("aria-expanded"), "false");
  assert.deepEqual(wrong, []);
  await context.close();
});

test("ten pages in one notebook work and stay light", async () => {
  const frame = readFileSync(join(folder(), "lstm.frame.html"), "utf8").replace("<!doctype html>", "");
  const file = join(folder(), "ten.html");
  writeFileSync(file, `<!doctype html>${frame.repeat(10)}`);
  assert.ok(statSync(file).size < 2_500_000);
  const { page, wrong, context } = await open(browser(), file);
  for (const at of [0, 4, 9]) {
    await page.locator("iframe").nth(at).scrollIntoViewIfNeeded();
    await page.frameLocator("iframe").nth(at).locator(".tree [role=treeitem]").first().waitFor();
  }
  // The wheel scrolls the notebook, until a drawing is clicked on.
  await page.evaluate(() => scrollTo(0, 0));
  await page.mouse.move(600, 300);
  await page.mouse.wheel(0, 500);
  await settle(page);
  assert.ok((await page.evaluate(() => scrollY)) > 300);
  assert.deepEqual(wrong, []);
  await context.close();
});

test("lstm: in a notebook's frame the page works without its origin", async () => {
  const { page, wrong, context } = await open(browser(), join(folder(), "lstm.frame.html"));
  const frame = page.frameLocator("iframe");
  await frame.locator(".tree [role=treeitem]").first().waitFor();
  await frame.locator(".tree [role=treeitem]").nth(1).click();
  assert.match(await frame.locator(".panel").innerText(), /embedding/i);
  await settle(page);
  if (SHOTS) await page.screenshot({ path: join(SHOTS, "frame.png") });
  assert.deepEqual(wrong, []);
  await context.close();
});
