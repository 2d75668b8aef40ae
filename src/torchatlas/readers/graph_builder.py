"""A graph while a file is being read: calls as a tree, values, modules; ids are given when all is known.

A reader makes a `Step` for each call, hangs it below another, and says which values it reads and makes. Which values
go in and out of a module call is found at the end, from what is read and made inside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from torchatlas.core.check import problems
from torchatlas.core.errors import FileError
from torchatlas.core.graph import Call, Graph, Module, Node, Note, Slot, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.graph import Arithmetic, CallKind, Provenance, Source, Tree, ValueKind

HELD = frozenset({"parameter", "buffer", "constant"})
NOTHING = Node("arguments", (), ())
DEEPEST_VIEW = 64
"""Views of views that are followed to what they show, when one is written."""
MOST_CALLS = 1_000_000
"""A file that says more calls than these is taken for a bomb: functions that call functions multiply."""
CONTROL_FLOW = "Both branches of an `if` and one iteration of each loop are counted."
"""What is noted of a program with conditions or loops."""


@dataclass(eq=False, slots=True)
class Step:
    """A call in the making.

    Attributes:
        kind, name, path, inputs, outputs, arguments, returns, writes, flops, arithmetic, source: as in ``Call``.
        children: what runs inside, in order.
        derived: inputs and outputs are found from what is inside.
        id: given at the end.
    """

    kind: CallKind
    name: str
    path: str | None = None
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    arguments: Node = NOTHING
    returns: Tree = None
    writes: list[int] = field(default_factory=list)
    flops: int = 0
    arithmetic: Arithmetic = "movement"
    source: Source | None = None
    children: list[Step] = field(default_factory=list)
    derived: bool = False
    id: int = -1
    last: int = -1

    def holds(self, other: Step | None) -> bool:
        """Whether the other runs inside it, or is it; once ids are given."""
        return other is not None and self.id <= other.id <= self.last


@dataclass(eq=False, slots=True)
class ModuleRecord:
    """A module in the making; as ``Module``."""

    name: str = ""
    parameters: dict[str, int] = field(default_factory=dict)
    buffers: dict[str, int] = field(default_factory=dict)
    settings: tuple[tuple[str, Tree], ...] = ()
    training: bool = False
    opaque: bool = False


class GraphBuilder:
    """Everything that is known of the graph so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = Step("module", name, "")
        self.values: list[Value] = []
        self.makers: list[Step | None] = []
        self.homes: dict[int, Step] = {}
        self.parts: dict[str, ModuleRecord] = {"": ModuleRecord(name)}
        self.notes: dict[str, Step | None] = {}
        self.steps = 1
        self._first: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._journal: list[tuple[int, int | None]] = []

    def value(
        self,
        kind: ValueKind,
        names: Iterable[str] = (),
        shape: Sequence[int] | None = None,
        dtype: str = "",
        nbytes: int | None = None,
        device: str = "",
        **more: Any,
    ) -> int:
        """Add a value, with ``more`` fields of `Value`.

        A shape of None is one that the file does not say: it becomes () with bytes of None.
        """
        known = () if shape is None else tuple(shape)
        self.values.append(Value(len(self.values), kind, tuple(names), known, dtype, device, nbytes, **more))
        self.makers.append(None)
        return len(self.values) - 1

    def change(self, value: int, **fields: Any) -> None:
        """Give fields of a value other contents."""
        self.values[value] = replace(self.values[value], **fields)

    def step(self, kind: CallKind, name: str, path: str | None = None, *, derived: bool = False) -> Step:
        """Make a call, to be hung below another.

        Raises:
            FileError: there are more than can be meant.
        """
        self.steps += 1
        if self.steps > MOST_CALLS:
            raise FileError(f"it unfolds to more than {MOST_CALLS:,} calls, which no model needs.")
        return Step(kind, name, path, derived=derived)

    def made(self, step: Step, value: int, slot: int | None = None) -> int:
        """Say that a value is the next output of a call, or the one at ``slot``."""
        if slot is None:
            step.outputs.append(value)
            slot = len(step.outputs) - 1
        self.values[value] = replace(self.values[value], slot=slot)
        self.makers[value] = step
        return value

    def latest(self, value: int) -> int:
        """The version of a tensor that stands now, after all that was written into it."""
        return self._written.get(self._first.get(value, value), value)

    def write(self, step: Step, value: int) -> int:
        """Say that a call writes into a tensor: a new version of it, and of each tensor that it is a view of."""
        found: list[int] = []
        at: int | None = value
        while at is not None and len(found) < DEEPEST_VIEW:
            first = self._first.get(at, at)
            old = self.values[self.latest(at)]
            new = self.value("activation", (), old.shape, old.dtype, old.nbytes, old.device, previous=old.id)
            self.makers[new] = step
            step.writes.append(new)
            self._first[new] = first
            self._stands(first, new)
            found.append(new)
            view = self.values[first]
            at = view.view_of if view.view_of is not None else view.alias_of
        return found[0]

    def _stands(self, first: int, version: int | None) -> None:
        self._journal.append((first, self._written.get(first)))
        if version is None:
            self._written.pop(first, None)
        else:
            self._written[first] = version

    def mark(self) -> tuple[int, int]:
        """Where one of several ways begins that a run may go."""
        return len(self._journal), len(self.values)

    def undo(self, mark: tuple[int, int]) -> dict[int, int]:
        """Take back what was written since into tensors that there were before: their versions, by the ones before."""
        start, known = mark
        before: dict[int, int | None] = {}
        for first, old in self._journal[start:]:
            if first < known:
                before.setdefault(first, old)
        found = {}
        for first, old in before.items():
            new = self._written.get(first)
            if new is not None and new != old:  # else a branch inside has taken it back
                found[old if old is not None else first] = new
                self._stands(first, old)
        return found

    def replace(self, value: int, by: int) -> None:
        """Say that another value stands for a tensor from now on."""
        first = self._first.get(value, value)
        self._first[by] = first
        self._stands(first, by)

    def part(self, path: str, name: str = "") -> ModuleRecord:
        """The module at a path, made with the modules around it where it is new."""
        known = self.parts.get(path)
        if known is None:
            around = path
            while around and around not in self.parts:
                self.parts[around] = ModuleRecord()
                around = around.rpartition(".")[0]
            known = self.parts[path]
        if name and not known.name:
            known.name = name
        return known

    def own(self, path: str, name: str, value: int) -> None:
        """Say which module holds a parameter or a buffer."""
        part = self.part(path)
        held = part.parameters if self.values[value].kind == "parameter" else part.buffers
        held.setdefault(name, value)

    def note(self, text: str, step: Step | None = None) -> None:
        """Say something that the reader must know."""
        self.notes.setdefault(text, step)

    def graph(self, provenance: Provenance) -> Graph:
        """The graph, well formed.

        Raises:
            FileError: what the file says does not make one.
        """
        _name_containers(self)
        order = _number(self.root)
        for step in order:
            if step.path is not None and step is not self.root:
                step.name = self.parts[step.path].name
        _cross(self, order)
        parents = {child.id: step.id for step in order for child in step.children}
        calls = tuple(_call(step, parents.get(step.id)) for step in order)
        values, modules = _values(self, order), _modules(self)
        graph = Graph(self.name, calls, values, modules, tuple(_notes(self)), provenance=provenance)
        fault = next(problems(graph), None)
        if fault is not None:
            raise FileError(f"what it says does not fit together: {fault}.")
        return graph


