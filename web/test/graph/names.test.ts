/** Names, shapes and families as people in the field write them. */

import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/graph.ts";
import { shortName } from "../../src/graph/names.ts";
import { familyOf } from "../../src/graph/family.ts";
import { shapeText } from "../../src/graph/shapes.ts";

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
    expect(familyOf({ kind: "backward", name } as Call)).toBe(expected);
  });

  test("of a saved tensor is its own", () => {
    expect(familyOf({ kind: "saved", name: "weight" } as Call)).toBe("saved");
  });
});

describe("familyOf", () => {
  test("of a group does not depend on how often it repeats", () => {
    expect(familyOf({ kind: "group", name: "ScaledTanh", repeats: 3 } as Call)).toBe("activation");
  });

  test.each([
    ["module", "Conv2d", "convolution"],
    ["module", "ConvTranspose2d", "convolution"],
    ["module", "BatchNorm2d", "normalisation"],
    ["module", "LlamaRMSNorm", "normalisation"],
    ["module", "LlamaRotaryEmbedding", "embedding"],
    ["module", "Linear", "linear"],
    ["module", "ReLU", "activation"],
    ["module", "DropPath", "activation"],
    ["module", "MaxPool2d", "pooling"],
    ["module", "MultiheadAttention", "attention"],
    ["module", "LSTMCell", "recurrent"],
    ["module", "Embedding", "embedding"],
    ["module", "ZeroPad2d", "movement"],
    ["module", "BasicBlock", "module"],
    ["module", "GemmaDecoderLayer", "module"],
    ["module", "Converter", "module"],
    ["group", "ConvBnRelu", "convolution"],
    ["autograd_function", "FlashAttnFunc", "attention"],
    ["autograd_function", "Straight", "arithmetic"],
    ["function", "matmul", "linear"],
    ["function", "softmax", "activation"],
    ["function", "cat", "movement"],
    ["function", "ConstantOfShape", "movement"],
    ["function", "add", "arithmetic"],
    ["function", "atanh", "arithmetic"],
    ["function", "cosine_embedding_loss", "arithmetic"],
    ["aten", "convolution_backward", "convolution"],
    ["aten", "_softmax_backward_data", "activation"],
  ] as const)("of the %s %s is %s", (kind, name, expected) => {
    expect(familyOf({ kind, name } as Call)).toBe(expected);
  });
});
