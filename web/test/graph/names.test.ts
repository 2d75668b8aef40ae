/** Names, numbers and families as people in the field write them. */

import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/graph.ts";
import { shortName } from "../../src/graph/facts.ts";
import { family, familyOf } from "../../src/graph/family.ts";
import { figure, figures, shapeText, short } from "../../src/graph/numbers.ts";

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1.00K"],
  [9408, "9.41K"],
  [25557032, "25.6M"],
  [999499, "999K"],
  [999500, "1.00M"],
  [405e9, "405G"],
  [1.8e15, "1.80P"],
])("%d is written %s", (number, text) => {
  expect(short(number)).toBe(text);
});

test.each([
  [0.1, "0.1"],
  [0.10000000149011612, "0.1"],
  [1 / 17, "0.0588235"],
  [0.30000000000000004, "0.3"],
  [2.9999999999999996, "3"],
  [0.9999999, "0.9999999"],
  [123456.789, "123456.789"],
  [-1e-5, "-1e-05"],
  [9.999999747378752e-6, "1e-05"],
  [1e-12, "1e-12"],
  [500000, "500000"],
])("a setting of %d is written %s", (number, text) => {
  expect(figure(number)).toBe(text);
});

test("in a text only numbers of many digits are written anew, and no parts of names", () => {
  expect(figures("p=0.0058823529411764705, mode=row, eps=1e-05")).toBe("p=0.00588235, mode=row, eps=1e-05");
  expect(figures("(0.10000000149011612, -2.0000000000000004)")).toBe("(0.1, -2)");
  expect(figures("v1.0000000000, 1.00000000.2, x.0.12345678")).toBe("v1.0000000000, 1.00000000.2, x.0.12345678");
});

test("a shape is its sizes joined, without sizes a scalar", () => {
  expect(shapeText({ shape: [1, 3, 224, 224], nbytes: null })).toBe("1×3×224×224");
  expect(shapeText({ shape: [], nbytes: 4 })).toBe("scalar");
  expect(shapeText({ shape: [], nbytes: null })).toBe("?");
});

describe("shortName", () => {
  test.each([
    ["function", "torch.nn.functional.relu", "relu"],
    ["function", "F.scaled_dot_product_attention", "scaled_dot_product_attention"],
    ["function", "Tensor.__add__", "add"],
    ["function", "Tensor.__getitem__", "index"],
    ["function", "Tensor.add_", "add_"],
    ["aten", "aten.convolution.default", "convolution"],
    ["function", "aten.conv2d.default", "conv2d"],
    ["function", "torchvision.nms.default", "nms"],
    ["function", "higher_order.cond", "cond"],
    ["function", "com.microsoft.Attention", "Attention"],
    ["module", "Conv2d", "Conv2d"],
    ["backward", "ConvolutionBackward0", "Convolution"],
    ["backward", "ConvolutionBackwardBackward0", "ConvolutionBackward"],
    ["backward", "MyFnBackward", "MyFn"],
    ["backward", "AccumulateGrad", "AccumulateGrad"],
    ["backward", "CopySlices", "CopySlices"],
    ["saved", "layer1.0.conv1.weight", "layer1.0.conv1.weight"],
  ] as const)("of the %s %s is %s", (kind, name, expected) => {
    expect(shortName({ kind, name } as Call)).toBe(expected);
  });
});

describe("familyOf a backward node", () => {
  test.each([
    ["Convolution", "convolution"],
    ["NativeLayerNorm", "normalisation"],
    ["Addmm", "linear"],
    ["Mm", "linear"],
    ["T", "movement"],
    ["UnsafeView", "movement"],
    ["MaskedFill", "movement"],
    ["CopySlices", "movement"],
    ["ScaledDotProductFlashAttentionForCpu", "attention"],
    ["MaxPool2DWithIndices", "pooling"],
    ["Gelu", "activation"],
    ["AccumulateGrad", "arithmetic"],
  ] as const)("%s is %s", (name, expected) => {
    expect(familyOf({ kind: "backward" } as Call, name)).toBe(expected);
  });

  test("of a saved tensor is its own", () => {
    expect(familyOf({ kind: "saved" } as Call, "weight")).toBe("saved");
  });
});

describe("family", () => {
  test.each([
    ["Conv2d", "convolution"],
    ["ConvTranspose2d", "convolution"],
    ["BatchNorm2d", "normalisation"],
    ["LlamaRMSNorm", "normalisation"],
    ["Linear", "linear"],
    ["matmul", "linear"],
    ["ReLU", "activation"],
    ["softmax", "activation"],
    ["MaxPool2d", "pooling"],
    ["MultiheadAttention", "attention"],
    ["LSTMCell", "recurrent"],
    ["Embedding", "embedding"],
    ["cat", "movement"],
    ["add", "arithmetic"],
    ["BasicBlock", "arithmetic"],
  ])("of %s is %s", (name, expected) => {
    expect(family(name, "arithmetic")).toBe(expected);
  });
});
