"""The record of one run: calls, the tensors between them, and the modules they belong to.

A ``Graph`` is plain data. It holds no torch object, can be compared, hashed, pickled, and written to a file
(`files.codec`), and every view is a function of it. Ids are positions: ``graph.calls[i].id == i`` and
``graph.values[i].id == i``; a parent's id is always lower than its children's, and children run in id order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CallKind: TypeAlias = Literal["module", "function", "aten", "autograd_function", "group", "backward", "saved"]
ValueKind: TypeAlias = Literal["input", "parameter", "buffer", "constant", "activation", "output"]
NoteCode: TypeAlias = Literal["other", "not run", "fake", "fused path", "fold", "prune", "rename", "overlay"]
Arithmetic: TypeAlias = Literal["counted", "elementwise", "movement", "unknown"]
Mode: TypeAlias = Literal["eval", "train", "same"]
Level: TypeAlias = Literal["op", "aten"]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor stood among the arguments or results: the index into ``Call.inputs`` or ``Call.outputs``."""

    index: int


@dataclass(frozen=True, slots=True)
class Text:
    """Something that is neither a tensor, nor plain, nor a container, in its printed form (``torch.float32``)."""

    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A container: ``keys`` are dictionary keys, dataclass fields or argument names; empty for a list or tuple."""

    type: str
    keys: tuple[str, ...]
    items: tuple[Tree, ...]


Tree: TypeAlias = "bool | int | float | str | Slot | Text | Node | None"


@dataclass(frozen=True, slots=True)
class Source:
    """A place in the user's code; ``line`` from 1, columns from 0 in bytes as Python counts them, None if unknown."""

    file: str
    line: int
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None


def numel_of(shape: Sequence[int]) -> int:
    """Number of elements of a tensor of this shape; 0 where a size varies (-1)."""
    return 0 if -1 in shape else prod(shape)


@dataclass(frozen=True, slots=True)
class InnerTensor:
    """One of the tensors that a packed or sharded tensor is stored as.

    Attributes:
        name: what the tensor calls it (``qdata``, ``scale``; ``_local_tensor`` of a DTensor).
        shape: sizes.
        dtype: as in ``torch.int8``, without the prefix.
        nbytes: elements times element size; None where it cannot be told.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int | None

    @property
    def numel(self) -> int:
        """Number of elements."""
        return numel_of(self.shape)


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor at one version.

    >>> atlas = ta.capture(torch.nn.Linear(4, 3), (1, 4))
    >>> [(value.kind, value.shape) for value in atlas.graph.values]
    [('parameter', (3, 4)), ('parameter', (3,)), ('input', (1, 4)), ('output', (1, 3))]

    Attributes:
        id: position in ``Graph.values``.
        kind: ``output`` is an activation that the run returned.
        names: every name it has (``lm_head.weight`` and ``embed.weight`` when tied; the argument's name for an input).
        shape: sizes as torch gives them; -1 where a size varies (nested tensors). Of a sharded tensor the global ones.
        dtype: as in ``torch.float32``, without the prefix; of a packed weight that of the largest tensor it is stored
            as.
        device: as torch prints it (``cpu``, ``cuda:0``, ``meta``).
        nbytes: elements times element size; of a packed weight, of all that it is stored as; of a sharded tensor, of
            the whole; None where torch cannot say.
        requires_grad: as it was when first seen.
        producer: the call that made it; None for leaves.
        slot: position among the producer's outputs; None where the maker was not seen to return it (a write).
        previous: the version an in-place write replaced.
        alias_of: the value passed through unchanged (Identity, Dropout in eval).
        view_of: a value whose memory it shares.
        storage: equal for values that share memory; None where torch gives no storage.
        freed: the number of calls begun when its memory was released; None if it outlived the run.
        type: the tensor subclass, empty for a plain Tensor or Parameter.
        inner: what a packed weight is stored as (quantised numbers, scales, zero points), or the part of a sharded
            tensor that this process has; empty for a tensor that is stored as itself.
        original: the shape of the weight that it packs, where ``shape`` is that of the packed numbers.
        placements: of a DTensor, for each dimension of its mesh, ``Shard(0)``, ``Replicate`` or ``Partial(sum)``.
        mesh: of a DTensor, the sizes of its mesh.
    """

    id: int
    kind: ValueKind
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    device: str
    nbytes: int | None
    requires_grad: bool = False
    producer: int | None = None
    slot: int | None = None
    previous: int | None = None
    alias_of: int | None = None
    view_of: int | None = None
    storage: int | None = None
    freed: int | None = None
    type: str = ""
    inner: tuple[InnerTensor, ...] = ()
    original: tuple[int, ...] | None = None
    placements: tuple[str, ...] = ()
    mesh: tuple[int, ...] = ()

    @property
    def numel(self) -> int:
        """Number of elements as stored, scales and zero points included; 0 where a size varies."""
        if self.inner and not self.placements:
            return sum(inner.numel for inner in self.inner)
        return numel_of(self.shape)

    @property
    def is_weight(self) -> bool:
        """Whether it is a parameter or a buffer."""
        return self.kind in ("parameter", "buffer")

    @property
    def is_packed(self) -> bool:
        """Whether it stands for a weight that is stored in another form."""
        return self.original is not None or (bool(self.inner) and not self.placements)

    @property
    def local_numel(self) -> int:
        """Number of elements in this process."""
        return sum(inner.numel for inner in self.inner) if self.placements else self.numel

    @property
    def local_nbytes(self) -> int | None:
        """Bytes in this process; None where torch cannot say."""
        if not self.placements:
            return self.nbytes
        return total_bytes(inner.nbytes for inner in self.inner)


