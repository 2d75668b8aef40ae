"""The engine names and colours operators as the core does: the same rules, in two languages, on one table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.tensors import tensor
from torchatlas.core.graph import Call, Graph, Module
from torchatlas.core.operators.arithmetic import MOVEMENT, ONNX_MOVEMENT, ONNX_UNKNOWN
from torchatlas.core.operators.families import FAMILIES, hue
from torchatlas.core.operators.names import METHODS, short_name
from torchatlas.core.operators.saved_for_backward import RULES
from torchatlas.views.drawing.engine import render
from torchatlas.views.drawing.payload import payload
from viewing import view_of

OPERATORS = sorted({name.rstrip("_") or name for name in (*MOVEMENT, *RULES)})
ONNX = sorted(ONNX_MOVEMENT | ONNX_UNKNOWN | {"Conv", "Gemm", "BatchNormalization", "Relu", "com.microsoft.Attention"})
CLASSES = sorted({name + more for name in FAMILIES for more in ("", "2d", "Block")} | {"GemmaMLP", "Converter", "Net"})
NAMES = [
    *(("function", f"torch.{name}") for name in OPERATORS),
    *(("function", f"Tensor.{name}_") for name in OPERATORS),
    *(("function", f"Tensor.__{name}__") for name in METHODS),
    *(("function", name) for name in ONNX),
    *(("aten", f"aten.{name}.default") for name in OPERATORS),
    *(("aten", f"aten.{name}_backward.out") for name in OPERATORS),
    *(("aten", name) for name in ("quantized.linear.default", "mine.flash_attn_forward.default", "prims.add.default")),
    *(("backward", f"{name.title().replace('_', '')}Backward0") for name in OPERATORS),
    *(("autograd_function", name) for name in CLASSES),
    *(("group", name) for name in CLASSES),
    *(("module", name) for name in CLASSES),
]


def chain(names) -> Graph:
    """A run that makes these calls one after the other."""
    inside = [
        Call(at, kind, name, f"m{at}" if kind == "module" else None, 0, inputs=(at - 1,), outputs=(at,))
        for at, (kind, name) in enumerate(names, 1)
    ]
    values = [tensor(0, "input"), *(tensor(call.id, producer=call.id) for call in inside)]
    modules = [Module("", "Net"), *(Module(call.path, call.name) for call in inside if call.path is not None)]
    root = Call(0, "module", "Net", "", inputs=(0,), outputs=(len(inside),))
    return Graph("Net", (root, *inside), tuple(values), tuple(modules))


def is_said(name: str, line: str) -> bool:
    """Whether a line of a box is a name, or what a box has room for of it."""
    head, dots, tail = line.partition("…")
    return name == line or (dots != "" and name.startswith(head) and name.endswith(tail))


@pytest.mark.parametrize("kind", ["function", "aten", "backward", "autograd_function", "group", "module"])
def test_every_operator_has_the_name_and_the_hue_that_the_core_says(kind):
    """All names of the table, in every spelling; of a module, the class stands on its box's second line."""
    differing = []
    of_kind = [one for one in NAMES if one[0] == kind]
    for start in range(0, len(of_kind), 100):
        names = of_kind[start : start + 100]
        graph = chain(names)
        view = replace(view_of(graph, fold=False), level="aten")
        scene = json.loads(render(payload(graph, view, shorten=False)).scene)
        boxes = {box["key"]: box for box in scene["boxes"]}
        assert len(boxes) == len(names)
        for at, (_, name) in enumerate(names, 1):
            box = boxes[f"#{at}"]
            named = any(is_said(short_name(kind, name), line) for line in box["says"])
            if not named or box["fill"] != f"{hue(kind, name)}.fill":
                differing.append((name, box["says"], box["fill"], hue(kind, name)))
    assert differing == []
