"""What the names of followed code stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.graph_builder import GraphBuilder, Step
    from torchatlas.readers.torchscript.code import Path
    from torchatlas.readers.torchscript.objects import PickledObject

MOST = 64
"""Items of a container that are told."""


class _Scalar:
    def __repr__(self) -> str:
        return "…"


SCALAR = _Scalar()
"""A number, a flag or a word that is known in a run alone."""


class Evaluator(Protocol):
    """What follows the code, as those who follow a part of it know it: conditions, lists, forks."""

    builder: GraphBuilder

    def value(self, told: ast.expr, frame: Frame) -> Any:
        """What an expression stands for."""

    def block(self, statements: Sequence[ast.stmt], frame: Frame) -> Ended | None:
        """Follow statements, up to the first that ends the function."""

    def assign(self, target: ast.expr, made: Any, frame: Frame) -> None:
        """Give a name, several names, or an attribute of a module what was made."""

    def call(self, name: Path, args: list[Any], named: dict[str, Any], frame: Frame) -> Any:
        """A function of the archive, an operator, or a named tuple, by its full name."""

    def enter(self, function: ast.FunctionDef, frame: Frame, args: list[Any], named: dict[str, Any]) -> Any:
        """What a function returns for these arguments."""

    def output(self, step: Step) -> int:
        """One more tensor that a call returns."""


class ScriptValue:
    """What a call returned: one tensor, or as many as the code takes from it."""

    def __init__(self, evaluator: Evaluator, step: Step | None, values: list[int]) -> None:
        self._evaluator, self.step, self._values = evaluator, step, values

    @property
    def value(self) -> int:
        """The first tensor."""
        return self._at(0)

    def part(self, at: int) -> ScriptValue:
        """One of several tensors; of a list whose length is not known, the last is the one before none."""
        if self.step is None:
            return self
        return ScriptValue(self._evaluator, None, [self._at(at if 0 <= at < MOST else 0)])

    def _at(self, at: int) -> int:
        if self.step is not None:
            while len(self.step.outputs) <= at:
                self._values.append(self._evaluator.output(self.step))
            return self._evaluator.builder.latest(self.step.outputs[at])
        return self._evaluator.builder.latest(self._values[min(at, len(self._values) - 1)])


@dataclass(frozen=True)
class Ended:
    """A function has ended: with a value, or by raising."""

    value: Any
    raised: bool = False


@dataclass(eq=False)
class Frame:
    """The names of one function that is being followed, and the call that it belongs to."""

    step: Step
    owner: PickledObject
    depth: int = 0
    names: dict[str, Any] = field(default_factory=dict)


def tensors_of(held: Any) -> list[int]:
    """The values in something, in order."""
    found: list[int] = []
    pending = [held]
    while pending:
        at = pending.pop()
        if isinstance(at, ScriptValue):
            found.append(at.value)
        elif isinstance(at, (list, tuple)):
            pending += reversed(at)
        elif isinstance(at, dict):
            pending += reversed(list(at.values()))
    return found


def tree_of(held: Any, slots: list[int], depth: int = 0) -> Tree:
    """Something as an argument or result; its tensors are appended to ``slots``."""
    if isinstance(held, ScriptValue):
        slots.append(held.value)
        return Slot(len(slots) - 1)
    if held is None or isinstance(held, (bool, int, float, str)):
        return held if not isinstance(held, str) else held[:1000]
    if depth > MOST or not isinstance(held, (list, tuple, dict)):
        return Text("…")
    if isinstance(held, dict):
        return Node("dict", tuple(map(str, held)), tuple(tree_of(one, slots, depth + 1) for one in held.values()))
    if len(held) > MOST and not tensors_of(held):
        return Text(f"{len(held)} numbers")
    return Node(type(held).__name__, (), tuple(tree_of(one, slots, depth + 1) for one in held))
