"""How the weights of a file are loaded with torch: what `torchatlas.skeleton` writes into the code that it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchatlas.core.graph import Provenance
from torchatlas.files.load_recipe import Read
from torchatlas.readers.dtypes import BITS
from torchatlas.readers.pickled import Mapping
from torchatlas.readers.weights.packed import is_packed
from torchatlas.readers.weights.rebuilt import STORAGES
from torchatlas.readers.weights.whole import expression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.readers.pickled import Needs
    from torchatlas.readers.weights.checkpoint import Checkpoint

NEWEST = 2
"""The protocol of pickles that ``torch.load(weights_only=True)`` reads."""
TYPES = ("Size", "device", "Tensor", "per_tensor_affine", "per_tensor_symmetric", "per_channel_affine")
PLAIN = frozenset(
    (
        *(f"torch.{name}" for name in (*BITS, *STORAGES, *(f"{each}Storage" for each in STORAGES), *TYPES)),
        *(f"torch.{name}" for name in ("per_channel_symmetric", "per_channel_affine_float_qparams")),
        *(f"torch.storage.{name}" for name in ("TypedStorage", "UntypedStorage")),
        *("collections.OrderedDict", "collections.Counter", "_codecs.encode", "torch.serialization._get_layout"),
        *("builtins.bytearray", "builtins.set", "__builtin__.bytearray", "__builtin__.set"),
        *("torch.nn.parameter.Parameter", "torch._tensor._rebuild_from_type_v2"),
    )
)
"""What ``torch.load(weights_only=True)`` takes."""
OWN = ("quantized", "sparse")
"""How types begin that torch makes by itself, of several tensors."""
REBUILD = "torch._utils._rebuild_"


def read_of(kind: str, needs: Needs, found: Checkpoint) -> Read:
    """How one file of torch or of pickle is loaded.

    Args:
        kind: the format, in words.
        needs: what its pickles name.
        found: what was chosen of it.
    """
    if any(tensor.inner and not tensor.type.startswith(OWN) for tensor in found.tensors.values()):
        return Read("unknown")
    how = "pickle" if kind == "a pickle" else "placeholders" if found.modules or refused(needs) else "torch"
    if not found.modules:
        return Read(how, expression(found.inside), _form(found))
    if not found.around:
        return Read(how, expression(found.inside), "module")
    return Read(how, found.models, "modules")


def _form(found: Checkpoint) -> str:
    if not found.flat:
        return "parts"
    items = found.state.items() if isinstance(found.state, Mapping) else ()
    return "packed" if any(is_packed(key, item) for key, item in items) else "flat"


def refused(needs: Needs) -> tuple[str, ...]:
    """What of it ``torch.load(weights_only=True)`` does not take, in words."""
    names = sorted(str(named) for named in needs.names)
    found = [name for name in names if name not in PLAIN and not name.startswith(REBUILD)]
    return (*found, *((f"protocol {needs.protocol} of pickle",) if needs.protocol > NEWEST else ()))


def below(reads: Iterable[Read], folder: str, file: str = "", prefix: str = "") -> tuple[Read, ...]:
    """The same files, seen from the folder around: ``file`` is the one that has no other name."""
    return tuple(
        read._replace(file="/".join(filter(None, (folder, read.file or file))), prefix=f"{prefix}{read.prefix}")
        for read in reads
    )


def packed(reads: Iterable[Read], member: str) -> tuple[Read, ...]:
    """The same files as members of an archive: ``member`` is the one that has no other name."""
    return tuple(read._replace(file=read.file or member, packed=True) for read in reads)


def provenance_of(checkpoint: Checkpoint) -> Provenance:
    """What a graph says of the file."""
    return Provenance(
        weights_format=checkpoint.format,
        weights_file=checkpoint.file or None,
        reads=text(checkpoint) or None,
        state_dict=expression(checkpoint.inside) or None,
        apart=not checkpoint.flat,
    )


def text(checkpoint: Checkpoint) -> str:
    """How a file is loaded, as JSON; empty where that is not known."""
    return json.dumps([list(read) for read in checkpoint.reads]) if checkpoint.reads else ""
