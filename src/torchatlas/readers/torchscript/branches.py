"""Conditions and loops of followed code."""

from __future__ import annotations

import ast
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from torchatlas.core.graph import Node, Slot
from torchatlas.readers.graph_builder import CONTROL_FLOW, structured
from torchatlas.readers.torchscript import builtin
from torchatlas.readers.torchscript.values import SCALAR, Ended, Frame, ScriptValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.readers.graph_builder import Step
    from torchatlas.readers.torchscript.lists import Lists, Mark
    from torchatlas.readers.torchscript.values import Evaluator


class Side(NamedTuple):
    """One of two ways that a run may go.

    Attributes:
        frame: its names.
        group: its calls.
        ended: how it ended, if it did.
        wrote: what it wrote into tensors from before, by these.
        tails: what it added to each list and dictionary.
    """

    frame: Frame
    group: Step
    ended: Ended | None
    wrote: dict[int, int]
    tails: list[list[Any]]


class Branches:
    """Follows conditions both ways, unless a constant decides, and loops once."""

    def __init__(self, evaluator: Evaluator, lists: Lists) -> None:
        self._evaluator, self._builder, self._lists = evaluator, evaluator.builder, lists

    def choose(self, told: ast.If, frame: Frame) -> Ended | None:
        """A condition. A branch that only raises is a check, and no branch."""
        test = self._evaluator.value(told.test, frame)
        if builtin.is_plain(test):
            return self._evaluator.block(told.body if test else told.orelse, frame)
        step = self._builder.step("function", "prim.If")
        if isinstance(test, ScriptValue):
            step.inputs, step.arguments = [test.value], Node("arguments", ("condition",), (Slot(0),))
        lists = self._lists.mark(frame)
        sides = [self._side(word, body, frame, lists) for word, body in (("then", told.body), ("else", told.orelse))]
        going = [side for side in sides if side.ended is None or not side.ended.raised]
        if len(going) == 1:
            frame.names = going[0].frame.names
            frame.step.children += going[0].group.children
            for before, after in going[0].wrote.items():
                self._builder.replace(before, after)
            for (items, _), tail in zip(lists, going[0].tails, strict=True):
                self._lists.put(items, tail)
            return going[0].ended
        if not going:
            return Ended(None, raised=True)
        return self._join(step, sides, lists, frame)

    def _side(self, word: str, body: Sequence[ast.stmt], frame: Frame, lists: Mark) -> Side:
        group = self._builder.step("group", word, derived=True)
        inner = Frame(group, frame.owner, frame.depth, dict(frame.names))
        mark = self._builder.mark()
        ended = self._evaluator.block(body, inner)
        return Side(inner, group, ended, self._builder.undo(mark), self._lists.take(lists))

    def _join(self, step: Step, sides: Sequence[Side], lists: Mark, frame: Frame) -> Ended | None:
        """The names after a condition, and what it returns."""
        then, otherwise = sides
        one, other, first, second = then.frame, otherwise.frame, then.ended, otherwise.ended
        step.children = [side.group for side in sides if side.group.children]
        inside = bool(step.children)
        for before in then.wrote | otherwise.wrote:  # in the order of the code, which a set would not keep
            met = self._meet(step, then.wrote.get(before, before), otherwise.wrote.get(before, before))
            self._builder.replace(before, met)
        self._lists.join(
            lists,
            [side.tails for side in sides],
            partial(self._merged, step),
            partial(self._outside, step) if inside else _itself,
        )
        names = {}
        for name in one.names | other.names:  # in the order of the code, which a set would not keep
            left, right = one.names.get(name, SCALAR), other.names.get(name, SCALAR)
            if left is right or name not in one.names or name not in other.names:
                names[name] = self.either(left, right)
            else:
                names[name] = self._merged(step, left, right)
        ended = None
        if first is not None and second is not None:
            ended = Ended(self._merged(step, first.value, second.value))
        elif first is not None or second is not None:
            ended = first or second
        frame.names = names
        if inside or step.children:
            step.returns = structured(step.outputs)
            frame.step.children.append(step)
            self._builder.note(CONTROL_FLOW)
        return ended

    def _merged(self, step: Step, left: Any, right: Any) -> Any:
        """One thing out of two: tensors meet in a ``merge``, containers item by item."""
        if isinstance(left, ScriptValue) and isinstance(right, ScriptValue):
            if left.value == right.value:
                return left
            return ScriptValue(self._evaluator, None, [self._meet(step, left.value, right.value)])
        if isinstance(left, ScriptValue) and isinstance(right, (list, tuple)):
            left = [left.part(at) for at in range(len(right))]
        elif isinstance(right, ScriptValue) and isinstance(left, (list, tuple)):
            right = [right.part(at) for at in range(len(left))]
        if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and len(left) == len(right):
            items = [self._merged(step, *pair) for pair in zip(left, right, strict=True)]
            return items if isinstance(left, list) else tuple(items)
        one = self.either(left, right)
        if isinstance(one, ScriptValue) and step.children:
            return ScriptValue(self._evaluator, None, [self._outside(step, one.value)])
        return one

    def _meet(self, step: Step, left: int, right: int) -> int:
        """What comes of either branch; ``merge`` stands where they meet again, and what decides goes there too."""
        merge = self._builder.step("function", "merge")
        merge.inputs = [*step.inputs, left, right]
        merge.arguments = Node("arguments", (), tuple(map(Slot, range(len(merge.inputs)))))
        merge.returns = Slot(0)
        step.children.append(merge)
        inner = self._builder.made(merge, self._builder.value("activation"))
        return self._builder.made(step, self._builder.value("activation", alias_of=inner))

    def either(self, left: Any, right: Any) -> Any:
        """Where only one side is a tensor, or known, that one; different constants are not known."""
        if isinstance(left, ScriptValue) or (right in (None, SCALAR) and not builtin.is_plain(left)):
            return left
        if isinstance(right, ScriptValue):
            return right
        return (
            left if left is right or (builtin.is_plain(left) and builtin.is_plain(right) and left == right) else SCALAR
        )

    def repeat(self, told: ast.For | ast.While, frame: Frame) -> Ended | None:
        """A loop: its body once, in which what it carries stands for every turn."""
        step = self._builder.step("function", "prim.Loop")
        turns: Any = None
        over: Any = SCALAR
        test = self._evaluator.value(told.test, frame) if isinstance(told, ast.While) else None
        if isinstance(test, ScriptValue):  # before the body, which may write into it
            step.inputs, step.arguments = [test.value], Node("arguments", ("condition",), (Slot(0),))
        if isinstance(told, ast.For):
            turns, over = self._turns(told, frame)
        inner = Frame(step, frame.owner, frame.depth, dict(frame.names))
        carried = {}
        for name in _assigned(told.body):
            before = inner.names.get(name)
            if isinstance(before, ScriptValue):
                known = self._builder.values[before.value]
                value = self._builder.value(
                    "activation", (), known.shape, known.dtype, known.nbytes, alias_of=before.value
                )
                self._builder.homes[value] = step
                carried[name] = inner.names[name] = ScriptValue(self._evaluator, None, [value])
            elif builtin.is_plain(before):
                inner.names[name] = SCALAR
        if isinstance(told, ast.For):
            self._evaluator.assign(told.target, over, inner)
        mark, lists = self._builder.mark(), self._lists.mark(inner)
        ended = self._evaluator.block(told.body, inner)
        outside = cache(partial(self._outside, step))  # a tensor leaves once, whatever stands for it
        self._lists.leave(lists, outside if step.children else _itself)
        for before, after in self._builder.undo(mark).items():
            self._builder.replace(before, outside(after))
        if not isinstance(test, ScriptValue):
            count = turns if isinstance(turns, int) else None
            step.arguments = Node("arguments", ("max_trip_count",), (count,))
        if not step.children:
            frame.names |= inner.names
            return None
        self._leave(step, inner, carried, outside, frame)
        return ended if ended is not None and not ended.raised else None

    def _turns(self, told: ast.For, frame: Frame) -> tuple[Any, Any]:
        """How many turns, where that is known, and what the first one is given."""
        call = told.iter
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range":
            bounds = [self._evaluator.value(one, frame) for one in call.args]
            return bounds[0] if len(bounds) == 1 else None, SCALAR
        items = self._evaluator.value(call, frame)
        if isinstance(items, (list, tuple)) and items:
            return len(items), items[0]
        return None, items.part(0) if isinstance(items, ScriptValue) else SCALAR

    def _leave(
        self, step: Step, inner: Frame, carried: dict[str, ScriptValue], outside: Callable[[int], int], frame: Frame
    ) -> None:
        for name, made in inner.names.items():
            before = frame.names.get(name, SCALAR)
            if made is before:
                continue
            if isinstance(made, ScriptValue) and made is not carried.get(name):
                frame.names[name] = ScriptValue(self._evaluator, None, [outside(made.value)])
            elif not isinstance(made, ScriptValue):
                frame.names[name] = made
        step.returns = structured(step.outputs)
        frame.step.children.append(step)
        self._builder.note(CONTROL_FLOW)

    def _outside(self, step: Step, value: int) -> int:
        """What of a loop's last turn goes on after it."""
        known = self._builder.values[value]
        outer = self._builder.value("activation", (), known.shape, known.dtype, known.nbytes, alias_of=value)
        return self._builder.made(step, outer)


def _itself(value: int) -> int:
    return value


def _assigned(body: Sequence[ast.stmt]) -> list[str]:
    """The names that statements give something new."""
    found: dict[str, None] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found[node.id] = None
    return list(found)
