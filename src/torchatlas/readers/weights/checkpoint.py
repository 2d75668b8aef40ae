"""What of a file makes a module."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.files.load_recipe import Read
    from torchatlas.readers.weights.stored import Stored
    from torchatlas.readers.weights.whole import PickledModule


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What of a file makes a module: named tensors, and what must be said beside them.

    Attributes:
        tensors: by their full names, in the order of the file.
        format: what kind of file it is, in words.
        versions: of every module that ``state_dict`` met, by path, in its order; empty where the file does not say.
        plain: entries that ``load_state_dict`` wants although they are no tensors (``_extra_state``), in words.
        inside: the keys that lead to the dictionary that was chosen (``state_dict``), empty for the whole file.
        ordered: whether they stand in the order in which the model registered them.
        flat: whether what stands there is what ``load_state_dict`` takes, and not dictionaries, lists or arrays.
        file: the name of the file itself, where a folder was given.
        notes: what was left out, not built, or not there.
        modules: of a model that was pickled whole, every module with its paths; empty for weights alone.
        around: where these are of several models, what holds them, in a word; empty for one.
        models: of several, Python that gives them by name out of what is ``saved`` in the file.
        reads: how the file, or each of several, is loaded with torch; empty where that is not known.
        state: what ``torch.load`` gives, at ``inside``: dictionaries, tensors as `Stored`, and what was not built; None
            of files that hold tensors and nothing else.
        metadata: of ``.safetensors``, what the file says beside its tensors.
        empty: why what the file has in the place of its tensors cannot be loaded; empty where it can.
    """

    tensors: Mapping[str, Stored]
    format: str
    versions: Mapping[str, int] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str | int, ...] = ()
    ordered: bool = True
    flat: bool = True
    file: str = ""
    notes: tuple[str, ...] = ()
    modules: tuple[tuple[tuple[str, ...], PickledModule], ...] = ()
    around: str = ""
    models: str = ""
    reads: tuple[Read, ...] = ()
    state: object = None
    empty: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
