"""What a reader of a backward pass must know beside its picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchatlas.capture.torch_private import HOOKS_ARE_SEEN, storage_of
from torchatlas.core.graph import Note
from torchatlas.core.measure.numbers import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from torchatlas.capture.backward.outputs import Start
    from torchatlas.core.graph import Value

DEEP = 20_000


@dataclass
class Remarks:
    """Collected while the graph is made.

    Attributes:
        freed: nodes whose saved tensors a backward has freed.
        copied: nodes of writes through views.
        written: saved tensors that were written since.
        unread: how many saved tensors a hook had packed.
        strange: the user named tensors and not one is a leaf, while leaves are without a name.
        unsure: how many nodes could be of two calls.
        threads: in how many threads the forward made nodes.
        depth: nodes on the longest way through the graph.
    """

    freed: list[int] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    unread: int = 0
    strange: bool = False
    unsure: int = 0
    threads: int = 1
    depth: int = 0
    _views: list[str] = field(default_factory=list)
    _written: list[str] = field(default_factory=list)
    _kept: list[Value] = field(default_factory=list)
    _new: set[int] = field(default_factory=set)  # ids of values
    _room: dict[int, int] = field(default_factory=dict)  # by storage, its bytes

    def start(self, root: Start) -> None:
        """An output that is a view of another tensor, or was written in place."""
        tensor = root.tensor
        base = tensor._base if tensor._is_view() else None
        if base is not None:
            said = f"{root.name} is a view of a tensor of shape {tuple(base.shape)} and shares its memory"
            self._views.append(said)
        if tensor.grad_fn is not None and tensor._version:
            self._written.append(f"{root.name} was changed in place after it was made")

    def keep(self, value: Value, tensor: Tensor, *, is_new: bool) -> None:
        """A saved tensor; a new one is held for the backward alone, as is another part of its memory."""
        self._kept.append(value)
        if is_new and (value.view_of is None or value.view_of in self._new):
            self._new.add(value.id)
        storage = storage_of(tensor)
        if storage is not None and value.storage is not None:
            self._room[value.storage] = storage.nbytes()

    def notes(self) -> tuple[Note, ...]:
        """One for each thing, at the first place where it is."""
        found = [Note(_first(said), 0) for said in (self._views, self._written) if said]
        if self.strange:
            said = "No tensor in params is a leaf of this graph. Leaves are found by identity"
            why = "state_dict() returns other tensor objects than the model's own"
            found.append(Note(f"{said}, and {why}: use dict(model.named_parameters())."))
        if self.copied:
            said = f"{_many(self.copied, 'in-place write')} went through a view (CopySlices)."
            found.append(Note(said, self.copied[0]))
        found += self._of_saved()
        if self.unsure:
            said = "made in one of several threads could not be matched to a call."
            found.append(Note(f"{_count(self.unsure, 'node')} {said}"))
        elif self.threads > 1:
            said = "Nodes that a thread made before the run may be mistaken for those of another thread in it."
            found.append(Note(said))
        if self.depth > DEEP:
            said = "torch frees nodes that Python has visited recursively, which needs a large stack"
            found.append(Note(f"The graph is {self.depth} nodes deep: {said} (threading.stack_size)."))
        return tuple(found)

    def _of_saved(self) -> list[Note]:
        found = []
        if self._kept:
            found.append(Note(self._bytes()))
        if self._kept and not HOOKS_ARE_SEEN:
            said = (
                "This version of torch does not say which saved tensors hooks have packed, so reading them ran"
                " the hooks."
            )
            found.append(Note(said))
        if self.written:
            said = (
                f"{_many(self.written, 'saved tensor')} changed in place since the forward: backward would fail there."
            )
            found.append(Note(said, self.written[0]))
        if self.unread:
            said = "packed by hooks (checkpointing, offloading) and not read, because reading would run the hooks."
            found.append(Note(f"{_count(self.unread, 'saved tensor')} {'was' if self.unread == 1 else 'were'} {said}"))
        if self.freed:
            nodes = list(dict.fromkeys(self.freed))
            said = "A backward pass has freed what was saved, so it cannot run again."
            found.append(Note(f"{said} This holds for {_many(nodes, 'node')}.", nodes[0]))
        return found

    def _bytes(self) -> str:
        whole, own = self._held(self._kept), self._held([value for value in self._kept if value.id in self._new])
        return (
            f"{_many(self._kept, 'tensor')} saved for the backward pass {'take' if len(self._kept) > 1 else 'takes'}"
            f" {size(whole)}; {size(own)} of that is in no known parameter, input or output."
        )

    def _held(self, values: Iterable[Value]) -> int:
        """Bytes of all of them; views of one memory are no more than it."""
        held: Counter[int] = Counter()
        for value in values:
            held[-1 - value.id if value.storage is None else value.storage] += value.nbytes or 0
        return sum(min(count, self._room.get(place) or count) for place, count in held.items())


def _first(said: Sequence[str]) -> str:
    """One for all of a kind: a cache of keys and values is made of views alone."""
    return said[0] + (f", and {_count(len(said) - 1, 'more output')} likewise." if len(said) > 1 else ".")


def _many(things: Sequence[object], word: str) -> str:
    return _count(len(things), word)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}"
