"""Lists and dictionaries that conditions and loops fill, and items of which only a run decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node
from torchatlas.readers.torchscript import builtin
from torchatlas.readers.torchscript.values import SCALAR, ScriptValue, tensors_of, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torchatlas.readers.torchscript.values import Evaluator, Frame

Mark = list[tuple["list[Any] | dict[Any, Any]", int]]
"""Containers, each with the number of its items."""
PARTS: dict[str, Callable[[dict[Any, Any]], Iterable[Any]]] = {
    "keys": lambda items: (key if builtin.is_plain(key) else SCALAR for key in items),
    "values": lambda items: items.values(),
    "items": lambda items: ((key if builtin.is_plain(key) else SCALAR, item) for key, item in items.items()),
}
"""What is asked of a dictionary, and answered with a list."""
NOTE = "Only a run decides which item of a list is read."


class _Key:
    """A key that is known in a run alone."""

    def __repr__(self) -> str:
        return repr(SCALAR)


class Lists:
    """Knows which containers have items of which a run alone decides; of these every item may be any."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self._builder = evaluator, evaluator.builder
        self._open: dict[int, Any] = {}  # with the containers, or else their ids would be given anew

    def is_open(self, items: Any) -> bool:
        """Whether only a run decides how many items it has, or where they are."""
        return id(items) in self._open

    def _set_open(self, items: Any) -> None:
        self._open[id(items)] = items

    @staticmethod
    def mark(frame: Frame) -> Mark:
        """The containers that have a name, before code that may go several ways."""
        named = {id(one): one for one in frame.names.values() if isinstance(one, (list, dict))}
        return [(one, len(one)) for one in named.values()]

    @staticmethod
    def take(mark: Mark) -> list[list[Any]]:
        """Take off what was added since to the end of each; of dictionaries as keys with what they stand for."""
        tails = []
        for items, length in mark:
            if isinstance(items, dict):
                keys = list(items)[length:] if len(items) > length else []
                tails.append([(key, items.pop(key)) for key in keys])
            else:
                tails.append(items[length:])
                del items[length:]
        return tails

    @staticmethod
    def put(items: list[Any] | dict[Any, Any], tail: list[Any]) -> None:
        """Add to the end what `take` took off."""
        if isinstance(items, dict):
            items.update(tail)
        else:
            items += tail

    def leave(self, mark: Mark, outside: Callable[[int], int]) -> None:
        """After a loop: what it added, as it is known around the loop; how often it did, is not."""
        for (items, _), tail in zip(mark, self.take(mark), strict=True):
            if tail:
                self.put(items, [self._moved(one, outside) for one in tail])
                self._set_open(items)

    def join(
        self,
        mark: Mark,
        tails: Sequence[list[list[Any]]],
        merged: Callable[[Any, Any], Any],
        outside: Callable[[int], int],
    ) -> None:
        """After a condition: what either branch added, item by item; where they differ in number, a run decides."""
        for (items, _), one, other in zip(mark, *tails, strict=True):
            if isinstance(items, dict):
                first, second = dict(one), dict(other)
                both = [(key, merged(first[key], second[key])) for key in first if key in second]
                alone = [pair for pair in (*one, *other) if pair[0] not in first or pair[0] not in second]
            else:
                both = [merged(*pair) for pair in zip(one, other, strict=False)]
                alone = max(one, other, key=len)[len(both) :]
            self.put(items, [*both, *(self._moved(each, outside) for each in alone)])
            if alone:
                self._set_open(items)

    def _moved(self, one: Any, outside: Callable[[int], int]) -> Any:
        if isinstance(one, ScriptValue):
            return ScriptValue(self._evaluator, None, [outside(one.value)])
        if not isinstance(one, (list, tuple)):
            return one
        items = [self._moved(item, outside) for item in one]
        if self.is_open(one):
            self._set_open(items)
        return items if isinstance(one, list) else tuple(items)

    def answer(self, name: str, args: list[Any], frame: Frame) -> Any:
        """As `builtin.answer`, for containers of whose items a run decides too."""
        first = args[0] if args else None
        if isinstance(first, dict) and name in PARTS:
            return self._like([first], list(PARTS[name](first)))
        if name == "_set_item" and len(args) > 2 and not builtin.is_plain(args[1]):  # noqa: PLR2004 - container, key, item
            return self._set_somewhere(first, args[2])
        if not any(self.is_open(one) for one in args):
            return builtin.answer(name, args)
        if name == "len":
            return SCALAR
        if name in {"pop", "__getitem__"}:
            return self.any_of(first, frame)
        return self._like(args, builtin.answer(name, args))

    def _like(self, args: Sequence[Any], answer: Any) -> Any:
        """A list out of others: open where one of them is."""
        if isinstance(answer, list) and any(self.is_open(one) for one in args):
            self._set_open(answer)
        return answer

    def _set_somewhere(self, items: Any, item: Any) -> Any:
        if isinstance(items, (list, dict)):
            self.put(items, [(_Key(), item)] if isinstance(items, dict) else [item])
            self._set_open(items)
        return items if isinstance(items, (list, dict)) else SCALAR

    def any_of(self, container: Any, frame: Frame) -> Any:
        """One item, where only a run decides which: a call that reads them all."""
        items = list(container.values()) if isinstance(container, dict) else container
        if len(items) == 1 or all(one is items[0] for one in items):
            return items[0] if items else SCALAR
        if all(isinstance(one, tuple) for one in items) and len({len(one) for one in items}) == 1:
            return tuple(self.any_of(each, frame) for each in zip(*items, strict=True))
        if not tensors_of(items):
            return SCALAR
        step = self._builder.step("function", "aten.__getitem__")
        step.arguments = Node("arguments", ("list", "idx"), (tree_of(list(items), step.inputs), tree_of(SCALAR, [])))
        frame.step.children.append(step)
        self._builder.note(NOTE)
        return ScriptValue(self._evaluator, step, [])
