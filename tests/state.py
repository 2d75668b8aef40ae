"""A fingerprint of everything that a capture must leave as it found it, taken by other code than the capture's own."""

from __future__ import annotations

import random
import sys
import threading
import warnings
import zlib
from collections import deque
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import numpy as np
import sympy  # noqa: F401  # torch's fake tensors import it, and its import adds a filter of warnings
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.nn.parameter import UninitializedTensorMixin
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

Fingerprint: TypeAlias = "dict[str, Any]"

ATOMS = (str, int, float, complex, bytes, bool, type(None), torch.dtype, torch.device, torch.Size, torch.layout)
CODE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, torch._C.ScriptObject)
CONTAINERS = (list, tuple, set, frozenset, deque, dict)


def fingerprint(*things: Any) -> Fingerprint:
    """All that can be reached from models and arguments, and the state that torch and Python share."""
    return {**{f"shared {name}": value for name, value in shared().items()}, **reached(things)}


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """What differs, by name: what was, and what is."""
    missing = object()
    return [
        f"{name}: was {before.get(name, '(absent)')!s:.200}, is {after.get(name, '(absent)')!s:.200}"
        for name in {**before, **after}
        if before.get(name, missing) != after.get(name, missing)
    ]


def shared() -> Fingerprint:
    """State outside of any model."""
    name, keys, position, *rest = np.random.get_state()  # noqa: NPY002  the old global generator is what models use
    return {
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "autocast cache": torch.is_autocast_cache_enabled(),
        "default dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "fast attention": torch.backends.mha.get_fastpath_enabled(),
        "torch generator": content(torch.get_rng_state()),
        "random generator": random.getstate(),
        "numpy generator": (name, zlib.crc32(keys.tobytes()), position, *rest),
        "function modes": len(_get_current_function_mode_stack()),
        "dispatch modes": len(_get_current_dispatch_mode_stack()),
        "module call": nn.Module.__call__,
        "module attributes": sorted(nn.Module.__dict__),
        "function apply": torch.autograd.Function.__dict__["apply"],
        "global hooks": [list(value) for key, value in sorted(vars(module_hooks).items()) if key.endswith("_hooks")],
        "compile stance": _stance(),
        "tracing": (sys.gettrace(), sys.getprofile()),
        "threads": threading.active_count(),
        "warnings": list(warnings.filters),
    }


def _stance() -> Any:
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return "default" if dynamo is None else dynamo._stance.stance


def reached(things: tuple[Any, ...]) -> Fingerprint:
    """Every object reachable through attributes and containers, each once, under the first path to it."""
    found: Fingerprint = {}
    queue: deque[tuple[str, Any]] = deque((f"[{index}]", thing) for index, thing in enumerate(things))
    seen: set[int] = set()
    while queue:
        path, thing = queue.popleft()
        if isinstance(thing, (*ATOMS, *CODE)):
            found[path] = thing if isinstance(thing, ATOMS) else id(thing)
            continue
        found[path] = (type(thing).__name__, id(thing))
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Tensor):
            found[path] = tensor_fingerprint(thing)
        elif isinstance(thing, torch.Generator):
            found[path] = content(thing.get_state())
        else:
            queue.extend((f"{path}{step}", item) for step, item in inside(thing))
    return found


def tensors_reached(thing: Any) -> list[Tensor]:
    """Every tensor that can be reached, each once."""
    queue, seen, found = deque([thing]), {}, []
    while queue:
        thing = queue.popleft()
        if id(thing) in seen or isinstance(thing, (*ATOMS, *CODE)):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, Tensor):
            found.append(thing)
        elif not isinstance(thing, nn.Module):
            queue.extend(item for _, item in inside(thing))
    return found


def inside(thing: Any) -> list[tuple[str, Any]]:
    """What an object holds, with the step that leads there; the order of keys and items counts, but not in a set."""
    if isinstance(thing, dict):
        return [("{}", repr(list(thing))), *[(f"[{key!r}]", value) for key, value in thing.items()]]
    if isinstance(thing, (set, frozenset)):
        return [("()", len(thing)), *[(f"[{index}]", item) for index, item in enumerate(sorted(thing, key=repr))]]
    if isinstance(thing, CONTAINERS):
        return [("()", len(thing)), *[(f"[{index}]", item) for index, item in enumerate(thing)]]
    if isinstance(thing, torch.jit.ScriptModule):
        tensors = [*thing.named_parameters(), *thing.named_buffers()]
        return [(".training", thing.training), *[(f".{name}", content(tensor)) for name, tensor in tensors]]
    return [(f".{name}", value) for name, value in getattr(thing, "__dict__", {}).items()]


def tensor_fingerprint(tensor: Tensor) -> tuple[Any, ...]:
    """Identity, kind, place and content of a tensor, its gradient's too."""
    kind = (id(tensor), type(tensor), tensor.dtype, tensor.device, tensor.requires_grad, tensor.is_leaf)
    if isinstance(tensor, UninitializedTensorMixin):
        return kind
    gradient = tensor.grad if tensor.is_leaf else None
    memory = (tensor.shape, tensor.stride(), tensor.storage_offset(), storage(tensor)) if plain(tensor) else ()
    return (*kind, *memory, content(tensor), None if gradient is None else (id(gradient), content(gradient)))


def storage(tensor: Tensor) -> int:
    """Which storage a tensor lies on: equal for tensors that share memory, and as long as they do."""
    return tensor.untyped_storage()._cdata


def plain(tensor: Tensor) -> bool:
    """Whether it is ordinary memory of this process."""
    own_dispatch = type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__
    return not own_dispatch and tensor.layout is torch.strided and not tensor.is_meta


def content(tensor: Tensor) -> Any:
    """A checksum of the bits of a tensor, or how it prints where it is no ordinary memory."""
    if not plain(tensor) or tensor.is_quantized:
        return repr(tensor)
    known = tensor.detach().as_subclass(Tensor).resolve_conj().resolve_neg()
    dense = known.clone(memory_format=torch.contiguous_format)  # also where one element has an odd stride
    return zlib.crc32(memoryview(dense.reshape(-1).view(torch.uint8).numpy()))
