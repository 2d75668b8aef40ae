"""What is known of a torch function before it runs: its name, its arguments' names, what it writes, if it is recorded.

Everything here is decided once per function and remembered.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import get_testing_overrides, resolve_name

from torchatlas.capture.objects.identity_cache import IdentityCache
from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.torch_private import OpOverload, OpOverloadPacket

if TYPE_CHECKING:
    from collections.abc import Callable

# Questions about a tensor, and bookkeeping of autograd: they compute nothing that a reader of the graph looks for.
_QUIET = frozenset(
    """
    dim ndimension size numel nelement stride is_contiguous __len__ is_floating_point is_complex is_signed is_conj
    is_neg is_inference is_pinned is_shared is_same_size is_set_to get_device storage_offset data_ptr element_size
    untyped_storage storage storage_type has_names dense_dim sparse_dim is_coalesced result_type promote_types can_cast
    get_default_dtype is_tensor is_storage sym_int sym_float sym_max sym_min sym_not
    device dtype finfo iinfo Size broadcast_shapes
    __repr__ __format__ __str__ __hash__ __dir__ __sizeof__ __reduce_ex__ __reduce__ __setstate__ __torch_dispatch__
    __deepcopy__ _is_view _set_grad_enabled set_grad_enabled retain_grad register_hook
    register_post_accumulate_grad_hook
    _record_function_enter_new _record_function_exit _RecordFunction _record_function_enter
    has_torch_function _assert_async _functional_assert_async
    """.split()  # noqa: SIM905  # forty quoted words read worse
)
_QUIET_PROPERTIES = frozenset(
    """
    shape dtype device requires_grad is_cuda is_cpu is_mps is_xpu is_xla is_meta is_leaf ndim layout is_nested is_sparse
    is_sparse_csr is_quantized is_mkldnn is_mtia is_hpu is_maia is_ipu is_vulkan is_ort itemsize nbytes grad_fn _version
    _base output_nr names name retains_grad grad_dtype _backward_hooks grad _grad
    """.split()  # noqa: SIM905  # as above
)
_autograd_backward = torch.autograd.backward  # which is another during a capture
_BACKWARD = frozenset({"Tensor.backward", "torch.autograd.backward"})
_QUIET_NAMESPACES = frozenset({"prim", "profiler"})  # questions and marks, not operations
_READS_DATA = frozenset(
    """
    item tolist __bool__ __float__ __int__ __index__ __complex__ numpy __array__ equal allclose is_nonzero __contains__
    _local_scalar_dense
    """.split()  # noqa: SIM905  # as above
)
_IN_PLACE_OPERATORS = frozenset(
    f"__i{name}__"
    for name in "add sub mul div truediv floordiv mod pow and or xor lshift rshift matmul".split()  # noqa: SIM905  # as above
)
_AUTOGRAD_ONLY = frozenset({"requires_grad_", "detach_"})  # in place by name; the content stays

# The recurrent functions have two overloads; with packed sequences the parameters are the fourth argument.
_RECURRENT_FUNCTIONS = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_RECURRENT = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
_PACKED = ("data", "batch_sizes", *_RECURRENT[1:-1])
_PARAMETERS = 3


class Function:
    """A torch function as capture sees it.

    Attributes:
        name: ``torch.cat``, ``F.relu``, ``Tensor.view``, ``aten.mm.default``.
        quiet: not worth a call of its own.
        reads_data: it hands a tensor's content to Python.
        may_write: whether `writes` can find anything without ``out=``.
        accumulates: it runs a backward pass, which writes gradients of leaves.
        composite: it is an ATen operation that is made of others.
    """

    __slots__ = (
        "_keys",
        "_positions",
        "_written",
        "accumulates",
        "composite",
        "may_write",
        "name",
        "quiet",
        "reads_data",
    )

    def __init__(self, func: Any) -> None:
        short = getattr(func, "__name__", None) or str(func)
        owner = getattr(getattr(func, "__self__", None), "__name__", "?")
        self.name = _name(func, short, owner)
        self.quiet = _is_quiet(func, short, owner)
        self.reads_data = short in _READS_DATA
        self._positions = _argument_names(func)
        self._keys: dict[tuple[int, tuple[str, ...], bool], tuple[str, ...]] = {}
        self._written = _written(func, short, self._positions)
        self.may_write = bool(self._written)
        self.accumulates = self.name in _BACKWARD
        overload = isinstance(func, OpOverload) and not self.quiet
        self.composite = overload and func._can_decompose()

    def keys(self, args: tuple[Any, ...], keywords: tuple[str, ...]) -> tuple[str, ...]:
        """Names for the positional arguments followed by the keyword ones."""
        count = len(args)
        packed = self._positions is _RECURRENT and count > _PARAMETERS and isinstance(args[_PARAMETERS], list | tuple)
        known = self._keys.get((count, keywords, packed))
        if known is None:
            names = (_PACKED if packed else self._positions)[:count]
            names += tuple(f"args[{index}]" for index in range(len(names), count))
            known = self._keys[count, keywords, packed] = names + keywords
        return known

    def writes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
        """The tensors that this call says it writes: by name, schema, ``out=``, ``inplace=`` or training statistics."""
        found = tensors_in(kwargs["out"]) if kwargs.get("out") is not None else []
        for name, condition in self._written:
            if condition is None or any(self._argument(other, args, kwargs) for other in condition):
                found += tensors_in(self._argument(name, args, kwargs))
        return found

    def _argument(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in kwargs:
            return kwargs[name]
        if name == _FIRST:
            return args[0] if args else next(iter(kwargs.values()), None)
        position = self._positions.index(name) if name in self._positions else len(args)
        return args[position] if position < len(args) else None


_functions: dict[Any, Function] = {}


def function(func: Any) -> Function:
    """The record of a function, made once."""
    try:
        known = _functions.get(func)
        if known is None:
            known = _functions[func] = Function(func)
    except TypeError:  # not hashable
        return Function(func)
    return known


def positional_names(callable_: Any) -> tuple[str, ...]:
    """Parameter names in order; a ``*args`` is left to be numbered by the caller."""
    try:
        parameters = inspect.signature(callable_).parameters.values()
    except (TypeError, ValueError):
        return ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(parameter.name for parameter in parameters if parameter.kind in positional)


def forward_names(module: torch.nn.Module) -> tuple[str, ...]:
    """Names of the parameters that a module's ``forward`` takes by position, without ``self``."""
    if isinstance(module, torch.jit.ScriptModule):
        forward: Any = module.forward
        return tuple(argument.name for argument in forward.schema.arguments[1:])
    method = type(module).forward
    return _method_names.of(method)


