"""Models and weights that load, or do not, for reasons that names and shapes do not tell."""

from __future__ import annotations

import copy
import functools
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrizations

if TYPE_CHECKING:
    from collections.abc import Callable


class Tally(nn.Module):
    """Keeps a number that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.calls = 5

    def get_extra_state(self) -> Any:
        """What is saved beside the tensors."""
        return {"calls": self.calls, "names": ["a", "b"]}

    def set_extra_state(self, state: Any) -> None:
        """What is loaded of it."""
        self.calls = state["calls"]


class Scaled(Tally):
    """Keeps it as a tensor, whose number its code reads."""

    def get_extra_state(self) -> Any:
        """A tensor."""
        return torch.tensor([4.0, 2.0])

    def set_extra_state(self, state: Any) -> None:
        """Its numbers decide."""
        if state[0].item() != 4.0:
            raise ValueError("the scale is not 4")
        self.calls = int(state[1])


class Renaming(nn.Module):
    """Was saved under other names once, as many modules were."""

    def __init__(self) -> None:
        super().__init__()
        self.new = nn.Linear(3, 2)

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        for key in list(state):
            if key.startswith(f"{prefix}old."):
                state[key.replace("old.", "new.")] = state.pop(key)
        super()._load_from_state_dict(state, prefix, *rest)


class Versioned(nn.Module):
    """What was saved before version 2 has another form."""

    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(2, 3))

    def _load_from_state_dict(self, state: Any, prefix: str, metadata: Any, *rest: Any) -> None:
        if (metadata.get("version") or 1) < 2:
            state[f"{prefix}table"] = state[f"{prefix}table"].reshape(2, 3)
        super()._load_from_state_dict(state, prefix, metadata, *rest)


class Hooked(nn.Module):
    """Hooks on the way in: one puts in what is missing and writes into the module, one forgives what is too much."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.loaded: list[str] = []
        self.register_load_state_dict_pre_hook(self._before)
        self.register_load_state_dict_post_hook(self._after)

    def _before(self, module: Any, state: Any, prefix: str, *_: Any) -> None:
        module.loaded.append(prefix)
        module.seen = True
        state.setdefault(f"{prefix}layer.bias", torch.zeros(2))

    def _after(self, _: Any, keys: Any) -> None:
        keys.unexpected_keys[:] = [key for key in keys.unexpected_keys if "junk" not in key]


class Tied(nn.Module):
    """One weight, two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight


class Adapted(nn.Module):
    """A layer with an adapter around it, which loads files of the bare layer."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(4, 4)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)
        self.register_load_state_dict_post_hook(_forgive)

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        for name in ("weight", "bias"):
            if f"{prefix}{name}" in state:
                state[f"{prefix}base_layer.{name}"] = state.pop(f"{prefix}{name}")
        super()._load_from_state_dict(state, prefix, *rest)


def _forgive(_: Any, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if "down" not in key and "up" not in key]


class Spread(nn.Module):
    """A buffer whose elements are one in memory, which torch does not write."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(1).expand(4))


class Locked(nn.Module):
    """Cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.lock, self.lines = nn.Linear(3, 2), threading.Lock(), (line for line in "ab")
        self.counts = Counts()
        self.counts.lock = self.lock
        self._register_load_state_dict_pre_hook(functools.partial(_count, self.counts))


def _count(counts: Any, *_: Any) -> None:
    assert counts.loads == 0


class Refusing(nn.Module):
    """Its own code raises."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def _load_from_state_dict(self, state: Any, prefix: str, *_: Any) -> None:
        raise KeyError(f"{prefix}format")


class Buffers(nn.Module):
    """One buffer is saved, one is not, one is none."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(3))
        self.register_buffer("fresh", torch.zeros(2), persistent=False)
        self.register_buffer("empty", None)
        self.register_parameter("nothing", None)


class Closed(nn.Module):
    """A hook writes into what it was made around."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.counts = nn.Linear(3, 2), Counts()
        counts = self.counts

        def count(*_: Any) -> None:
            counts.loads += 1

        self._register_load_state_dict_pre_hook(count)
        self.register_load_state_dict_post_hook(functools.partial(lambda add, *_: add(), count))


class Counts:
    """How often something happened."""

    def __init__(self) -> None:
        self.loads = 0


class Slotted(nn.Linear):
    """Keeps an attribute in a slot."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.names = ["weight", "bias"]

    def _load_from_state_dict(self, state: Any, *rest: Any) -> None:
        if sorted(state) != sorted(self.names):
            raise ValueError(self.names.pop())
        super()._load_from_state_dict(state, *rest)


