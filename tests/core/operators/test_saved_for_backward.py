"""What operations save, checked against what autograd hands to ``saved_tensors_hooks``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchatlas as ta
from core.tensors import tensor
from torchatlas.core.graph import Call, Graph, Node
from torchatlas.core.measure.memory import memory
from torchatlas.core.operators import saved_for_backward as rules
from torchatlas.core.operators.names import plain_name
from torchatlas.core.operators.saved_for_backward import RULES, UNKNOWN, operation_of, workspace

if TYPE_CHECKING:
    from collections.abc import Callable


class Scaled(nn.Module):
    """A function of two tensors that need gradients, as activations do."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.function(x * self.scale, y * self.scale)


IMAGE, IMAGES = torch.rand(2, 8, 16, 16), (2, 8, 16, 16)
WEIGHT = nn.Parameter(torch.rand(8, 8, 3, 3))
MATRIX = nn.Parameter(torch.rand(16, 16))
HEADS = (2, 4, 32, 16)
CASES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], tuple[int, ...]]] = {
    "linear": (lambda x, y: F.linear(x, MATRIX), IMAGES),
    "linear, frozen": (lambda x, y: F.linear(x, MATRIX.detach()), IMAGES),
    "matmul": (lambda x, y: x @ y, IMAGES),
    "mul": (lambda x, y: x * y, IMAGES),
    "mul by a number": (lambda x, y: x * 2, IMAGES),
    "div": (lambda x, y: x / y, IMAGES),
    "add": (lambda x, y: x + y, IMAGES),
    "sub": (lambda x, y: x - y, IMAGES),
    "cat": (lambda x, y: torch.cat([x, y]), IMAGES),
    "view": (lambda x, y: x.view(-1).reshape(4, -1).transpose(0, 1), IMAGES),
    "conv2d": (lambda x, y: F.conv2d(x, WEIGHT), IMAGES),
    "relu": (lambda x, y: F.relu(x), IMAGES),
    "relu, in place": (lambda x, y: F.relu(x, inplace=True), IMAGES),
    "silu, in place": (lambda x, y: F.silu(x, inplace=True), IMAGES),
    "hardswish": (lambda x, y: F.hardswish(x), IMAGES),
    "leaky_relu": (lambda x, y: F.leaky_relu(x), IMAGES),
    "gelu": (lambda x, y: F.gelu(x), IMAGES),
    "sigmoid": (lambda x, y: x.sigmoid(), IMAGES),
    "tanh": (lambda x, y: torch.tanh(x), IMAGES),
    "exp": (lambda x, y: x.exp(), IMAGES),
    "rsqrt": (lambda x, y: torch.rsqrt(x), IMAGES),
    "pow": (lambda x, y: x**3, IMAGES),
    "clamp": (lambda x, y: x.clamp(0.2, 0.8), IMAGES),
    "softmax": (lambda x, y: x.softmax(-1), IMAGES),
    "log_softmax": (lambda x, y: F.log_softmax(x, -1), IMAGES),
    "layer_norm": (lambda x, y: F.layer_norm(x, (16,)), IMAGES),
    "batch_norm": (lambda x, y: F.batch_norm(x, None, None, training=True), IMAGES),
    "group_norm": (lambda x, y: F.group_norm(x, 2), IMAGES),
    "max_pool2d": (lambda x, y: F.max_pool2d(x, 2), IMAGES),
    "avg_pool2d": (lambda x, y: F.avg_pool2d(x, 2), IMAGES),
    "adaptive_avg_pool2d": (lambda x, y: F.adaptive_avg_pool2d(x, 2), IMAGES),
    "interpolate": (lambda x, y: F.interpolate(x, scale_factor=2), IMAGES),
    "mean": (lambda x, y: x.mean(1), IMAGES),
    "sum": (lambda x, y: x.sum(1), IMAGES),
    "dropout": (lambda x, y: F.dropout(x, 0.5, training=True), IMAGES),
    "masked_fill": (lambda x, y: x.masked_fill(x > 1, 0.0), IMAGES),
    "slice": (lambda x, y: x[:, 1:], IMAGES),
    "attention": (lambda x, y: F.scaled_dot_product_attention(x, y, x), HEADS),
    "attention, boolean mask": (
        lambda x, y: F.scaled_dot_product_attention(x, y, x, attn_mask=x[..., :1] < y[..., 0][:, :, None]),
        HEADS,
    ),
    "attention, dropout": (lambda x, y: F.scaled_dot_product_attention(x, y, x, dropout_p=0.5), HEADS),
}