def _number(root: Step) -> list[Step]:
    """All calls, each before what runs inside it."""
    order: list[Step] = []
    pending: list[tuple[Step, bool]] = [(root, False)]
    while pending:
        step, left = pending.pop()
        if left:
            step.last = len(order) - 1
            continue
        step.id = len(order)
        order.append(step)
        pending.append((step, True))
        pending += [(child, False) for child in reversed(step.children)]
    return order


def _cross(builder: GraphBuilder, order: list[Step]) -> None:
    """Find what goes in and out of the calls that are derived: what is read inside and made outside, and reversed."""
    around: list[Step | None] = [None] * len(order)
    for step in order:
        for child in step.children:
            around[child.id] = step
    derived = [step for step in order if step.derived]
    entered: dict[int, dict[int, None]] = {step.id: {} for step in derived}
    left: dict[int, dict[int, None]] = {step.id: {} for step in derived}
    for step in order[1:]:
        for value in () if step.derived else dict.fromkeys(step.inputs):
            if builder.values[value].kind not in HELD:
                maker = builder.makers[value] or builder.homes.get(value)
                _climb(value, around[step.id], maker, around, entered)
                _climb(value, _above(maker, around), step, around, left)
        for value in step.outputs if step.children and not step.derived else ():  # of a loop: what its body hands on
            inner = builder.values[value].alias_of
            maker = builder.makers[inner] if inner is not None else None
            if inner is not None and step.holds(maker):
                _climb(inner, _above(maker, around), step, around, left)
    for value in builder.root.outputs:
        _climb(value, _above(builder.makers[value], around), builder.root, around, left)
    for step in derived:
        _settle(builder, step, list(entered[step.id]), list(left[step.id]))


