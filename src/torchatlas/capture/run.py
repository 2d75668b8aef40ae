"""One run of a model, recorded: everything is set up, the model runs, everything is put back."""

from __future__ import annotations

import gc
import platform
import types
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.capture.backward.forward_link import ForwardLink, given_tensors, makers
from torchatlas.capture.fake import FAKE, Faker, advice
from torchatlas.capture.inputs.caller import CAPTURE
from torchatlas.capture.inputs.forward import positional, signature, sized_example
from torchatlas.capture.objects.contents import callable_name, class_name, is_a
from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.origin import Origin
from torchatlas.capture.record.modes import record
from torchatlas.capture.record.recorder import Recorder
from torchatlas.capture.record.replay import Tape
from torchatlas.capture.record.structure import Structure, held_by, modules_of, name_of, owner_of, uncompiled
from torchatlas.capture.record.unregistered import loose, remark
from torchatlas.capture.recursion import room_for_capture
from torchatlas.capture.restore.no_trace import Guard, no_trace
from torchatlas.capture.torch_private import eager_stance
from torchatlas.capture.undo import Undo, undoing
from torchatlas.capture.unrecorded import keep_modes, unrecorded
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Note, Provenance
from torchatlas.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchatlas.capture.inputs.arguments import Inputs
    from torchatlas.capture.inputs.caller import Caller
    from torchatlas.capture.options import Options
    from torchatlas.capture.restore.snapshot import Snapshot
    from torchatlas.core.graph import CallKind, Graph

_NAMED = 3  # objects that a note names one by one
_LATER = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)


