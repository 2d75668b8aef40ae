"""Recurrent networks and attention, as torch itself provides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from zoo.case import Built, Case

if TYPE_CHECKING:
    from collections.abc import Callable


class Tagger(nn.Module):
    """Packs, runs and unpacks sequences of several lengths."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(10, 3)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        padded, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(padded)


class Unrolled(nn.Module):
    """A cell called once per step, in a Python loop."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 5)
        self.gate = nn.GRUCell(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, c, g = x.new_zeros(x.shape[1], 5), x.new_zeros(x.shape[1], 5), x.new_zeros(x.shape[1], 3)
        states = []
        for step in x:
            h, c = self.cell(step, (h, c))
            g = self.gate(h, g)
            states.append(g)
        return torch.stack(states)


class Causal(nn.Module):
    """Scaled dot product attention with each kind of mask."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        masked = F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None, :])
        return (causal + masked).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    def __init__(self, *, need_weights: bool):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.need_weights = need_weights

    def forward(self, x: Tensor, padding: Tensor) -> Any:
        return self.attention(x, x, x, key_padding_mask=padding, need_weights=self.need_weights)


def packed() -> Built:
    """A recurrent layer that is given, and returns, a ``PackedSequence``."""
    lengths = torch.tensor([4, 2, 1])
    return Built(nn.GRU(3, 4), (pack_padded_sequence(torch.randn(4, 3, 3), lengths),))


class TakesPacked(nn.Module):
    """A PackedSequence made inside, from tensors."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4, nonlinearity="relu")

    def forward(self, data: Tensor) -> Tensor:
        out, hidden = self.rnn(PackedSequence(data, torch.tensor([3, 2, 1])))
        return out.data.sum() + hidden


def encoder(**options: Any) -> Callable[[], Built]:
    """A transformer encoder of two layers, on a batch of two."""

    def build() -> Built:
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options)
        return Built(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), (torch.randn(2, 5, 16),))

    return build


def with_padding() -> Built:
    """A transformer encoder that turns padded sequences into nested tensors on its fast path."""
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    return Built(nn.TransformerEncoder(layer, 2), (torch.randn(2, 5, 16),), {"src_key_padding_mask": padding})


def seq2seq() -> Built:
    """The encoder and decoder of torch itself, with a causal mask."""
    model = nn.Transformer(16, 4, 2, 2, 32, batch_first=True)
    mask = model.generate_square_subsequent_mask(4)
    return Built(model, (torch.randn(2, 5, 16), torch.randn(2, 4, 16)), {"tgt_mask": mask})


FAMILY = "sequences"
PADDING = ((False, False, False), (False, False, True))
NESTED = "The PyTorch API of nested tensors is in prototype stage"
PLAIN = "LSTM with projections is not supported with oneDNN"

MODELS: dict[str, Case] = {
    "sequences/lstm": Case(lambda: Built(nn.LSTM(4, 5, 2), (torch.randn(6, 2, 4),)), FAMILY),
    "sequences/lstm_projected": Case(
        lambda: Built(nn.LSTM(4, 6, proj_size=3), (torch.randn(6, 2, 4),)), FAMILY, quiet=(PLAIN,)
    ),
    "sequences/lstm_training": Case(
        lambda: Built(nn.LSTM(4, 5, 2, dropout=0.5), (torch.randn(6, 2, 4),)), FAMILY, mode="train"
    ),
    "sequences/gru": Case(
        lambda: Built(nn.GRU(4, 5, bidirectional=True), (torch.randn(6, 2, 4), torch.randn(2, 2, 5))), FAMILY
    ),
    "sequences/tagger": Case(
        lambda: Built(Tagger(), (torch.randint(0, 20, (3, 7)), torch.tensor([3, 7, 5]))),
        FAMILY,
        fake=False,
        because="packing reads the lengths",
    ),
    "sequences/packed": Case(packed, FAMILY, fake=False, because="the layer reads the batch sizes"),
    "sequences/takes_packed": Case(
        lambda: Built(TakesPacked(), (torch.randn(6, 3),)),
        FAMILY,
        fake=False,
        because="the layer reads the batch sizes",
    ),
    "sequences/unrolled": Case(lambda: Built(Unrolled(), (torch.randn(5, 2, 4),)), FAMILY),
    "sequences/causal": Case(lambda: Built(Causal(), (torch.randn(2, 3, 16), ~torch.tensor(PADDING))), FAMILY),
    "sequences/attention": Case(
        lambda: Built(SelfAttention(need_weights=True), (torch.randn(2, 3, 16), torch.tensor(PADDING))), FAMILY
    ),
    "sequences/attention_fast": Case(
        lambda: Built(SelfAttention(need_weights=False), (torch.randn(2, 3, 16), torch.tensor(PADDING))), FAMILY
    ),
    "sequences/encoder": Case(encoder(), FAMILY),
    "sequences/encoder_training": Case(encoder(), FAMILY, mode="train"),
    "sequences/encoder_before": Case(encoder(norm_first=True, activation="gelu"), FAMILY),
    "sequences/encoder_padding": Case(with_padding, FAMILY, quiet=(NESTED,)),
    "sequences/seq2seq": Case(
        seq2seq, FAMILY, fake=False, because="it compares its mask with a causal one and reads the answer"
    ),
}
