"""A copy of a model with other tensors in it, on which its code may run: the model itself never notices.

Every module of the copy is made empty, without calling the class, and is given copies of what the module holds. So no
``__deepcopy__`` of a module runs, its depth does not matter, and what cannot be copied (locks, files, processes) is
shared and nothing else.
"""

from __future__ import annotations

import copy
import functools
import weakref
from collections import OrderedDict
from contextlib import suppress
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.capture.objects.contents import is_a, stores
from torchatlas.capture.objects.tree import PLAIN
from torchatlas.capture.restore.no_trace import own_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


HOOKS = ("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks", "_state_dict_hooks", "_state_dict_pre_hooks")


def copied(model: nn.Module, modules: Iterable[nn.Module], twin: Callable[[Tensor], Tensor]) -> nn.Module:
    """Give a copy of a model.

    Args:
        model: one of the modules.
        modules: it and all modules inside it.
        twin: gives what stands in the copy for a parameter or buffer.
    """
    memo: dict[int, Any] = {}
    functions: dict[int, Any] = {}
    eager = [module for module in modules if not is_a(module, torch.jit.ScriptModule)]
    for module in eager:
        memo[id(module)] = object.__new__(type(module))
        for tensor in own_tensors(module):
            if id(tensor) not in memo:
                memo[id(tensor)] = twin(tensor)
    for module in eager:
        made = memo[id(module)]
        there = vars(made)
        for name, value in vars(module).items():
            there[name] = value if type(value) in PLAIN else _copied(value, memo)
        for _, slot in stores(type(module))[1]:
            with suppress(AttributeError):  # never set
                slot.__set__(made, _copied(slot.__get__(module), memo))
        for name in HOOKS:
            hooks = there.get(name, {})
            hooks.update((key, _rebound(hook, memo, functions)) for key, hook in list(hooks.items()))
    root: nn.Module = copy.deepcopy(model, memo)  # what was noted above, or TorchScript, which copies itself
    return root


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    known = len(memo)
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - classes of the user's may raise anything; then the copy shares it
        while len(memo) > known:  # what was half made is nothing that others may hold
            memo.popitem()
        if type(value) in (dict, OrderedDict):
            return type(value)((key, _copied(item, memo)) for key, item in value.items())
        if type(value) in (list, tuple):
            return type(value)(_copied(item, memo) for item in value)
        return value


def _rebound(hook: Any, memo: dict[int, Any], made: dict[int, Any]) -> Any:
    """A hook that reaches the copy where it reached the model: a function goes on holding what it was made around.

    ``made`` has the functions that were so made, by those that they are made of.
    """
    if is_a(hook, functools.partial):
        args = (_rebound(arg, memo, made) for arg in hook.args)
        return functools.partial(_rebound(hook.func, memo, made), *args, **hook.keywords)
    if is_a(hook, FunctionType) and hook.__closure__:
        if id(hook) not in made:
            cells = tuple(CellType() for _ in hook.__closure__)
            again = FunctionType(hook.__code__, hook.__globals__, hook.__name__, hook.__defaults__, cells)
            again.__kwdefaults__ = hook.__kwdefaults__
            made[id(hook)] = again
            for cell, old in zip(cells, hook.__closure__, strict=True):
                with suppress(ValueError):  # it has no content yet
                    cell.cell_contents = _rebound(_copied(old.cell_contents, memo), memo, made)
        return made[id(hook)]
    inner = getattr(hook, "__dict__", {}).get("hook") if type(hook).__module__.startswith("torch.nn.") else None
    if is_a(inner, (FunctionType, functools.partial)):  # as torch wraps those that are given the module
        hook = copy.copy(hook)  # it may be shared
        hook.hook = _rebound(inner, memo, made)
        module = hook.module() if hook.with_module else None
        if module is not None:
            hook.module = weakref.ref(memo.get(id(module), module))
    return hook
