"""The modules that the nodes of an ONNX graph were in, as far as their exporter wrote it down.

Three ways are known: the metadata of PyTorch's exporter, names as its older exporter wrote them
(``/layer1/layer1.0/conv1/Conv``), and names with slashes as TensorFlow and Keras write them (``model/conv1/Conv2D``).
"""

from __future__ import annotations

import ast
import re
from itertools import takewhile
from typing import TYPE_CHECKING

from torchatlas.readers.module_scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from onnx import NodeProto

SCOPES, CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
HOOK = "_empty_nn_module_stack_from_metadata_hook"
"""The scope of nodes that torch.export made for itself, to compute sizes: no module."""
SHARE = 0.6
"""Of the named nodes, how many must have a slash for it to mean anything."""
LONGEST = 20_000
AGAIN = re.compile(r"(.+)_(\d+)$")


class Hierarchy:
    """The modules of one file.

    Args:
        nodes: all nodes of the main graph.
        weights: names of what the file holds.
    """

    def __init__(self, nodes: Sequence[NodeProto], weights: Collection[str]) -> None:
        self.root = ""
        self._known: dict[str, tuple[Scope, ...]] = {}
        names = [node.name for node in nodes if node.name]
        slashed = [name for name in names if "/" in name]
        started = [name for name in slashed if name.startswith("/")]
        self._torch = len(started) > SHARE * len(slashed)
        self._slashes = bool(slashed) and (self._torch or len(slashed) > SHARE * len(names))
        self._held = {path for name in weights for path in _around(name)}
        self._metadata = any(map(_told, nodes))
        self._scopes = {_segments(name)[:depth] for name in slashed for depth in range(1, name.count("/"))}

    def along(self, nodes: Sequence[NodeProto]) -> list[tuple[Scope, ...]]:
        """The modules around each of the nodes that stand one after the other in a graph.

        A node that the exporter made for itself says nothing: it is in the modules that both its neighbours are in.
        """
        known = [self.of(node) if _told(node) or not self._metadata else None for node in nodes]
        following: list[tuple[Scope, ...]] = []
        after: tuple[Scope, ...] = ()
        for own in reversed(known):
            after = after if own is None else own
            following.append(after)
        found: list[tuple[Scope, ...]] = []
        before: tuple[Scope, ...] = ()
        for own, after in zip(known, reversed(following), strict=True):
            before = before if own is None else own
            found.append(_shared(before, after) if own is None else own)
        return found

    def of(self, node: NodeProto) -> tuple[Scope, ...]:
        """The modules around a node, the outermost first, the model itself left out."""
        told = {prop.key: prop.value for prop in node.metadata_props if prop.key in {SCOPES, CLASSES}}
        if SCOPES in told:
            key = told[SCOPES] + told.get(CLASSES, "")
            if key not in self._known:
                self._known[key] = self._from_metadata(told[SCOPES], told.get(CLASSES, "[]"))
            return self._known[key]
        if not self._slashes or "/" not in node.name:
            return ()
        around = node.name.rpartition("/")[0]
        if around not in self._known:
            segments = _segments(node.name)[:-1]
            self._known[around] = self._from_torch(segments) if self._torch else _from_slashes(segments)
        return self._known[around]

    def _from_metadata(self, scopes: str, classes: str) -> tuple[Scope, ...]:
        """Paths and classes of the modules; the last of each is the operation itself."""
        paths, names = _strings(scopes)[:-1], _strings(classes)[:-1]
        names += [""] * (len(paths) - len(names))
        found = []
        for path, name in zip(paths, names, strict=False):
            own = name.rpartition(".")[2]
            if path == "":
                self.root = self.root or own
            else:
                key, _, turn = path.partition("@")
                found.append(Scope(path if turn else key, key, own))
        return tuple(found)

    def _from_torch(self, segments: tuple[str, ...]) -> tuple[Scope, ...]:
        """A name repeats its parent's where that is a list: ``layer1/layer1.0`` is the path ``layer1.0``.

        A module that is called again has a number more: ``relu_1``, unless that is the name of one that holds weights.
        """
        found: list[Scope] = []
        path, before = "", ""
        for depth, segment in enumerate(segments):
            base = self._first_call(segments[:depth], segment)
            own = base.removeprefix(f"{before}.") if before else base
            path = f"{path}.{own}" if path else own
            found.append(Scope("/".join(segments[: depth + 1]), path))
            before = base
        return tuple(found)

    def _first_call(self, around: tuple[str, ...], segment: str) -> str:
        again = AGAIN.match(segment)
        if again is None or any(path == segment or path.endswith(f".{segment}") for path in self._held):
            return segment
        first = (*around, again[1])
        return again[1] if first in self._scopes else segment


def _told(node: NodeProto) -> bool:
    """Whether the metadata of PyTorch's exporter say where it was."""
    return any(prop.key == SCOPES and HOOK not in prop.value for prop in node.metadata_props)


def _shared(one: tuple[Scope, ...], other: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """The modules that both are in, the outermost first."""
    pairs = takewhile(lambda pair: pair[0].key == pair[1].key, zip(one, other, strict=False))
    return tuple([first for first, _ in pairs])


def _segments(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.split("/") if part)


def _from_slashes(segments: tuple[str, ...]) -> tuple[Scope, ...]:
    paths = [".".join(segments[: depth + 1]) for depth in range(len(segments))]
    return tuple(Scope(path, path) for path in paths)


def _strings(told: str) -> list[str]:
    """A list of strings in Python's spelling, as the exporter writes it; empty where it is anything else."""
    if len(told) > LONGEST:
        return []
    try:
        found = ast.literal_eval(told)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def _around(name: str) -> list[str]:
    """The paths of the modules around a weight."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]
