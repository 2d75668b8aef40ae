"""What is known of a torch function before it runs: its name, its arguments' names, what it writes, whether to record it.

Everything here is decided once per function and remembered.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import get_testing_overrides, resolve_name

from torchatlas.capture.tree import tensors_in

# Questions about a tensor, and bookkeeping of autograd: they compute nothing that a reader of the graph looks for.
_QUIET = frozenset(
    """
    dim ndimension size numel nelement stride is_contiguous __len__ is_floating_point is_complex is_signed is_conj
    is_neg is_inference is_pinned is_shared is_same_size is_set_to get_device storage_offset data_ptr element_size
    untyped_storage storage storage_type has_names dense_dim sparse_dim is_coalesced result_type promote_types can_cast
    get_default_dtype is_tensor is_storage sym_int sym_float sym_max sym_min sym_not
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
    _base output_nr names name retains_grad grad_dtype _backward_hooks
    """.split()  # noqa: SIM905  # as above
)
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
_STATISTICS = ("running_mean", "running_var")

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
    """

    __slots__ = ("_inplace", "_keys", "_mutable", "_positions", "_rule", "getter", "name", "quiet", "reads_data")

    def __init__(self, func: Any) -> None:
        short = getattr(func, "__name__", None) or str(func)
        owner = getattr(getattr(func, "__self__", None), "__name__", "?")
        self.getter = short == "__get__"
        self.name = _name(func, short, owner)
        self.quiet = (
            short in _QUIET
            or getattr(func, "namespace", "") in _QUIET_NAMESPACES
            or (self.getter and owner in _QUIET_PROPERTIES)
        )
        self.reads_data = short in _READS_DATA
        if short == "__set__":
            self.quiet = owner not in ("data", "requires_grad")
        self._positions = _argument_names(func)
        self._inplace = self._positions.index("inplace") if "inplace" in self._positions else None
        self._keys: dict[tuple[int, tuple[str, ...], bool], tuple[str, ...]] = {}
        self._mutable = _mutable(func)
        self._rule = _rule(func, short)

    def keys(self, args: tuple[Any, ...], keywords: tuple[str, ...]) -> tuple[str, ...]:
        """Names for the positional arguments followed by the keyword ones."""
        count = len(args)
        packed = self._rule == "recurrent" and count > _PARAMETERS and isinstance(args[_PARAMETERS], list | tuple)
        known = self._keys.get((count, keywords, packed))
        if known is None:
            names = (_PACKED if packed else self._positions)[:count]
            names += tuple(f"args[{index}]" for index in range(len(names), count))
            known = self._keys[count, keywords, packed] = names + keywords
        return known

    def writes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
        """The tensors that this call says it writes: by name, schema, ``out=``, ``inplace=`` or training statistics."""
        found: list[Tensor] = []
        if kwargs.get("out") is not None:
            found += tensors_in(kwargs["out"])
        if self._inplace is not None and self._argument("inplace", args, kwargs):
            found += tensors_in(args[:1] or kwargs.get("input"))
        if self._rule is None or self._rule == "recurrent":
            return found
        if self._rule == "schema":
            for index, name in self._mutable:
                found += tensors_in(args[index] if index < len(args) else kwargs.get(name))
        elif self._rule == "first":
            found += tensors_in(args[0] if args else next(iter(kwargs.values()), None))
        elif self._rule == "statistics":
            if self._argument("training", args, kwargs) or self._argument("use_input_stats", args, kwargs):
                for name in _STATISTICS:
                    found += tensors_in(self._argument(name, args, kwargs))
        elif self._argument("max_norm", args, kwargs) is not None:
            found += tensors_in(self._argument("weight", args, kwargs))
        return found

    @property
    def may_write(self) -> bool:
        """Whether `writes` can find anything without ``out=``."""
        return self._rule is not None or self._inplace is not None

    def _argument(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in kwargs:
            return kwargs[name]
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
        return tuple(argument.name for argument in module.forward.schema.arguments[1:])
    return _method_names(type(module).forward)


@lru_cache(maxsize=10_000)
def _method_names(method: Any) -> tuple[str, ...]:
    return positional_names(method)[1:]


def _name(func: Any, short: str, owner: str) -> str:
    if short in ("__get__", "__set__", "__delete__"):
        return f"Tensor.{owner}" + {"__get__": "", "__set__": "=", "__delete__": " del"}[short]
    if isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return str(func)
    name = resolve_name(func) or getattr(func, "__qualname__", short)
    for long, brief in (("torch.nn.functional.", "F."), ("torch.Tensor.", "Tensor."), ("torch._C._nn.", "F.")):
        name = name.replace(long, brief)
    return name.replace("_VariableFunctionsClass.", "torch.").replace("_TensorBase.", "Tensor.")


def _argument_names(func: Any) -> tuple[str, ...]:
    overload = _overloads(func)
    if overload:
        return tuple(argument.name for argument in overload[0]._schema.arguments)
    stand_in = get_testing_overrides().get(func)
    if stand_in is None:
        return positional_names(func)
    return _RECURRENT if getattr(func, "__name__", "") in _RECURRENT_FUNCTIONS else positional_names(stand_in)


def _overloads(func: Any) -> list[Any]:
    if isinstance(func, torch._ops.OpOverload):
        return [func]
    if isinstance(func, torch._ops.OpOverloadPacket):
        return [getattr(func, name) for name in func.overloads()]
    return []


def _mutable(func: Any) -> tuple[tuple[int, str], ...]:
    """(position, name) of the arguments that some overload of an operator writes."""
    found: dict[tuple[int, str], None] = {}
    for overload in _overloads(func):
        for index, argument in enumerate(overload._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                found[index, argument.name] = None
        if overload._schema.name == "aten::native_batch_norm":  # its schema does not say so
            found.update({(3, "running_mean"): None, (4, "running_var"): None})
    return tuple(found)


def _rule(func: Any, short: str) -> str | None:
    if isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return "schema" if _mutable(func) else None
    if short in _AUTOGRAD_ONLY or func is Tensor.requires_grad.__set__:
        return None
    if short in ("__setitem__", "__set__") or short in _IN_PLACE_OPERATORS:
        return "first"
    if short.endswith("_") and not short.endswith("__"):
        return "first"
    if short in ("batch_norm", "instance_norm"):
        return "statistics"
    if short in ("embedding", "embedding_bag"):
        return "renorm"
    if short in _RECURRENT_FUNCTIONS:
        return "recurrent"
    return None
