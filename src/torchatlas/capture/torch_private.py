"""The private machinery of torch that capture stands on, each piece behind one name.

Public interfaces are used wherever one exists. What is left is gathered here, so that a torch that moves a name breaks
one file; ``tests/capture/test_torch_private.py`` fails loudly when it does. No other file names a private module or
function of torch. Attributes of objects that half the ecosystem leans on are read where they are needed:
``Tensor._version``, ``Module._parameters``.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import _ops, overrides
from torch._ops import HigherOrderOperator, OperatorBase, OpOverload, OpOverloadPacket
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.fx import _pytree as fx_pytree
from torch.optim.optimizer import _global_optimizer_pre_hooks as _step_hooks
from torch.utils import _python_dispatch as dispatch
from torch.utils import _pytree as pytree

from torchatlas.capture.undo import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = [
    "FAKE_LOG",
    "HOOKS_ARE_SEEN",
    "NEEDS_DATA",
    "UNNUMBERED",
    "DispatchMode",
    "FakeTensor",
    "FakeTensorMode",
    "GradientForm",
    "HigherOrderOperator",
    "ModeStacks",
    "OpOverload",
    "OpOverloadPacket",
    "OperatorBase",
    "dispatched",
    "eager_stance",
    "empty_per_channel",
    "empty_per_tensor",
    "finished",
    "forget_step_hook",
    "fx_pytree",
    "gradient_forms",
    "in_fake_mode",
    "in_function_mode",
    "in_transform",
    "is_python_node",
    "is_transformed",
    "kernel_of",
    "key_of",
    "leave_fake",
    "modes_off",
    "next_node",
    "node_number",
    "overrides_off",
    "packed",
    "packed_of_cell",
    "pytree",
    "saved_names",
    "script_class",
    "script_state",
    "sharding_propagation",
    "storage_key",
    "storage_of",
]

FAKE_LOG = fake_tensor.log
"""Where torch logs, with a traceback, what fails on fake tensors."""
NEEDS_DATA = (DataDependentOutputException, DynamicOutputShapeException)


class DispatchMode(dispatch.TorchDispatchMode):
    """A dispatch mode that does not make torch import its compiler.

    torch wraps every dispatch mode in a guard against compilation whose first use imports dynamo (1.1 CPU-seconds)
    and which costs 0.7 us per call. A capture runs eagerly, so the guard is declined.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch says nothing of its types

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


_functorch: Any = getattr(torch._C, "_functorch", None)


def storage_of(tensor: torch.Tensor) -> Any:
    """The tensor's storage; for wrappers of ``torch.func`` transforms, that of what they wrap; None without one."""
    try:
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        pass
    try:
        while _functorch is not None and _functorch.is_functorch_wrapped_tensor(tensor):
            tensor = _functorch.get_unwrapped(tensor)
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        return None


def storage_key(storage: Any) -> int:
    """Address of the C++ storage: equal for all Python objects over one storage while it lives."""
    return int(storage._cdata)


def is_transformed(tensor: torch.Tensor) -> bool:
    """Whether the tensor is a wrapper of a ``torch.func`` transform, meaningless outside of it."""
    return _functorch is not None and bool(_functorch.is_functorch_wrapped_tensor(tensor))


def in_transform() -> bool:
    """Whether this thread is inside a ``torch.func`` transform (vmap, grad, …), among tensors that exist only there."""
    return _functorch is not None and _functorch.maybe_current_level() is not None


def in_function_mode() -> bool:
    """Whether a function mode hears of what this thread calls now: not within a function that it was asked for."""
    return torch._C._len_torch_function_stack() > 0 and not torch._C._is_torch_function_all_disabled()


def in_fake_mode() -> bool:
    """Whether tensors that are made now are fake."""
    return any(isinstance(mode, FakeTensorMode) for mode in dispatch._get_current_dispatch_mode_stack())


def modes_off() -> AbstractContextManager[None]:
    """Inside, no dispatch mode is on, a fake one neither: what holds real tensors gives these."""
    off: AbstractContextManager[None] = dispatch._disable_current_modes()
    return off


# What torch's compiler asks of dispatch modes, kept for the whole process.
_FLAGS = (
    "_is_in_torch_dispatch_mode",
    "_is_in_non_infra_torch_dispatch_mode",
    "_is_in_any_mode_without_ignore_compile_internals",
)


