"""The shape of a packed weight is worked out from the names, shapes and dtypes of the tensors that hold it.

A layer of 512 inputs and 256 outputs, quantised by GPTQ to 4 bits, so 8 numbers in each int32:

>>> originals({"qweight": ((64, 256), "int32"), "scales": ((4, 256), "float16"), "qzeros": ((4, 32), "int32")})
{'qweight': (256, 512)}

GPTQ packs along the inputs, ``qweight`` (in / n, out); AWQ along the outputs, (in, out / n). ``scales`` ends in the
number of outputs, ``qzeros`` in outputs / n. MXFP4 keeps ``…_blocks`` (…, blocks, bytes), two numbers in a byte, beside
``…_scales`` (…, blocks); NVFP4 keeps two in each byte of ``weight_packed``.

Sources: GPTQ https://arxiv.org/abs/2210.17323, AWQ https://arxiv.org/abs/2306.00978, MXFP4
https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Form: TypeAlias = "tuple[tuple[int, ...], str]"
"""Shape and dtype."""

BLOCKS, SCALES, BYTES = "_blocks", "_scales", "weight_packed"
PACKED = ("qweight", BLOCKS, BYTES)
"""How the names of packed tensors end."""


def originals(tensors: Mapping[str, Form]) -> dict[str, tuple[int, ...]]:
    """The shapes of packed weights by the name of the tensor that has their numbers.

    Args:
        tensors: those that one module registers, by its own names for them.
    """
    found = {name: _two_in_a_byte(name, tensors) for name in tensors if name.endswith((BLOCKS, BYTES))}
    if "qweight" in tensors:
        found["qweight"] = _integers(tensors)
    return {name: shape for name, shape in found.items() if shape is not None}


def _two_in_a_byte(name: str, tensors: Mapping[str, Form]) -> tuple[int, ...] | None:
    shape, dtype = tensors[name]
    if dtype != "uint8" or len(shape) < 2:  # noqa: PLR2004 - a matrix
        return None
    if name.endswith(BLOCKS):
        scales, _ = tensors.get(name.removesuffix(BLOCKS) + SCALES, ((), ""))
        return (*shape[:-2], shape[-2] * shape[-1] * 2) if scales == shape[:-1] else None
    return (*shape[:-1], shape[-1] * 2)


def _integers(tensors: Mapping[str, Form]) -> tuple[int, ...] | None:
    """(out, in) of a layer of GPTQ or AWQ."""
    (shape, _), (scales, _), (zeros, _) = (tensors.get(name, ((), "")) for name in ("qweight", "scales", "qzeros"))
    order, _ = tensors.get("g_idx", ((), ""))
    if len(shape) != 2 or not scales:  # noqa: PLR2004 - rows and columns
        return None
    rows, columns = shape
    outputs = scales[-1]
    if columns == outputs:
        if len(order) == 1 and order[0]:
            return (outputs, order[0])
        packed = zeros[-1] if zeros and zeros[-1] < outputs else 0  # as wide as the scales, they tell nothing
        return (outputs, rows * outputs // packed) if packed and rows * outputs % packed == 0 else None
    return (outputs, rows) if zeros and zeros[-1] == columns else None
