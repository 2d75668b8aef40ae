"""Models whose floating point operations are worked out by hand, from the formula of each layer.

One multiply-add is two operations; only matrix products and convolutions count, additions of biases do not.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.case import Built, Case
from zoo.torchvision_models import build as vision
from zoo.transformers_models import GPT2, GROUPED, build, continued, tokens


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, as in MobileNet."""

    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.pointwise = nn.Conv2d(6, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(F.relu6(self.depthwise(x)))


class Waves(nn.Module):
    """One convolution along one axis, and one in space and time."""

    def __init__(self):
        super().__init__()
        self.line = nn.Conv1d(3, 5, 4, stride=2, dilation=2)
        self.volume = nn.Conv3d(1, 2, (2, 3, 3))

    def forward(self, line: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
        return self.line(line), self.volume(volume)


class Contractions(nn.Module):
    """Products of vectors, matrices and batches by every spelling."""

    def forward(self, a: Tensor, b: Tensor, batch: Tensor) -> Tensor:
        vector = a @ b[:, 0]
        number = torch.dot(vector, vector)
        heads = torch.einsum("bij,bkj->bik", batch, batch)
        return (a @ b).sum() + number + heads.sum() + torch.addmm(a, batch[0, :, :4], b[:, :4].T).sum()


class CrossAttention(nn.Module):
    """Three queries over seven keys, values narrower than keys."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class Elementwise(nn.Module):
    """Arithmetic without any product of matrices."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(F.gelu(x) * 2 + x.softmax(-1), (4,)).cumsum(0)


def attention() -> Built:
    """Self-attention of four heads over six tokens of sixteen features, batch of two."""
    x = torch.randn(2, 6, 16)
    return Built(nn.MultiheadAttention(16, 4, batch_first=True), (x, x, x), {"need_weights": False})


def encoder() -> Built:
    """One transformer encoder layer, which in eval mode runs as one fused kernel."""
    return Built(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (torch.randn(2, 6, 16),))


def llama_flops(experts: int = 0, width: int = 64) -> int:
    """A LLaMA decoder of two layers: batch 2, T = 11 tokens, d = 32, 4 heads of 8, 2 key heads, f = width, V = 99.

    With experts, each token goes to two of them, and a router of one column per expert chooses.
    """
    rows = 2 * 11
    projections = 2 * rows * 32 * (32 + 16 + 16 + 32)  # query, key and value of 2 * 8 each, output
    scores = 2 * (2 * 4 * 11 * 11 * 8) * 2  # queries by keys, then weights by values; masked entries count
    gated = 3 * 2 * rows * 32 * width  # gate, up, down
    feed_forward = 2 * gated + 2 * rows * 32 * experts if experts else gated
    return 2 * (projections + scores + feed_forward) + 2 * rows * 32 * 99


def gpt2_flops(new: int, keys: int) -> int:
    """GPT-2 of two layers: batch 2, ``new`` tokens that see ``keys``, d = 32, 4 heads of 8, f = 4 d, V = 99."""
    rows = 2 * new
    projections = 2 * rows * 32 * (96 + 32 + 128 + 128)  # query, key, value; output; up and down of f = 128
    scores = 2 * (2 * 4 * new * keys * 8) * 2
    return 2 * (projections + scores) + 2 * rows * 32 * 99


FAMILY = "counted"
EXPERTS = {**GROUPED, "head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
BFLOAT16 = "torch's fake kernel of a grouped product takes bfloat16 alone"

MODELS: dict[str, Case] = {
    # 5 rows, 8 inputs, 3 outputs
    "counted/linear": Case(lambda: Built(nn.Linear(8, 3), (torch.randn(5, 8),)), FAMILY, hand=2 * 5 * 8 * 3),
    # batch 2, 8 output channels of 4 x 4, each from 3 channels of 3 x 3
    "counted/conv": Case(
        lambda: Built(nn.Conv2d(3, 8, 3, stride=2, padding=1), (torch.randn(2, 3, 8, 8),)),
        FAMILY,
        hand=2 * (2 * 8 * 4 * 4) * (3 * 3 * 3),
    ),
    # depthwise: 6 x 5 x 5 outputs from one channel of 3 x 3; pointwise: 10 x 5 x 5 outputs from 6
    "counted/separable": Case(
        lambda: Built(Separable(), (torch.randn(1, 6, 5, 5),)), FAMILY, hand=2 * 6 * 25 * 9 + 2 * 10 * 25 * 6
    ),
    # line: (20 - 2 * 3 - 1) // 2 + 1 = 7 steps of 5 from 3 x 4; volume: 2 channels of 3 x 3 x 3 from 2 x 3 x 3
    "counted/waves": Case(
        lambda: Built(Waves(), (torch.randn(1, 3, 20), torch.randn(1, 1, 4, 5, 5))),
        FAMILY,
        hand=2 * 5 * 7 * 3 * 4 + 2 * 2 * 27 * 18,
    ),
    # every one of 4 x 3 x 3 inputs meets 2 channels of 2 x 2 weights
    "counted/transposed": Case(
        lambda: Built(nn.ConvTranspose2d(4, 2, 2, stride=2), (torch.randn(1, 4, 3, 3),)),
        FAMILY,
        hand=2 * (4 * 3 * 3) * (2 * 2 * 2),
    ),
    # a (5, 4) by a vector; a dot of 5; 2 products of (5, 6) by (6, 5); (5, 4) by (4, 5); (5, 4) by (4, 4)
    "counted/contractions": Case(
        lambda: Built(Contractions(), (torch.randn(5, 4), torch.randn(4, 5), torch.randn(2, 5, 6))),
        FAMILY,
        hand=2 * 5 * 4 + 2 * 5 + 2 * 2 * 5 * 6 * 5 + 2 * 5 * 4 * 5 + 2 * 5 * 4 * 4,
    ),
    # batch 2, 4 heads: 3 x 7 scores of 8 features, then 3 x 5 results of 7
    "counted/cross_attention": Case(
        lambda: Built(CrossAttention(), (torch.randn(2, 4, 3, 8), torch.randn(2, 4, 7, 8), torch.randn(2, 4, 7, 5))),
        FAMILY,
        hand=2 * (2 * 4) * (3 * 7 * 8 + 3 * 7 * 5),
    ),
    # 12 rows by 16 x 48 and 16 x 16; 8 heads of 6 x 6 scores of 4 features, twice
    "counted/attention": Case(attention, FAMILY, hand=2 * 12 * 16 * (48 + 16) + 2 * (2 * 8 * 6 * 6 * 4)),
    # as above, and 12 rows by 16 x 32 and back
    "counted/encoder": Case(
        encoder, FAMILY, hand=2 * 12 * 16 * (48 + 16) + 2 * (2 * 8 * 6 * 6 * 4) + 2 * (2 * 12 * 16 * 32)
    ),
    # 6 steps, batch 2, 4 gates of 5 from 4 inputs and 5 states; then a layer from 5 and 5
    "counted/lstm": Case(
        lambda: Built(nn.LSTM(4, 5, 2), (torch.randn(6, 2, 4),)), FAMILY, hand=2 * 6 * 2 * 20 * ((4 + 5) + (5 + 5))
    ),
    # 6 steps, batch 2, 3 gates of 5 from 4 inputs and 5 states, in 2 directions
    "counted/gru": Case(
        lambda: Built(nn.GRU(4, 5, bidirectional=True), (torch.randn(6, 2, 4),)),
        FAMILY,
        hand=2 * (2 * 6 * 2 * 15 * (4 + 5)),
    ),
    # 6 steps, batch 2, 5 states from 4 inputs and 5 states
    "counted/rnn": Case(lambda: Built(nn.RNN(4, 5), (torch.randn(6, 2, 4),)), FAMILY, hand=2 * 6 * 2 * 5 * (4 + 5)),
    "counted/llama": Case(
        partial(build, "LlamaForCausalLM", "LlamaConfig", GROUPED, tokens), FAMILY, hand=llama_flops()
    ),
    "counted/mixtral": Case(
        partial(build, "MixtralForCausalLM", "MixtralConfig", {**GROUPED, "num_local_experts": 4}, tokens),
        FAMILY,
        hand=llama_flops(experts=4),
        fake=False,
        because=BFLOAT16,
    ),
    "counted/qwen3_moe": Case(
        partial(build, "Qwen3MoeForCausalLM", "Qwen3MoeConfig", EXPERTS, tokens),
        FAMILY,
        hand=llama_flops(experts=4, width=16),
        fake=False,
        because=BFLOAT16,
    ),
    "counted/gpt2": Case(
        partial(build, "GPT2LMHeadModel", "GPT2Config", GPT2, tokens), FAMILY, hand=gpt2_flops(11, 11)
    ),
    "counted/gpt2_continued": Case(
        partial(continued, "GPT2LMHeadModel", "GPT2Config", GPT2), FAMILY, hand=gpt2_flops(1, 12)
    ),
    # Published as 1.81 GMAC. Stem 118,013,952 MAC; the first layer 4 x 115,605,504; each of three others
    # 57,802,752 (stride 2), 3 x 115,605,504, and 6,422,528 in the shortcut; the head 512,000.
    "counted/resnet18": Case(
        partial(vision, "resnet18", (1, 3, 224, 224)),
        FAMILY,
        hand=2 * (118_013_952 + 4 * 115_605_504 + 3 * (57_802_752 + 3 * 115_605_504 + 6_422_528) + 512_000),
    ),
    "counted/elementwise": Case(lambda: Built(Elementwise(), (torch.randn(3, 4),)), FAMILY, hand=0),
}