def _quantized() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), {nn.Linear})


def _normed(*, old: bool) -> nn.Module:
    layer = nn.Linear(3, 2)
    return nn.Sequential(nn.utils.weight_norm(layer) if old else parametrizations.weight_norm(layer))


def _lazy(*, run: bool) -> nn.Module:
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    if run:
        model(torch.zeros(2, 3))
    return model


def _state(model: nn.Module) -> Any:
    return copy.copy(model.state_dict())


def _with(state: Any, **entries: Any) -> Any:
    state.update({name.replace("__", "."): entry for name, entry in entries.items()})
    return state


def _without(state: Any, pattern: str) -> Any:
    for key in [key for key in state if re.search(pattern, key)]:
        del state[key]
    return state


def _bare(state: Any) -> dict[str, Any]:
    """Without versions, as files of others have none."""
    return dict(state)


def _meta(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).to("meta")


Pair = tuple[Any, Any]


def _unversioned() -> Pair:
    state = _state(Versioned())
    state["table"] = torch.zeros(6)
    state._metadata = OrderedDict({"": {"version": 1}})
    return Versioned(), state


def _compiled() -> Pair:
    model = torch.compile(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    return model, _state(model)


def _inferring() -> Pair:
    with torch.inference_mode():
        model = nn.Linear(3, 2)
    return model, _state(nn.Linear(3, 2))


def _attention() -> Pair:
    state = _state(nn.MultiheadAttention(4, 2))
    state["q_proj_weight"] = torch.zeros(4, 4)
    return nn.MultiheadAttention(4, 2), state


def _norm() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _versions(state: Any, version: int | None) -> Any:
    for local in state._metadata.values():
        local["version"] = version
    return state


PAIRS: dict[str, Callable[[], Pair]] = {
    "extra state": lambda: (Tally(), _state(Tally())),
    "extra state of a model without": lambda: (nn.ModuleDict({"layer": nn.Linear(3, 2)}), _state(Tally())),
    "no extra state": lambda: (Tally(), _without(_state(Tally()), "_extra")),
    "extra state of another form": lambda: (Tally(), _with(_state(Tally()), _extra_state=7)),
    "extra state whose number is read": lambda: (Scaled(), _state(Scaled())),
    "extra state with another number": lambda: (Scaled(), _with(_state(Scaled()), _extra_state=torch.zeros(2))),
    "an array of NumPy": lambda: (nn.Linear(3, 2), _with(_state(nn.Linear(3, 2)), bias=np.zeros(2, "f4"))),
    "a number": lambda: (nn.Linear(3, 2), _with(_state(nn.Linear(3, 2)), bias=1.5)),
    "a number too much": lambda: (nn.Linear(3, 2), _with(_state(nn.Linear(3, 2)), epoch=3)),
    "a compiled model": _compiled,
    "a compiled model and the bare one's": lambda: (torch.compile(nn.Linear(3, 2)), _state(nn.Linear(3, 2))),
    "a bare model and the compiled one's": lambda: (nn.Linear(3, 2), _state(torch.compile(nn.Linear(3, 2)))),
    "weight norm, old names": lambda: (_normed(old=False), _state(_normed(old=True))),
    "weight norm, new names": lambda: (_normed(old=False), _state(_normed(old=False))),
    "old weight norm, new names": lambda: (_normed(old=True), _state(_normed(old=False))),
    "old weight norm": lambda: (_normed(old=True), _state(_normed(old=True))),
    "spectral norm": lambda: (parametrizations.spectral_norm(nn.Linear(3, 2)), _state(nn.Linear(3, 2))),
    "renames as it loads": lambda: (
        Renaming(),
        OrderedDict((k.replace("new", "old"), v) for k, v in _state(Renaming()).items()),
    ),
    "an older version": _unversioned,
    "an older form of this version": lambda: (Versioned(), _with(_state(Versioned()), table=torch.zeros(6))),
    "no version": lambda: (Versioned(), {"table": torch.zeros(6)}),
    "hooks": lambda: (Hooked(), _with(_without(_state(Hooked()), "bias"), junk=torch.zeros(1))),
    "hooks that do not help": lambda: (Hooked(), _without(_state(Hooked()), "weight")),
    "lazy and lazy": lambda: (_lazy(run=False), _state(_lazy(run=False))),
    "lazy and its run": lambda: (_lazy(run=False), _state(_lazy(run=True))),
    "a run and lazy": lambda: (_lazy(run=True), _state(_lazy(run=False))),
    "quantized": lambda: (_quantized(), _state(_quantized())),
    "quantized and not": lambda: (nn.Sequential(nn.Linear(4, 3)), _state(_quantized())),
    "not and quantized": lambda: (_quantized(), _state(nn.Sequential(nn.Linear(4, 3)))),
    "a quantized tensor": lambda: (
        nn.Linear(3, 2),
        _with(_state(nn.Linear(3, 2)), weight=torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.qint8)),
    ),
    "a sparse tensor": lambda: (nn.Linear(3, 2), _with(_state(nn.Linear(3, 2)), weight=torch.zeros(2, 3).to_sparse())),
    "a sparse tensor by rows": lambda: (
        nn.Linear(3, 2),
        _with(_state(nn.Linear(3, 2)), weight=torch.eye(2, 3).to_sparse_csr()),
    ),
    "a tensor on meta": lambda: (nn.Linear(3, 2), _state(nn.Linear(3, 2, device="meta"))),
    "a model on meta": lambda: (_meta(nn.Linear(3, 2)), _state(nn.Linear(3, 2))),
    "both on meta": lambda: (_meta(nn.Linear(3, 2)), _state(_meta(nn.Linear(3, 2)))),
    "no counter": lambda: (_norm(), _without(_state(_norm()), "num_batches")),
    "no counter and no version": lambda: (_norm(), _bare(_without(_state(_norm()), "num_batches"))),
    "no counter and the first version": lambda: (_norm(), _versions(_without(_state(_norm()), "num_batches"), 1)),
    "a counter of one element": lambda: (
        _norm(),
        {**_state(_norm()), "1.num_batches_tracked": torch.zeros(1, dtype=torch.long)},
    ),
    "no mean and no counter": lambda: (_norm(), _bare(_without(_state(_norm()), "num_batches|mean"))),
    "attention with another name": _attention,
    "a tied weight once": lambda: (Tied(), _without(_state(Tied()), "head")),
    "a tied weight twice": lambda: (Tied(), _state(Tied())),
    "an adapter and the bare layer": lambda: (
        nn.Sequential(Adapted()),
        {f"0.{k}": v for k, v in _state(nn.Linear(4, 4)).items()},
    ),
    "data parallel": lambda: (nn.DataParallel(_norm()), _state(nn.DataParallel(_norm()))),
    "data parallel and the bare model's": lambda: (nn.DataParallel(_norm()), _state(_norm())),
    "the data parallel one's": lambda: (_norm(), _state(nn.DataParallel(_norm()))),
    "elements that are one": lambda: (Spread(), _state(Spread())),
    "made for inference": _inferring,
    "cannot be copied": lambda: (Locked(), _state(Locked())),
    "a hook with a closure": lambda: (Closed(), _state(Closed())),
    "slots": lambda: (Slotted(), _state(nn.Linear(3, 2))),
    "slots, and its code raises": lambda: (Slotted(), _without(_state(nn.Linear(3, 2)), "bias")),
    "its code raises": lambda: (Refusing(), _state(Refusing())),
    "buffers of all kinds": lambda: (Buffers(), _state(Buffers())),
    "a buffer that is not saved": lambda: (Buffers(), _with(_state(Buffers()), fresh=torch.zeros(2))),
    "a buffer that is none": lambda: (Buffers(), _with(_state(Buffers()), empty=torch.zeros(2))),
    "other types": lambda: (_norm(), {k: v.to(torch.complex64) for k, v in _state(_norm()).items()}),
    "half": lambda: (_norm(), _state(_norm().half())),
    "a scalar for one element": lambda: (nn.ParameterDict({"a": torch.zeros(1)}), {"a": torch.tensor(1.0)}),
    "one element for a scalar": lambda: (nn.ParameterDict({"a": torch.tensor(1.0)}), {"a": torch.zeros(1)}),
    "what broadcasts": lambda: (nn.Linear(3, 2), _with(_state(nn.Linear(3, 2)), weight=torch.zeros(1, 3))),
    "TorchScript": lambda: (torch.jit.script(_norm()), _without(_state(_norm()), "0.bias")),
    "TorchScript inside": lambda: (nn.Sequential(torch.jit.script(_norm())), _state(nn.Sequential(_norm()))),
    "parameters in a file": lambda: (_norm(), OrderedDict(_norm().named_parameters())),
}  # fmt: skip
"""Makes a model and a state dict, by what is awkward about them."""


def pair_of(name: str) -> Pair:
    """A model and a state dict, the same every time."""
    torch.manual_seed(0)
    return PAIRS[name]()
