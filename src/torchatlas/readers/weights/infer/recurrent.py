"""LSTM, GRU and RNN, and their cells: the names of their tensors say all that shapes can."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, listed

if TYPE_CHECKING:
    from torchatlas.readers.weights.infer.guess import StoredModule

GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}
TENSOR = re.compile(r"(?:weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)_l(\d+)(_reverse)?")


def infer(part: StoredModule) -> Guess | None:
    """Tell recurrent layers and cells by their tensors."""
    if "weight_ih_l0" in part.shapes and "weight_hh_l0" in part.shapes:
        return _layer(part)
    if set(part.shapes) in ({"weight_ih", "weight_hh"}, {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}):
        return _cell(part)
    return None


def _layer(part: StoredModule) -> Guess | None:
    found = [TENSOR.fullmatch(name) for name in part.shapes]
    inward, across = part.shapes["weight_ih_l0"], part.shapes["weight_hh_l0"]
    projected = part.shapes.get("weight_hr_l0")
    hidden = projected[1] if projected and len(projected) == 2 else across[-1]  # noqa: PLR2004 - a matrix
    if len(inward) != 2 or len(across) != 2 or not hidden:  # noqa: PLR2004 - matrices
        return None
    name = GATES.get(inward[0] // hidden) if inward[0] % hidden == 0 else None
    if name is None:
        return None
    layers = 1 + max(int(match[1]) for match in found if match)
    both, bias = "weight_ih_l0_reverse" in part.shapes, "bias_ih_l0" in part.shapes
    settings = [("input_size", inward[1]), ("hidden_size", hidden), ("num_layers", layers), ("bias", bias)]
    settings += [("bidirectional", both)]
    if name == "LSTM":
        settings += [("proj_size", projected[0] if projected else 0)]
    words = listed(
        f"{inward[1]}, {hidden}",
        f"num_layers={layers}" if layers > 1 else "",
        "" if bias else "bias=False",
        "bidirectional=True" if both else "",
        f"proj_size={projected[0]}" if projected else "",
        part.how,
    )
    return Guess(name, 0.99, tuple(settings), words)


def _cell(part: StoredModule) -> Guess | None:
    inward, across = part.shapes["weight_ih"], part.shapes["weight_hh"]
    if len(inward) != 2 or len(across) != 2 or not across[1] or inward[0] % across[1]:  # noqa: PLR2004 - matrices
        return None
    name = GATES.get(inward[0] // across[1])
    if name is None:
        return None
    bias = "bias_ih" in part.shapes
    settings = (("input_size", inward[1]), ("hidden_size", across[1]), ("bias", bias))
    return Guess(f"{name}Cell", 0.98, settings, listed(f"{inward[1]}, {across[1]}", "" if bias else "bias=False"))
