"""Convolutions and their transposed kind, and Bilinear, whose weight looks alike.

Shapes alone do not tell a grouped convolution from one of fewer channels, nor, where sizes are equal, a transposed one:
what stands before and after does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, by, listed, pair

if TYPE_CHECKING:
    from torchatlas.readers.weights.infer.guess import Shape, StoredModule

UP = re.compile(r"(^|_)up|deconv|conv_?t(\d|_|$|r)|transpos|tconv|upsample|upscale|decode")
TRANSPOSED = re.compile(r"deconv|transpos|tconv|conv_?t(\d|_|$)|convtr(\d|_|$)")
"""Names of transposed convolutions; those of `UP` are also of what stands after a resize."""
DEPTHWISE = re.compile(r"dw|depth_?wise")
OWN = frozenset(("weight", "bias", "gain", "scale", "zero_point"))
"""Tensors that convolutions have: those with standardized and with quantized weights, too."""
WIDE = 24
"""A window wider than this along its only axis is rather the second input of a Bilinear, along one of several an axis
of the data."""
COLOURS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the layers around tell; 0 where they do not.

    Attributes:
        before: channels that come in.
        after: channels that are normalized after it.
        alike: channels that the convolution before it reads from each group.
        first: no layer stands before it.
        last: no layer stands after it in the same module.
    """

    before: int = 0
    after: int = 0
    alike: int = 0
    first: bool = False
    last: bool = False


def infer(part: StoredModule, beside: Neighbours) -> Guess | None:
    """Tell a layer whose weight has one to three axes of a window."""
    shape = part.weight
    bias = part.shapes.get("bias")
    if not 1 <= len(shape) - 2 <= 3 or set(part.shapes) - OWN or 0 in shape:  # noqa: PLR2004 - as torch has
        return None
    if bias is not None and bias != (shape[0],):
        fits = len(bias) == 1 and bias[0] > 0 and bias[0] % shape[1] == 0
        return _transposed(part, bias[0], 0.97) if fits else None
    sure = _bilinear_sure(part)
    if sure:
        return _bilinear(part, sure)
    if _looks_transposed(part, beside):
        return _transposed(part, bias[0] if bias else _after(shape, beside), 0.8)
    return _plain(part, beside)


def _bilinear_sure(part: StoredModule) -> float:
    """How sure a weight of three axes is a Bilinear's; 0 where it is rather a convolution's."""
    if len(part.weight) != 3:  # noqa: PLR2004 - out, and two inputs
        return 0
    if "bilinear" in part.path.lower():
        return 0.95
    return 0.6 if min(part.weight[1:]) > WIDE and "bias" in part.shapes else 0


def _after(shape: Shape, beside: Neighbours) -> int:
    return beside.after if beside.after and beside.after % shape[1] == 0 else shape[1]


def _looks_transposed(part: StoredModule, beside: Neighbours) -> bool:
    """Whether its name, or the channels around it, speak for (in, out) and against (out, in)."""
    first, second, *window = part.weight
    even = all(size % 2 == 0 for size in window)
    bare = "bias" not in part.shapes  # a bias would have told
    if bare and first != second and beside.after == second and beside.before in (0, first):
        return True
    # Nothing follows that could tell. Groups would divide the channels, and of a grouped window the sides are odd.
    shrinks = bare and max(window) > 1 and beside.before == first > second and beside.last
    if shrinks and (first % second or (even and second in COLOURS)):
        return True
    if min(window) > 1 and TRANSPOSED.search(part.path.lower()):
        return True
    return even and min(window) > 1 and bool(UP.search(part.path.lower()))


def _transposed(part: StoredModule, outward: int, sure: float) -> Guess:
    inward, each, *window = part.weight
    groups = outward // each
    return _convolution(part, "ConvTranspose", (inward, outward, groups), tuple(window), sure)


def _plain(part: StoredModule, beside: Neighbours) -> Guess:
    outward, each, *window = part.weight
    per_channel = each == 1 < outward  # also without a window: a scale for every channel
    groups, sure = _groups(part, beside) if per_channel or max(window) > 1 else (1, 0.97)
    if max(window) > 1 and outward == each and all(size % 2 == 0 for size in window):
        sure = min(sure, 0.75)  # as many channels, no middle: as well a transposed one
    if max(window) > 1 and UP.search(".".join(part.path.lower().split(".")[-2:])):
        sure = min(sure, 0.8)
    return _convolution(part, "Conv", (each * groups, outward, groups), tuple(window), sure)


def _groups(part: StoredModule, beside: Neighbours) -> tuple[int, float]:
    """How many groups a convolution with a window has, and how sure that is."""
    outward, each, *window = part.weight
    if each == 1 and len(window) > 1 and min(window) > 1 and max(window) > WIDE and len(set(window)) > 1:
        return 1, 0.9  # over all of one axis, as text is read: the width of its embedding
    if each == 1 and outward > 1:
        if beside.first and not DEPTHWISE.search(part.name):
            return 1, 0.7  # a picture of one colour, or a sound
        grows = beside.before and outward % beside.before == 0
        return (beside.before, 0.95 if beside.before == outward else 0.75) if grows else (outward, 0.75)
    if beside.before == outward > each and outward % each == 0 and beside.alike != each:
        return outward // each, 0.85
    if beside.first or beside.before == each or each in COLOURS:
        return 1, 0.97
    return 1, 0.95 if 8 * each > outward else 0.8


def _convolution(part: StoredModule, name: str, channels: tuple[int, int, int], window: Shape, sure: float) -> Guess:
    inward, outward, groups = channels
    bias = "bias" in part.shapes
    settings = (
        ("in_channels", inward),
        ("out_channels", outward),
        ("kernel_size", pair(window)),
        ("groups", groups),
        ("bias", bias),
    )
    words = listed(
        f"{inward}, {outward}, {by(window)}",
        f"groups={groups}" if groups > 1 else "",
        "" if bias else "bias=False",
        part.how,
        "quantized" if "zero_point" in part.shapes else "",
    )
    return Guess(f"{name}{len(window)}d", sure, settings, words)


def _bilinear(part: StoredModule, sure: float) -> Guess:
    outward, one, other = part.weight
    bias = "bias" in part.shapes
    settings = (("in1_features", one), ("in2_features", other), ("out_features", outward), ("bias", bias))
    return Guess("Bilinear", sure, settings, listed(f"{one}, {other}, {outward}", "" if bias else "bias=False"))
