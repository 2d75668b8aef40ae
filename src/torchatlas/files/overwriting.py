"""Files may replace files of the same kind; a model, or an index of weights, is never replaced."""

from __future__ import annotations

import os
from pathlib import Path

from torchatlas.core.errors import FileError
from torchatlas.files.sniff import ENOUGH, looks_like, text_of

EVENTS = "tfevents"
"""Part of the names of TensorBoard's files, which have no ending of their own."""
BINARY = {".atlas": b"atlas", ".png": b"PNG", ".pdf": b"%PDF", ".onnx": b""}
"""What stands in the first bytes of files that are no text, by the end of their name."""
SIGNS = 8
SPACES = frozenset("\t\n\r\f\x1b")
"""Characters of text that do not print; colours begin with the last."""
LARGEST = 1 << 28
"""Bytes of a JSON file that are looked through."""


def check_overwriting(path: Path, *, graph: bool = False) -> None:
    """Refuse to write over what is no file of the same kind; a link is what it leads to.

    Args:
        path: where a file is to be written; the end of its name says the kind.
        graph: whether a graph is going to be written, which may replace a graph in JSON.

    Raises:
        FileError: a model, an index of weights, or something else stands there; the message says what.
    """
    real = Path(os.path.realpath(path))
    if not real.is_file():
        return
    ending = path.suffix.lower()
    if real.suffix.lower() != ending:
        raise FileError(f"{path} is a link to {real}, which is no {ending or 'such'} file. Write to another name.")
    if EVENTS in path.name:
        return
    try:
        with real.open("rb") as file:
            head = file.read(ENOUGH)
            whole = head + file.read(LARGEST) if ending == ".json" else head
    except OSError:  # it may be written all the same, or the writer says why not
        return
    what = _holds(ending, head, whole, graph=graph)
    if what:
        raise FileError(f"{path} holds {what}, which would be lost. Write to another name, or remove that file first.")


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by links, other spellings, or a file system that takes cases for equal."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _holds(ending: str, head: bytes, whole: bytes, *, graph: bool) -> str:
    """What a file holds that must not be lost; empty where it may be replaced."""
    if not _is_text(head):
        sign = BINARY.get(ending)
        return looks_like(head) if sign is None or sign not in head[:SIGNS] else ""
    if ending != ".json":
        return ""
    if b'"weight_map"' in whole:
        return "the index of weights in several files"
    if not graph and b'"calls":' in whole and b'"modules":' in whole:
        return "a graph that torchatlas wrote"
    return ""


def _is_text(head: bytes) -> bool:
    text = text_of(head)
    return text is not None and all(character >= " " or character in SPACES for character in text)
