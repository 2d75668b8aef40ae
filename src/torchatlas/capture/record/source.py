"""Where in the user's code a call was made.

A frame is remembered as (code object, last instruction) in about a microsecond and decoded into lines and columns only
once the run is over.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import torch

from torchatlas.capture.objects.identity_cache import IdentityCache
from torchatlas.core.graph import Source

if TYPE_CHECKING:
    from types import CodeType, FrameType

Place: TypeAlias = "tuple[CodeType, int]"

_OURS = __file__.removesuffix(os.path.join("capture", "record", "source.py"))  # noqa: PTH118  # as below
_NOT_THE_USERS = (os.path.dirname(torch.__file__) + os.sep, _OURS)  # noqa: PTH120  # compared with co_filename, a string
_GENERATED = ("<eval_with_key", "<frozen", "<__array_function__")
_skipped: dict[str, bool] = {}  # by the name of the file


def place_of(frame: FrameType | None, entry: CodeType, around: Place | None) -> Place | None:
    """The innermost frame, from ``frame`` outwards, that belongs neither to torch nor to torchatlas.

    Where the way outwards meets ``entry``, the code that runs the call around this one, the place is that call's.
    """
    while frame is not None:
        code = frame.f_code
        if code is entry:
            return around
        skip = _skipped.get(code.co_filename)
        if skip is None:
            skip = _skips(code.co_filename)
        if not skip:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def _skips(file: str) -> bool:
    if file.startswith(_GENERATED):  # each with a name of its own
        return True
    skips = _skipped[file] = file.startswith(_NOT_THE_USERS)
    return skips


_sources: IdentityCache[CodeType, dict[int, Source]] = IdentityCache(lambda _: {})  # by instruction


def resolve(place: Place) -> Source:
    """Lines from 1, columns from 0 in bytes (Python >= 3.11; the line alone before)."""
    code, instruction = place
    sources = _sources.of(code)
    source = sources.get(instruction)
    if source is None:
        source = sources[instruction] = _decoded(code, instruction)
    return source


def _decoded(code: CodeType, instruction: int) -> Source:
    if not hasattr(code, "co_positions"):
        return Source(code.co_filename, _line(code, instruction))
    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    return Source(code.co_filename, line or code.co_firstlineno, column, end_line, end_column)


def _line(code: CodeType, instruction: int) -> int:
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return line
