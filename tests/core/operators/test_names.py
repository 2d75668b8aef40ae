"""Short names of operators: one rule for every spelling."""

from __future__ import annotations

import pytest
from torch import Tensor

from torchatlas.core.operators.names import METHODS, in_place, joined, operator, short_name


@pytest.mark.parametrize(
    ("kind", "name", "short"),
    [
        ("function", "torch.relu", "relu"),
        ("function", "F.conv2d", "conv2d"),
        ("function", "torch.nn.functional.relu", "relu"),
        ("function", "torch.linalg.norm", "norm"),
        ("function", "Tensor.add_", "add_"),
        ("function", "Tensor.__add__", "add"),
        ("function", "Tensor.__radd__", "add"),
        ("function", "Tensor.__iadd__", "add_"),
        ("function", "Tensor.__rmatmul__", "matmul"),
        ("function", "Tensor.__getitem__", "index"),
        ("function", "Tensor.__invert__", "not"),
        ("function", "Tensor.__len__", "len"),
        ("function", "aten.conv2d.default", "conv2d"),
        ("function", "quantized.linear.default", "linear"),
        ("function", "higher_order.cond", "cond"),
        ("function", "com.microsoft.Attention", "Attention"),
        ("function", "Conv", "Conv"),
        ("aten", "aten.add_.Tensor", "add_"),
        ("aten", "mine.op.MyOverload", "op"),
        ("module", "Conv2d", "Conv2d"),
        ("group", "a.b.c", "a.b.c"),
        ("backward", "AddmmBackward0", "Addmm"),
        ("backward", "ConvolutionBackwardBackward0", "ConvolutionBackward"),
        ("backward", "Backward0", "Backward0"),
        ("saved", "layer1.0.weight", "layer1.0.weight"),
    ],
)
def test_a_name_is_short_in_every_spelling(kind, name, short):
    """What is drawn on a box, looked for on the page, and what the tables of operators know."""
    assert short_name(kind, name) == short


def test_every_method_that_python_writes_as_an_operator_is_known():
    """Also those that stand on the right, or work in place."""
    written = {name.strip("_") for name in dir(Tensor) if name.startswith("__") and name.endswith("__")}
    bases = {"add", "sub", "mul", "matmul", "pow", "and", "or", "xor", "truediv", "div", "floordiv", "mod"}
    of = {mark + base for base in bases for mark in ("", "r", "i")}
    assert sorted((written & of) - METHODS.keys()) == []


def test_a_name_says_whether_it_writes():
    """By the underscore at its end, which a private method has too."""
    assert in_place(operator("aten.relu_.default"))
    assert not in_place("__and__")
    assert not in_place("relu")


def test_names_are_compared_without_the_ways_of_writing_words_together():
    """A class, a function and one that works in place."""
    assert {joined(name) for name in ("MaxPool2d", "max_pool2d", "max_pool2d_")} == {"maxpool2d"}
