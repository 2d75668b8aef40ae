"""A copy of a model with other tensors in it, on which its code may run: the model itself never notices.

Every module of the copy is made empty, without calling the class, and is given copies of what the module holds. So no
``__deepcopy__`` of a module runs, its depth does not matter, and what cannot be copied (locks, files, processes) is
shared and nothing else.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.capture.contents import is_a
from torchatlas.capture.state import own_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


def copied(model: nn.Module, modules: Iterable[nn.Module], twin: Callable[[Tensor], Tensor]) -> nn.Module:
    """Give a copy of a model.

    Args:
        model: one of the modules.
        modules: it and all modules inside it.
        twin: gives what stands in the copy for a parameter or buffer.
    """
    memo: dict[int, Any] = {}
    eager = [module for module in modules if not is_a(module, torch.jit.ScriptModule)]
    for module in eager:
        memo[id(module)] = object.__new__(type(module))
        memo.update((id(tensor), twin(tensor)) for tensor in own_tensors(module))
    for module in eager:
        there = vars(memo[id(module)])
        for name, value in vars(module).items():
            there[name] = _copied(value, memo)
    made: nn.Module = copy.deepcopy(model, memo)  # what was noted above, or TorchScript, which copies itself
    return made


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - classes of the user's may raise anything; then the copy shares it
        return value