_method_names: IdentityCache[Callable[..., Any], tuple[str, ...]] = IdentityCache(
    lambda method: positional_names(method)[1:]
)


def _name(func: Any, short: str, owner: str) -> str:
    if short in ("__get__", "__set__", "__delete__"):
        return f"Tensor.{owner}" + {"__get__": "", "__set__": "=", "__delete__": " del"}[short]
    if isinstance(func, OpOverload | OpOverloadPacket):
        return str(func)
    if func is _autograd_backward:
        return "torch.autograd.backward"
    name: str = resolve_name(func) or getattr(func, "__qualname__", short)
    for long, brief in (("torch.nn.functional.", "F."), ("torch.Tensor.", "Tensor."), ("torch._C._nn.", "F.")):
        name = name.replace(long, brief)
    return name.replace("_VariableFunctionsClass.", "torch.").replace("_TensorBase.", "Tensor.")


def _argument_names(func: Any) -> tuple[str, ...]:
    overload = _overloads(func) or _of_lists(func)
    if overload:
        return tuple(argument.name for argument in overload[0]._schema.arguments)
    stand_in = get_testing_overrides().get(func)
    if stand_in is None:
        return positional_names(func)
    return _RECURRENT if getattr(func, "__name__", "") in _RECURRENT_FUNCTIONS else positional_names(stand_in)


def _overloads(func: Any) -> list[Any]:
    if isinstance(func, OpOverload):
        return [func]
    if isinstance(func, OpOverloadPacket):
        return [getattr(func, name) for name in func.overloads()]
    return []


def _of_lists(func: Any) -> list[Any]:
    """The overloads of what optimizers call with lists of tensors (``torch._fused_adam_``), known by schema alone."""
    name = getattr(func, "__name__", "")
    if not name.startswith(("_foreach_", "_fused_", "_amp_")) or name.startswith("__"):
        return []
    packet = getattr(torch.ops.aten, name, None)
    return _overloads(packet) if packet is not None else []


_FIRST = "the first"
_Written: TypeAlias = "tuple[tuple[str, tuple[str, ...] | None], ...]"


def _written(func: Any, short: str, positions: tuple[str, ...]) -> _Written:
    """The arguments that a function writes, each with the arguments one of which must be true for it (None: always)."""
    overloads = _overloads(func) or _of_lists(func)
    if overloads:
        return tuple((name, None) for name in _mutable(overloads))
    found: list[tuple[str, tuple[str, ...] | None]] = []
    in_place = short.endswith("_") and not short.endswith("__") and short not in _AUTOGRAD_ONLY
    setter = short in ("__set__", "__setitem__") and "requires_grad" not in repr(func)
    if in_place or setter or short in _IN_PLACE_OPERATORS:
        found.append((_FIRST, None))
    if "inplace" in positions:
        found.append((_FIRST, ("inplace",)))
    if short in ("batch_norm", "instance_norm"):
        found += [(name, ("training", "use_input_stats")) for name in ("running_mean", "running_var")]
    if short in ("embedding", "embedding_bag"):
        found.append(("weight", ("max_norm",)))
    return tuple(found)


def _mutable(overloads: list[Any]) -> dict[str, None]:
    """The arguments that some overload of an operator says it writes."""
    names: dict[str, None] = {}
    for overload in overloads:
        schema = overload._schema
        names.update(
            (argument.name, None)
            for argument in schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        )
        if schema.name == "aten::native_batch_norm":  # its schema does not say so
            names.update(running_mean=None, running_var=None)
    return names


def _is_quiet(func: Any, short: str, owner: str) -> bool:
    if short == "__get__":
        return owner in _QUIET_PROPERTIES
    if short == "__set__":
        return owner not in ("data", "requires_grad")
    return short in _QUIET or getattr(func, "namespace", "") in _QUIET_NAMESPACES