def total_bytes(parts: Iterable[int | None]) -> int | None:
    """Bytes of all parts; None where those of one are not known."""
    sizes = list(parts)
    return None if None in sizes else sum(filter(None, sizes))


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that ran.

    >>> call = ta.capture(torch.nn.Linear(4, 3), (1, 4)).calls[1]
    >>> call.name, call.kind, call.flops
    ('F.linear', 'function', 24)

    Attributes:
        id: position in ``Graph.calls``.
        kind: what it is. ``group`` is what a reader of the graph has put together, ``backward`` a node of the autograd
            graph, ``saved`` a tensor that such a node keeps, as its only output.
        name: in the field's words: ``Conv2d``, ``torch.cat``, ``F.relu``, ``aten.mm.default``.
        path: the module's first path (empty for the root); None unless ``kind`` is ``module``.
        parent: the call it ran inside; None for the root.
        inputs: values read, in the order of the arguments, once per slot.
        outputs: values returned, in the order of the result.
        arguments: a Node whose keys are argument names; tensors stand in it as Slots of ``inputs``.
        returns: the structure of the result; tensors stand in it as Slots of ``outputs``.
        writes: values (new versions) it made by writing in place.
        flops: floating point operations of this call alone, children not included; 1 multiply-add = 2.
        arithmetic: ``counted`` where a formula gave ``flops``; ``elementwise`` for arithmetic that has no formula
            (pointwise, reductions, norms, softmax, pooling); ``movement`` for views, copies and constants;
            ``unknown`` where arithmetic may hide that was not seen, so that a total is a lower bound.
            A call whose children hold its arithmetic is ``movement`` itself.
        source: where the user's code made it.
        error: ``Type: message`` if it raised here or let an exception through.
        reads_data: it handed a tensor's content to Python (``.item()``, ``if tensor``): the graph may depend on it.
        thread: 0 for the thread that captured, then 1, 2, … in order of appearance.
        seconds: wall time, where measured.
        forward: of a call of a backward pass, the call of ``Graph.forward`` that it belongs to, where known.
        repeats: of a group that holds nothing but repeats, how many; its name is that of one of them.
    """

    id: int
    kind: CallKind
    name: str
    path: str | None = None
    parent: int | None = None
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    arguments: Node = Node("arguments", (), ())
    returns: Tree = None
    writes: tuple[int, ...] = ()
    flops: int = 0
    arithmetic: Arithmetic = "movement"
    source: Source | None = None
    error: str | None = None
    reads_data: bool = False
    thread: int = 0
    seconds: float | None = None
    forward: int | None = None
    repeats: int = 1

    @property
    def label(self) -> str:
        """The name as a reader sees it: ``Residual ×35`` for a group of 35 repeats."""
        return f"{self.name} ×{self.repeats}" if self.repeats > 1 else self.name


@dataclass(frozen=True, slots=True)
class Module:
    """One ``nn.Module`` of the model, called or not.

    >>> module = ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3))).modules[1]
    >>> module.path, module.name, module.parameters
    ('0', 'Linear', (('weight', 0), ('bias', 1)))

    Attributes:
        path: its first path; empty for the root.
        name: class name.
        aliases: its other paths, when it is registered more than once.
        parameters: its own (name, value id), children's not included.
        buffers: its own (name, value id).
        settings: plain public attributes (``kernel_size``, ``stride``, ``eps``), as they stood before the run.
        extra: ``extra_repr()``.
        training: its flag as the user left it.
        opaque: its inside cannot be seen (ScriptModule).
        confidence: in class and settings that were inferred from weights alone, above 0 and up to 1; None where
            they are known.
        registered: whether the model's ``parameters()`` gives its parameters; not those of a module that ran out of a
            plain list, a closure or another object, whose path says where it was (``layers[0]``).
        container: it has no forward of its own (``ModuleList``, ``ParameterDict``), so that it cannot be called.
    """

    path: str
    name: str
    aliases: tuple[str, ...] = ()
    parameters: tuple[tuple[str, int], ...] = ()
    buffers: tuple[tuple[str, int], ...] = ()
    settings: tuple[tuple[str, Tree], ...] = ()
    extra: str = ""
    training: bool = False
    opaque: bool = False
    confidence: float | None = None
    registered: bool = True
    container: bool = False


@dataclass(frozen=True, slots=True)
class Overlay:
    """Finite numbers laid over a graph, by call id, and by module path: then for every call of that module.

    Attributes:
        name: what it is asked for by.
        unit: of the numbers, as ``s``, ``B`` or ``%``; empty for a count or a ratio.
        calls: (call id, number), in the order of ids.
        paths: (module path, number); where a call has a number of its own, that one counts.
    """

    name: str
    unit: str = ""
    calls: tuple[tuple[int, float], ...] = ()
    paths: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader must know: estimated, assumed, or not seen.

    >>> [note.code for note in ta.capture(torch.nn.Linear(4, 3)).graph.notes]
    ['not run']

    Attributes:
        text: a sentence.
        call: where, if it is one place.
        code: what it is about, for programs: they never read the sentence.
        about: of an ``overlay`` note, the overlay's name.
    """

    text: str
    call: int | None = None
    code: NoteCode = "other"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a graph comes from: what wrote it, how the model ran, and which file it was read from.

    A field is None, or False, where it does not apply or nobody said.

    Attributes:
        torchatlas, torch, python: versions; of a file of torch.export, ``torch`` is the one that wrote it.
        mode: the training flags of the run: all off, all on, or as the user left them.
        level: ``aten`` if the ATen operators inside functions were recorded too.
        fake: whether it ran on fake tensors.
        grad: the autograd nodes were recorded, for a backward pass.
        backward: it is a backward pass.
        saved_tensors: of a backward pass, whether what its nodes keep was recorded.
        timed_runs: how many runs the times of the calls are medians of.
        plain_seconds: the median time of a run without marks, which measuring puts around calls.
        plain_spread: seconds between the quartiles of those, of two runs or more.
        marked_ratio: the time of a run with marks by that of one without.
        reader: which reader read a file of others (``onnx``, ``pt2``, ``torchscript``, ``pickle``): each has its own
            names for functions.
        producer: of an ONNX file, the program that wrote it.
        format_version: of the format of the file, as the file says it.
        opsets: of an ONNX file, the sets of operators with their versions.
        weights_format: the kind of a file of weights (``a .safetensors file``); None where it was no such file.
        weights_file: its name.
        reads: how each of its parts is read, as JSON (`readers.weights.checkpoint`).
        state_dict: where the weights are in it, as Python (``['model']``).
        apart: their names are in parts, one dictionary inside another.
    """

    torchatlas: str | None = None
    torch: str | None = None
    python: str | None = None
    mode: Mode | None = None
    level: Level | None = None
    fake: bool | None = None
    grad: bool = False
    backward: bool = False
    saved_tensors: bool | None = None
    timed_runs: int | None = None
    plain_seconds: float | None = None
    plain_spread: float | None = None
    marked_ratio: float | None = None
    reader: str | None = None
    producer: str | None = None
    format_version: str | None = None
    opsets: str | None = None
    weights_format: str | None = None
    weights_file: str | None = None
    reads: str | None = None
    state_dict: str | None = None
    apart: bool = False


@dataclass(frozen=True)
class Graph:
    """One run of a model; without calls, the structure of a model that was not run.

    >>> graph = ta.capture(torch.nn.Linear(4, 3), (1, 4)).graph
    >>> graph.name, len(graph.calls), graph.calls_of
    ('Linear', 2, {'': (0,)})

    Attributes:
        name: the model's class or the function's name.
        calls: in the order they began; ``calls[0]`` is the model itself, its arguments and results are the run's.
        values: parameters and buffers first, then in the order they were seen.
        modules: in the order of ``named_modules``; empty for a function.
        notes: what must be said beside the numbers.
        error: the innermost call that raised the exception that ended the run; None after success.
        provenance: what wrote it, how the model ran, and which file it was read from.
        overlays: numbers laid over it, names told apart.
        forward: of a backward pass, the run that it is the backward pass of; that one has none itself.
    """

    name: str
    calls: tuple[Call, ...] = ()
    values: tuple[Value, ...] = ()
    modules: tuple[Module, ...] = ()
    notes: tuple[Note, ...] = ()
    error: int | None = None
    provenance: Provenance = Provenance()
    overlays: tuple[Overlay, ...] = ()
    forward: Graph | None = None

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each call, the calls that ran directly inside it, in order."""
        found: list[list[int]] = [[] for _ in self.calls]
        for call in self.calls:
            if call.parent is not None:
                found[call.parent].append(call.id)
        return tuple(map(tuple, found))

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """For each value, the calls that read it, in order, each once."""
        found: list[list[int]] = [[] for _ in self.values]
        for call in self.calls:
            for value in dict.fromkeys(call.inputs):
                found[value].append(call.id)
        return tuple(map(tuple, found))

    @cached_property
    def module_at(self) -> dict[str, Module]:
        """Modules by every one of their paths."""
        return {path: module for module in self.modules for path in (module.path, *module.aliases)}

    @cached_property
    def calls_of(self) -> dict[str, tuple[int, ...]]:
        """Module calls by path; a module that is absent never ran."""
        found: dict[str, list[int]] = {}
        for call in self.calls:
            if call.path is not None:
                found.setdefault(call.path, []).append(call.id)
        return {path: tuple(calls) for path, calls in found.items()}