class ModeStacks:
    """The modes that are on in this thread, to be on again after a `with` was interrupted half way in or out."""

    def __init__(self) -> None:
        self._functions = overrides._get_current_function_mode_stack()
        self._operations = dispatch._get_current_dispatch_mode_stack()
        self._flags = {name: getattr(dispatch, name) for name in _FLAGS if hasattr(dispatch, name)}
        self._heard = overrides_off()  # it sets on leaving what it met on entering, also a second time
        with self._heard:
            pass

    def restore(self) -> None:
        """Take away what was left on, put back what was taken away once too often."""
        self._heard.__exit__(None, None, None)
        if (before := self._functions) != (now := overrides._get_current_function_mode_stack()):
            same = _common(before, now)
            for _ in now[same:]:
                overrides._pop_mode()
            for mode in before[same:]:
                overrides._push_mode(mode)
        if (before := self._operations) != (now := dispatch._get_current_dispatch_mode_stack()):
            same = _common(before, now)
            for mode in reversed(now[same:]):
                dispatch._pop_mode(getattr(mode, "_mode_key", None))
            for mode in before[same:]:
                dispatch._push_mode(mode)
        vars(dispatch).update(self._flags)
        tell = getattr(dispatch, "set_is_in_mode_without_ignore_compile_internals", None)
        if tell is not None:
            tell(self._flags[_FLAGS[-1]])


def _common(these: list[Any], those: list[Any]) -> int:
    """How many of the first are the same in both."""
    both = zip(these, those, strict=False)
    return next((index for index, (one, two) in enumerate(both) if one is not two), min(len(these), len(those)))


def leave_fake(mode: FakeTensorMode) -> Callable[[], None]:
    """What takes a fake mode, which is entered next, off again, however far it was entered and left by then.

    With it go the dispatch keys that the mode sets for this thread while it computes a shape.
    """
    entered, lifted, stacks = list(mode.enter_stack), torch._C._only_lift_cpu_tensors(), ModeStacks()
    keys = torch._C._PreserveDispatchKeyGuard()
    keys.__enter__()

    def leave() -> None:
        keys.__exit__(None, None, None)  # the second time it does nothing
        stacks.restore()
        mode.enter_stack[:] = entered
        torch._C._set_only_lift_cpu_tensors(lifted)

    return leave


def forget_step_hook(hook: Callable[..., Any]) -> None:
    """Take away a hook before the steps of all optimizers, if it is there."""
    for key in [key for key, one in _step_hooks.items() if one is hook]:
        _step_hooks.pop(key, None)


_COMPILER = "torch._dynamo"


_before_eager: list[Any] = []  # the stance that was, while there is another; a finder, while none can be


def _run_eagerly() -> None:
    if _before_eager:
        return
    if _COMPILER in sys.modules:
        _be_eager()
    else:
        finder = _CompilerImport()
        _before_eager.append(finder)
        sys.meta_path.insert(0, finder)


def _be_eager() -> None:
    compiler: Any = sys.modules[_COMPILER]
    _before_eager.append(compiler.eval_frame._stance)
    torch.compiler.set_stance("force_eager")


def _run_compiled() -> None:
    while _before_eager:
        before = _before_eager[-1]
        if isinstance(before, _CompilerImport):
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not before]
        else:
            compiler: Any = sys.modules[_COMPILER]
            compiler.eval_frame._set_stance(before)
        _before_eager.pop()


eager_stance = Shared(_run_eagerly, _run_compiled)
"""While it is wanted, what is compiled runs eagerly; nothing is imported for that.

A run may be the first to need the compiler (``torch.cond``, ``flex_attention`` and ``torch.compile`` import it when
they are called): where it is not loaded yet, it is told as soon as it is.
"""


@contextmanager
def _function_modes_off() -> Iterator[None]:
    """No function mode is asked inside, unless it is entered there, as the compiler of torch 2.6 does when imported."""
    modes = overrides._get_current_function_mode_stack()
    for _ in modes:
        overrides._pop_mode()
    try:
        yield
    finally:
        for mode in modes:
            overrides._push_mode(mode)


class _CompilerImport(MetaPathFinder):
    """Waits for the import of the compiler, and sets its stance to eager unless that is not wanted any more."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as it would be found without this; of others nothing."""
        if fullname != _COMPILER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            with _function_modes_off():  # what it computes for itself is not part of a run
                run(module)
            if self in _before_eager:
                _be_eager()

        loader.exec_module = exec_module
        return spec


def kernel_of(operator: HigherOrderOperator) -> Callable[..., Any] | None:
    """The Python that a higher-order operator runs where no gradients are wanted; None if it has none."""
    kernel: Callable[..., Any] | None = operator.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return kernel


def dispatched(operator: HigherOrderOperator) -> Callable[..., Any]:
    """A higher-order operator, called without asking function modes: they are on for what it calls."""
    return lambda *args, **kwargs: operator.dispatch(_key(operator, args, kwargs), *args, **kwargs)