def _above(step: Step | None, around: list[Step | None]) -> Step | None:
    return around[step.id] if step is not None else None


def _climb(
    value: int,
    start: Step | None,
    other: Step | None,
    around: list[Step | None],
    crossed: dict[int, dict[int, None]],
) -> None:
    """From ``start`` outwards, until a call that holds the other end too: the value crosses these."""
    at = start
    while at is not None and not at.holds(other) and at.id != 0:
        known = crossed.get(at.id)
        if known is not None:
            if value in known:
                return
            known[value] = None
        at = around[at.id]


def _settle(builder: GraphBuilder, step: Step, entered: list[int], left: list[int]) -> None:
    step.inputs, step.outputs = entered, left
    keys = (
        ("input",) if len(entered) == 1 else tuple(_first_name(builder, value, at) for at, value in enumerate(entered))
    )
    if len(set(keys)) < len(keys):
        keys = tuple(f"args[{at}]" for at in range(len(entered)))
    step.arguments = Node("arguments", keys, tuple(map(Slot, range(len(entered)))))
    step.returns = structured(left)


def _first_name(builder: GraphBuilder, value: int, at: int) -> str:
    names = builder.values[value].names
    return names[0] if names else f"args[{at}]"


def structured(values: Sequence[int]) -> Tree:
    """One tensor as it is, several as a tuple."""
    if not values:
        return None
    return Slot(0) if len(values) == 1 else Node("tuple", (), tuple(map(Slot, range(len(values)))))


def _call(step: Step, parent: int | None) -> Call:
    return Call(
        step.id,
        step.kind,
        step.name,
        step.path,
        parent,
        tuple(step.inputs),
        tuple(step.outputs),
        step.arguments,
        step.returns,
        tuple(step.writes),
        step.flops,
        step.arithmetic,
        step.source,
    )


def _values(builder: GraphBuilder, order: list[Step]) -> tuple[Value, ...]:
    """The values with their makers; what the run returns is an output."""
    returned = set(builder.root.outputs)
    there = set(map(id, order))
    found = []
    for value, maker in zip(builder.values, builder.makers, strict=True):
        kind = "output" if value.id in returned and value.kind == "activation" else value.kind
        attached = maker if maker is not None and id(maker) in there else None
        slot = value.slot if attached is not None else None
        found.append(replace(value, kind=kind, producer=attached.id if attached is not None else None, slot=slot))
    return tuple(found)


def _name_containers(builder: GraphBuilder) -> None:
    """Modules that only hold others: a list where these are numbered."""
    inside: dict[str, list[str]] = {}
    for path in builder.parts:
        if path:
            around, _, name = path.rpartition(".")
            inside.setdefault(around, []).append(name)
    for path, part in builder.parts.items():
        if not part.name:
            names = inside.get(path, [])
            part.name = "ModuleList" if names and all(name.isdigit() for name in names) else "Module"


def _modules(builder: GraphBuilder) -> tuple[Module, ...]:
    """In the order of ``named_modules``: each before those in it, those as they were met."""
    inside: dict[str, list[str]] = {}
    for path in builder.parts:
        if path:
            inside.setdefault(path.rpartition(".")[0], []).append(path)
    found: list[Module] = []
    pending = [""]
    while pending:
        path = pending.pop()
        part = builder.parts[path]
        pending += reversed(inside.get(path, []))
        found.append(
            Module(
                path,
                part.name,
                parameters=tuple(part.parameters.items()),
                buffers=tuple(part.buffers.items()),
                settings=part.settings,
                training=part.training,
                opaque=part.opaque,
            )
        )
    return tuple(found)


def _notes(builder: GraphBuilder) -> Iterator[Note]:
    for text, step in builder.notes.items():
        yield Note(text, step.id if step is not None and step.id >= 0 else None)