def _saved_by_torch(model: nn.Module, *args: Tensor) -> int:
    """Bytes of all memory that autograd saves, parameters and arguments apart, each once."""
    outside = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *args, WEIGHT, MATRIX)}
    found = {}

    def pack(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        found[storage.data_ptr()] = storage  # held, so that its address is not given out again
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        result = model(*args)
    assert result.requires_grad
    return sum(storage.nbytes() for address, storage in found.items() if address not in outside)


@pytest.mark.parametrize("case", CASES)
def test_operations_save_what_autograd_saves(case: str) -> None:
    """Estimated bytes saved are within 2 % of what torch packs, for every kind of rule.

    Attention that drops weights saves scaled copies of query and key and not the originals, which are counted here
    because a model mostly keeps them as parts of a larger projection.
    """
    function, shape = CASES[case]
    model, args = Scaled(function), (torch.rand(shape), torch.rand(shape))
    estimated = memory(ta.capture(model, args, mode="train").graph)
    assert estimated.saved == pytest.approx(
        _saved_by_torch(model, *args), rel=0.25 if case == "attention, dropout" else 0.02, abs=64
    )
    assert not any("not known" in note for note in estimated.notes)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("torch.conv2d", "conv2d"),
        ("F.conv2d", "conv2d"),
        ("aten.convolution.default", "convolution"),
        ("aten.add_.Tensor", "add"),
        ("Tensor.add_", "add"),
        ("Tensor.__add__", "add"),
        ("Tensor.__iadd__", "add"),
        ("Tensor.__rsub__", "sub"),
        ("Tensor.__mod__", "remainder"),
        ("Tensor.__getitem__", "index"),
        ("quantized.linear.default", "linear"),
        ("aten._softmax.default", "_softmax"),
        ("relu", "relu"),
    ],
)
def test_names_are_told_in_every_spelling(name: str, plain: str) -> None:
    """However an operation was spelled, one rule serves."""
    assert plain_name(name) == plain
    assert plain in RULES


def test_every_rule_names_something_that_torch_has() -> None:
    """A misspelled name would never be found and never be missed."""
    homes = (torch, F, Tensor, torch.ops.aten, torch.linalg)
    spelled = {name: (name, f"__{name}__", f"__{name.rstrip('_')}") for name in RULES}
    assert [name for name, forms in spelled.items() if not any(hasattr(home, f) for home in homes for f in forms)] == []


def test_no_operation_has_two_rules() -> None:
    """A second row for a name would silently replace the first."""
    names = [name for row, _ in rules._TABLE for name in row.split()]
    assert sorted(names) == sorted(set(names))


def test_an_operation_without_a_rule_is_taken_to_save_everything() -> None:
    """Not knowing errs on the side of too much."""
    operation = operation_of(Graph("g"), Call(0, "function", "torch.novel"))
    assert operation.rule is UNKNOWN
    assert UNKNOWN.saves == "all"


def _operation(name: str, shapes: list[tuple[int, ...]], result: tuple[int, ...], **rest: object) -> int:
    values = (*(tensor(i, shape=shape) for i, shape in enumerate(shapes)), tensor(len(shapes), shape=result, **rest))
    graph = Graph("g", values=values)
    call = Call(0, "function", name, inputs=tuple(range(len(shapes))), outputs=(len(shapes),), arguments=ARGUMENTS)
    return workspace(operation_of(graph, call))


ARGUMENTS = Node("arguments", ("p",), (0.5,))


def test_workspace_is_what_inference_takes_beside_inputs_and_outputs() -> None:
    """Pooling makes indices and throws them away; a convolution works on copies; a pass-through does nothing."""
    assert _operation("F.max_pool2d", [(1, 8, 4, 4)], (1, 8, 2, 2)) == 8 * 32
    image, weight, result = (2, 8, 10, 10), (4, 8, 3, 3), (2, 4, 8, 8)
    copies = 4 * (math.prod(image) + math.prod(weight))
    assert _operation("F.conv2d", [image, weight], result) == copies
    windows = 4 * 8 * 3 * 3 * 8 * 8  # of one small image, unfolded
    assert _operation("F.conv2d", [(1, 8, 10, 10), weight], (1, 4, 8, 8)) == windows
    assert _operation("F.conv2d", [image, weight], result, device="cuda:0") == 0
    assert _operation("F.dropout", [(10,)], (10,)) == 40
    assert _operation("F.dropout", [(10,)], (10,), alias_of=0) == 0


@pytest.mark.parametrize("shape", [(), (-1, 4), (2,)])
def test_tensors_of_unknown_size_tell_no_bytes(shape: tuple[int, ...]) -> None:
    """Files may keep the kinds of tensors alone: every rule then answers 0, and none fails."""
    values = tuple(tensor(i, shape=shape, nbytes=None) for i in range(6))
    graph = Graph("g", values=values)
    for name in RULES:
        operation = operation_of(graph, Call(0, "function", f"F.{name}", inputs=(0, 1, 2), outputs=(3, 4, 5)))
        rule = operation.rule
        assert (rule.kept(operation), rule.forward(operation), rule.backward(operation)) == (0, 0, 0), name


@pytest.mark.parametrize("inputs", [(), (0, 1, 2)])
def test_too_few_axes_do_not_stop_a_rule(inputs: tuple[int, ...]) -> None:
    """A graph by others may call anything by any name."""
    graph = Graph("g", values=tuple(tensor(i, shape=()) for i in range(6)))
    for name in ("scaled_dot_product_attention", "lstm", "gru", "rnn_tanh"):
        call = Call(0, "function", name, inputs=inputs, outputs=(3, 4, 5))
        rule = operation_of(graph, call).rule
        assert rule.kept(operation_of(graph, call)) >= 0