def key_of(operator: HigherOrderOperator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The dispatch key that such a call goes to first, such as ``AutogradCPU``."""
    return str(_key(operator, args, kwargs)).removeprefix("DispatchKey.")


def _key(operator: HigherOrderOperator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _ops._compute_keyset(args, kwargs, operator.non_fallthrough_keys).highestPriorityTypeId()


# Inside, tensors answer for themselves: neither a function mode nor a subclass is asked.
overrides_off = torch._C.DisableTorchFunction

# Quantized tensors without numbers; the public ways to one quantize a tensor of floats first.
empty_per_tensor = torch._empty_affine_quantized
empty_per_channel = torch._empty_per_channel_affine_quantized


# The autograd graph. What a node is given, saved and numbered has no public name.

_SAVED, _RAW = "_saved_", "_raw_saved_"
UNNUMBERED = 2**64 - 1


class GradientForm(NamedTuple):
    """What a node of the autograd graph is handed at one of its inputs; a size that varies is -1."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


def next_node() -> int:
    """The number that the next node made in this thread will have; they count up."""
    return int(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]  # no public name


def node_number(node: Any) -> int:
    """The number a node was made with in its thread; `UNNUMBERED` for those that accumulate into a leaf."""
    return int(node._sequence_nr())


def gradient_forms(node: Any) -> tuple[GradientForm, ...]:
    """The gradients that a node takes, by input number."""
    return tuple([_form(metadata) for metadata in node._input_metadata])


def _form(metadata: Any) -> GradientForm:
    try:
        shape = tuple([_size(size) for size in metadata.shape])
    except RuntimeError:  # nested tensors in C++ have no shape to say
        shape = (-1,)
    return GradientForm(shape, metadata.dtype, metadata.device)


def _size(size: Any) -> int:
    if type(size) is int:
        return size
    try:
        return int(size)
    except (RuntimeError, TypeError, ValueError, AttributeError):  # one that varies within a nested tensor
        return -1


def saved_names(node: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attributes that a node saved: plain ones, and tensors. Read them as ``_saved_NAME``."""
    kind: Any = type(node)
    return _saved_names(kind)


@cache
def _saved_names(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    there = dir(kind)
    raw = {name.removeprefix(_RAW) for name in there if name.startswith(_RAW)}
    names = [name.removeprefix(_SAVED) for name in there if name.startswith(_SAVED)]
    return tuple([name for name in names if name not in raw]), tuple([name for name in names if name in raw])


HOOKS_ARE_SEEN = hasattr(torch._C._autograd.SavedTensor, "unpack_hook")
"""Whether this torch says that a hook packed a saved tensor; an older one does not, and reading runs the hook."""


def packed(node: Any, name: str | None) -> tuple[Any, ...]:
    """Saved tensors as they lie in the node, nothing unpacked; ``name`` None: all of a Python function's.

    Where `HOOKS_ARE_SEEN`, each has ``unpack_hook``, None where reading runs nobody's code, and ``data``.

    Raises:
        RuntimeError: they were freed.
    """
    raw = getattr(node, _RAW + ("tensors" if name is None else name))
    return tuple(raw) if isinstance(raw, (tuple, list)) else (raw,)


def is_python_node(node: Any) -> bool:
    """Whether this is a node of an ``autograd.Function`` in Python, which is also its ``ctx``."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


# Packed parameters of quantised layers: objects of C++ classes, which torch names and pickles, and says no more of.


def finished(thing: object) -> tuple[Any, ...]:
    """What the work behind a future (of ``torch.jit.fork``) has returned; nothing while it runs, or if it is no future.

    The subclass that is public cannot be asked for others: ``fork`` gives objects of its base.
    """
    future: Any = torch._C.Future
    return (future.value(thing),) if issubclass(type(thing), future) and future.done(thing) else ()


def script_class(thing: object) -> str | None:
    """The name of the C++ class (``__torch__.torch.classes.…``) of an object of one; None for anything else."""
    return str(thing._type().qualified_name()) if type(thing) is torch.ScriptObject else None


def script_state(thing: Any) -> Any:
    """What an object of a C++ class is pickled as.

    Raises:
        RuntimeError: its class cannot be pickled.
    """
    state, _ = thing.__getstate__()
    return state


def packed_of_cell(thing: Any) -> tuple[str, tuple[Any, Any]]:
    """How a recurrent layer is packed, and the packed parameters of its input and its state."""
    kind, *_, parts = script_state(thing)
    by_input, by_state = parts
    return str(kind), (by_input, by_state)


# DTensor runs an operation on fake tensors when it meets it first, to learn the shape of the result.

_PROPAGATION = (
    ("_sharding_prop", "ShardingPropagator", ("_propagate_tensor_meta_non_cached", "_propagate_tensor_meta")),
    ("_decompositions", "DecompShardingStrategy", ("propagate_strategy",)),
)


def sharding_propagation() -> list[tuple[type, str]]:
    """The classes that do so, each with a method that runs operations; none while no DTensor can be there."""
    found = []
    for module, name, methods in _PROPAGATION:
        kind = getattr(sys.modules.get(f"torch.distributed.tensor.{module}"), name, None)
        found += [(kind, method) for method in methods if kind is not None and method in vars(kind)]
    return found