class Run:
    """One run and what is left of it.

    Attributes:
        graph: the record, complete after success, up to the failing call after an exception; None before.
        bound: the positional and keyword arguments of the call; None if the model was not to be run.
        tape: what a replay needs, if it was asked for.
        origin: the model and the arguments, after success.
        forward_link: what its backward pass is tied by, if that was asked for, after success.
    """

    def __init__(self, model: Callable[..., Any], options: Options, caller: Caller = CAPTURE) -> None:
        _check_callable(model, caller)
        self._caller = caller
        self.graph: Graph | None = None
        self.origin: Origin | None = None
        self.tape = Tape() if options.replay else None
        self.forward_link: ForwardLink | None = None
        self._given = model
        self._model = uncompiled(model)
        self._modules = modules_of(self._model)
        self._unique = list({id(module): module for module in self._modules.values()}.values())
        self._held = [] if is_a(self._model, nn.Module) else held_by(self._model)
        self._guard = Guard(writes=not options.fake)
        self._options = options
        self._freeze: Callable[[], object] = _nothing
        self.bound: Any = None

    @property
    def root(self) -> Callable[..., Any]:
        """The model, out of what ``torch.compile`` made of it."""
        return self._model

    @property
    def compiled(self) -> bool:
        """Whether something in it was to be compiled, which a run here leaves out."""
        kinds = {type(module).__name__ for module in self._unique}
        compiled = any(getattr(module, "_compiled_call_impl", None) is not None for module in self._unique)
        return self._model is not self._given or "OptimizedModule" in kinds or compiled

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Every module that the run can call, by each of its paths."""
        return self._modules

    @property
    def paths(self) -> dict[int, str]:
        """The first path of each, by ``id``."""
        return {id(module): path for path, module in reversed(self._modules.items())}

    @contextmanager
    def again(self) -> Iterator[Callable[[], Any]]:
        """The same run once more, nothing recorded: what is given runs the model, and no trace of that is left.

        It starts from the state that the recorded run started from. What that one wrote, and every buffer and input,
        is put back after it.
        """
        args, kwargs = self.bound
        guard = Guard()
        with undoing() as undo:
            room_for_capture.want(undo)
            snapshot = self._no_trace(guard, undo)
            guard.keep_as(self._guard)
            buffers = [buffer for module in self._unique for buffer in module._buffers.values()]
            for tensor in (*filter(torch.is_tensor, buffers), *tensors_in((args, kwargs))):
                guard.keep(tensor)
            eager_stance.want(undo)
            keep_modes(undo)
            args, kwargs = self._prepare(args, kwargs, snapshot, undo)
            yield lambda: self._model(*args, **kwargs)

    def go(self, inputs: Inputs | None, notes: Iterable[Note] = ()) -> None:
        """Run with these inputs; without any, record the modules alone.

        Args:
            inputs: the arguments of the call; None if the model is not to be run.
            notes: what is said of them in the record.
        """
        bound = self.bound = None if inputs is None else (inputs.args, inputs.kwargs)
        options = self._options
        recorder = Recorder(
            self._guard, self.tape, aten=options.level == "aten", source=options.source, grad=options.grad
        )
        if bound is None:
            example = sized_example(self._model, self._caller)
            said = f"The model was not run, because no input was given. Give one, as in {example}."
            recorder.notes[Note(said, code="not run")] = None
        elif options.fake:
            recorder.notes[FAKE] = None
        recorder.notes.update(dict.fromkeys(notes))
        if self.tape is not None:
            self.tape.attach(recorder.tensors)
        undo = Undo()
        try:
            try:
                self._freeze = _collect_nothing_known(undo)
                room_for_capture.want(undo)
                snapshot = self._no_trace(self._guard, undo)
                training = [bool(module.training) for module in self._unique]
                prepared = self._prepare(*bound, snapshot, undo) if bound is not None else None
                structure = Structure(
                    self._modules, training, recorder, None if is_a(self._model, nn.Module) else self._held
                )
                if prepared is not None:
                    record(recorder, undo)
                self._record(recorder, structure, prepared, snapshot)
                if bound is not None:
                    with unrecorded():
                        self.origin = Origin(self._model, *bound, self._options.mode)
                else:
                    self.origin = Origin(self._model, ran=False)
            finally:
                undo.close()
        finally:
            undo.close()  # nothing is left to do, unless an exception came between

    def _no_trace(self, guard: Guard, undo: Undo) -> Snapshot:
        """All that the run may change is put back when ``undo`` is closed."""
        args, kwargs = self.bound or ((), {})
        inputs = list(zip(self._keys(args, kwargs), (*args, *kwargs.values()), strict=True))
        return no_trace(
            undo,
            list(self._modules.items()),
            inputs,
            guard,
            self._held,
            belonging_to=owner_of(self._model),
            aside=is_a(self._model, nn.Module),
        )

    def _record(self, recorder: Recorder, structure: Structure, bound: Any, snapshot: Snapshot) -> None:
        """The run itself, and its graph, whatever way it ends."""
        kind, name = self._root()
        error: BaseException | None = None
        result = None
        try:
            if bound is not None:
                keys = self._keys(*bound)
                self._freeze()
                result = recorder.root(self._model, (kind, name), keys, *bound)
                if is_a(result, _LATER):
                    recorder.notes[_unread(result)] = None
                if self._options.grad:
                    given = given_tensors((*bound[0], *bound[1].values()), keys)
                    self.forward_link = ForwardLink(result, structure.tensors(), given, makers(recorder.calls))
        except BaseException as raised:
            error = raised
            if self._options.fake:
                add_note(raised, advice(raised))
            raise
        finally:
            self._freeze()
            with unrecorded():
                recorder.notes.update(dict.fromkeys(_changed(snapshot.changed())))
                graph = recorder.finish(name, structure.records(), self._provenance(), error)
                said = filter(None, (remark(graph), loose(graph)))
                self.graph = replace(graph, notes=(*graph.notes, *said))
            recorder.close()
            del result  # it lived until here, so that what it holds counts as alive at the end of the run
            del error  # it holds this frame, which would hold it

    def _prepare(self, args: Any, kwargs: Any, snapshot: Snapshot, undo: Undo) -> Any:
        """Training flags, grad mode, and fake twins."""
        mode = self._options.mode
        if mode != "same":
            for module in self._unique:
                if module.training != (mode == "train"):  # set, not called: eval() may be the user's and do more
                    module.training = mode == "train"
            undo.add(torch.set_grad_enabled, torch.is_grad_enabled())
            torch.set_grad_enabled(mode == "train")
        if self._options.grad:
            inference = torch.inference_mode(mode=False)
            undo.add(_leave, inference)
            inference.__enter__()
            undo.add(torch.set_grad_enabled, torch.is_grad_enabled())
            torch.set_grad_enabled(True)
        if self._options.fake:
            faker = Faker(self._unique, undo)
            args, kwargs = faker.inside((args, kwargs))
            faker.rebind(self._unique, snapshot.optimizers)
        return args, kwargs

    def _root(self) -> tuple[CallKind, str]:
        if is_a(self._model, nn.Module):
            return "module", name_of(self._model)
        return "function", callable_name(self._model)

    def _keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
        names = [parameter.name for parameter in positional(signature(self._model))[: len(args)]]
        return (*names, *(f"args[{index}]" for index in range(len(names), len(args))), *kwargs)

    def _provenance(self) -> Provenance:
        options = self._options
        return Provenance(
            torchatlas=__version__,
            torch=str(torch.__version__),
            python=platform.python_version(),
            mode=options.mode,
            level=options.level,
            fake=options.fake,
            grad=options.grad,
        )


def _unread(result: Any) -> Note:
    what = class_name(type(result))
    return Note(
        f"The model returned a {what}, which does its work only when it is read or awaited. That work is not recorded."
    )


def _changed(objects: list[str]) -> list[Note]:
    if not objects:
        return []
    names = ", ".join(objects[:_NAMED]) + (f" and {len(objects) - _NAMED} more" if len(objects) > _NAMED else "")
    return [
        Note(
            f"The run changed these, and they were not put back: {names}. A capture restores modules, tensors, plain"
            f" containers and optimizers, but not the state of other objects."
        )
    ]


def _collect_nothing_known(undo: Undo) -> Callable[[], object]:
    """Garbage collections look at what is made from here on, and not at all that torch has loaded.

    A record is many small objects that stay; each full collection they set off costs 100 ms where torch is loaded.

    Returns:
        What says so once more, of all that was made by then; nothing where the collector is the user's own affair.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        return _nothing
    undo.add(gc.unfreeze)
    gc.freeze()
    return gc.freeze


def _nothing() -> None:
    """Leave everything as it is."""


def _leave(inference: torch.inference_mode) -> None:
    with suppress(AttributeError):  # it was never entered
        inference.__exit__(None, None, None)


def add_note(error: BaseException, text: str) -> None:
    """PEP 678, also where Python is too old to print it."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        error.__notes__ = [*getattr(error, "__notes__", ()), text]


def _check_callable(model: Any, caller: Caller) -> None:
    if is_a(model, type):
        name = model.__name__
        raise InputError(
            f"{name} is a class, but {caller.function} needs a model. Build one: {caller.function}({name}(...), ...)."
        )
    if not callable(model):
        raise InputError(
            f"model is a {class_name(type(model))}; give an nn.Module or another callable. For weights, build the"
            f" model first and call load_state_dict."
        )
