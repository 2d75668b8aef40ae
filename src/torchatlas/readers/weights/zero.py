"""Tensors that ZeRO divided among processes: empty placeholders in the file, whose shapes it notes beside them.

At stage 3 each process has a flat piece of all parameters together, among the states of its optimizer; the module's
tensors are empty, and ``param_shapes`` says what shapes they have.

Source: ``deepspeed/runtime/engine.py`` (``_save_checkpoint``), ``deepspeed/utils/zero_to_fp32.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.dtypes import size_of
from torchatlas.readers.pickled import Mapping
from torchatlas.readers.weights.rebuilt import sizes
from torchatlas.readers.weights.stored import Stored, contiguous

if TYPE_CHECKING:
    from collections.abc import Iterator


EMPTY = "the tensors are empty in the file, since ZeRO divided their numbers"


def filled(root: object) -> tuple[object, tuple[str, ...]]:
    """Give what a file of torch holds, its empty placeholders with the shapes that ZeRO noted; and what to say of it.

    Raises:
        FileError: it is the state of an optimizer alone.
    """
    if not isinstance(root, Mapping):
        return root, ()
    state = root.get("optimizer_state_dict")
    if isinstance(state, Mapping) and "zero_stage" in state and "module" not in root:
        raise FileError(
            "the state of an optimizer that DeepSpeed divided (ZeRO), without names of tensors. Open the"
            " *_model_states.pt beside it, or the folder."
        )
    module = root.get("module")
    shapes = dict(_shapes(root))
    if not isinstance(module, Mapping) or not shapes:
        return root, ()
    made = Mapping()
    made.attributes = module.attributes
    owners = dict(_shared(root))
    for name, item in module.items():
        owner = owners.get(name, name)
        empty = isinstance(item, Stored) and not item.numel and owner in shapes
        made[name] = _whole(owner, shapes[owner], item) if empty else item
    count = sum(item is not module[name] for name, item in made.items())
    if not count:
        return root, ()
    whole = Mapping()
    whole.update(root)
    whole["module"] = made
    note = (
        f"{count:,} tensors are empty in the file, because their numbers are divided among the optimizer states of all"
        " processes (ZeRO stage 3). Their shapes are those of param_shapes; zero_to_fp32.py of DeepSpeed joins the"
        " numbers."
    )
    return whole, (note,)


def _whole(name: object, shape: tuple[int, ...], placeholder: Stored) -> Stored:
    made = replace(placeholder, shape=shape, stride=contiguous(shape), offset=0, storage=("zero", name), place=None)
    return replace(made, nbytes=size_of(made.dtype, made.numel))


def _shapes(root: Mapping) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Shapes by name: a dictionary for each group of the optimizer, and one for what it does not train."""
    for key in ("param_shapes", "frozen_param_shapes"):
        groups = root.get(key)
        for group in groups if isinstance(groups, (list, tuple)) else (groups,):
            if isinstance(group, Mapping):
                yield from ((name, sizes(shape)) for name, shape in group.items() if isinstance(name, str))


def _shared(root: Mapping) -> Iterator[tuple[str, str]]:
    """Pairs of names of one tensor, of which only the second has a shape."""
    pairs = root.get("shared_params")
    items = pairs.items() if isinstance(pairs, Mapping) else pairs if isinstance(pairs, list) else ()
    for pair in items:
        if isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(name, str) for name in pair):  # noqa: PLR2004 - two names
            yield pair[0], pair[1]
