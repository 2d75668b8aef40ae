"""ONNX models: ``.onnx`` files, read without their weights.

Source: https://github.com/onnx/onnx/blob/main/docs/IR.md
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError, MissingError
from torchatlas.core.version import __version__
from torchatlas.readers.wire import is_onnx, without_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torchatlas.core.graph import Graph
    from torchatlas.readers.registry import Content


def handles(content: Content) -> bool:
    """Whether a file is an ONNX model, as far as its outermost fields tell; the package `onnx` is not needed."""
    return is_onnx(content.source.path)


def read(path: Path) -> Graph:
    """Read the graph of an ONNX model; weights, in the file or beside it, are not loaded.

    Raises:
        FileError: it is damaged, or its nodes or functions go round in circles.
        MissingError: the package `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401, PLC0415  # an extra, needed for these files alone
    except ImportError as error:
        raise MissingError(
            f"{path} is an ONNX model, which needs the package onnx: pip install 'torchatlas[onnx]'."
        ) from error
    from google.protobuf.message import (  # type: ignore[import-untyped]  # noqa: PLC0415  # comes with onnx
        DecodeError,
    )

    from torchatlas.readers.onnx.model import Model  # noqa: PLC0415  # imports onnx

    try:
        model = Model.of(without_weights(path), path.stem)
    except DecodeError as error:
        raise FileError(
            f"{path} looks like an ONNX model and is damaged or cut short: {error}. Copy it again from where it came."
        ) from error
    return model.graph(replace(model.origin(), torchatlas=__version__, reader="onnx"))
