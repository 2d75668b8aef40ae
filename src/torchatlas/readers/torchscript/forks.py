"""Work that followed code starts and waits for: ``fork`` and ``wait``, and what is written alike.

A fork is followed where the code starts it, and a future stands for what that work returns: so ``wait`` gives what it
is asked to wait for, and lists of futures, futures that functions return, and waiting twice need nothing of their own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node
from torchatlas.readers.torchscript import builtin
from torchatlas.readers.torchscript.code import Path
from torchatlas.readers.torchscript.values import Frame, ScriptValue, tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.readers.torchscript.values import Evaluator


STARTS = frozenset({"fork", "awaitable", "rpc_async", "rpc_sync", "rpc_remote"})
"""Words of the code that start work."""
LATE = "Work of torch.jit._awaitable is shown where it is created; a run does it at the first wait, or never."
WAITS: Mapping[str, int] = {
    "torch.wait": 0,
    "ops.aten.wait": 0,
    "ops.prim.awaitable_wait": 0,
    "ops.prim.awaitable_nowait": 0,
    "ops.profiler._call_end_callbacks_on_jit_fut": 1,
}
"""Operators that give a future, or what it stands for, each with the position of that argument."""


@dataclass(frozen=True, eq=False)
class Closure:
    """A function inside a function, and what it reads of the names around it."""

    function: ast.FunctionDef
    names: Mapping[str, Any]


def closure(function: ast.FunctionDef, frame: Frame) -> Closure:
    """A function where it is defined; names around it may stand for something else by the time it runs."""
    read = dict.fromkeys(
        node.id for node in ast.walk(function) if isinstance(node, ast.Name)
    )  # in order, as of the code
    return Closure(function, {name: frame.names[name] for name in read if name in frame.names})


class Forks:
    """Follows work where it is started."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self._builder = evaluator, evaluator.builder

    def start(self, name: str, args: Sequence[Any], named: dict[str, Any], frame: Frame) -> Any:
        """What the work returns that is started here; a call of unknown arithmetic where its code is elsewhere."""
        work, rest = (args[0] if args else None), list(args[1:])
        if name == "awaitable":
            self._builder.note(LATE)
        if isinstance(work, Closure):
            inner = Frame(frame.step, frame.owner, frame.depth + 1, dict(work.names))
            return self._evaluator.enter(work.function, inner, rest, named)
        if name in {"fork", "awaitable"} and isinstance(work, Path):
            return self._evaluator.call(work, rest, named, frame)
        return self._unseen(f"prim.{name}", args, named, frame)

    def _unseen(self, name: str, args: Sequence[Any], named: dict[str, Any], frame: Frame) -> ScriptValue:
        step = self._builder.step("function", name)
        step.arithmetic = "unknown"
        items = tuple(tree_of(one, step.inputs) for one in (*args, *named.values()))
        step.arguments = Node("arguments", (*(f"args[{at}]" for at in range(len(args))), *named), items)
        frame.step.children.append(step)
        self._builder.note(f"The archive does not say which calls {name} stands for, so they are not counted.", step)
        return ScriptValue(self._evaluator, step, [])

    def wait(self, name: str, args: Sequence[Any], frame: Frame) -> Any:
        """What a future stands for; UNKNOWN for other operators, a call of unknown arithmetic for work from outside."""
        at = WAITS.get(name)
        if at is None or at >= len(args):
            return builtin.UNKNOWN
        future = args[at]
        if isinstance(future, ScriptValue) and "Future[" in self._builder.values[future.value].type:
            return self._unseen(
                builtin.full_name(name), [future], {}, frame
            )  # it goes into the model, and began before
        return future
