/** Whole pictures, byte for byte; a change is looked at before GOLDEN=rewrite keeps it. */

import { expect, test } from "vitest";
import { drawScene } from "../src/engine.ts";
import { svg } from "../src/scene/svg.ts";
import { golden } from "./golden.ts";
import { type Asked, NETWORKS, asked } from "./payloads.ts";

const PICTURES: readonly (readonly [name: string, network: string, options: Asked])[] = [
  ...NETWORKS.map((name) => [name, name, {}] as const),
  ["bottleneck-lr-paper", "bottleneck", { direction: "LR", theme: "paper" }],
  ["clip-depth1-dark", "clip", { depth: 1, theme: "dark" }],
  ["llama32-one", "llama32", { depth: 2, expand: ["model.layers.7"] }],
  ["llama32-open", "llama32", { depth: "all" }],
  ["llama32-constants", "llama32", { depth: 2, constants: true }],
  ["lstm-lr", "lstm", { direction: "LR" }],
  ["lstm-unfolded", "lstm", { fold: false }],
  ["resnet18-flops", "resnet18", { depth: 1, labels: ["params", "flops"] }],
  ["unet-depth1", "unet", { depth: 1 }],
];

test.each(PICTURES)("%s looks as it did", (name, network, options) => {
  const made = svg(drawScene(asked(network, options)));
  expect(made).toBe(golden(`${name}.svg`, made));
});
