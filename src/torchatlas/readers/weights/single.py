"""One file of weights: what kind it is, told from its first bytes, and its tensors."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.files.load_recipe import Read
from torchatlas.files.sniff import ENOUGH, PICKLES, ZIP, is_tar, looks_like
from torchatlas.readers.pickled import Damaged, Foreign, Global, Needs
from torchatlas.readers.weights import archive, legacy, safetensors, zero
from torchatlas.readers.weights.checkpoint import Checkpoint
from torchatlas.readers.weights.choice import choose, refuse_key
from torchatlas.readers.weights.loadable import read_of
from torchatlas.readers.weights.rebuilt import call, source_of
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torchatlas.readers.source import Source
    from torchatlas.readers.weights.rebuilt import Call

INNER = "torch.storage._load_from_bytes"
"""What pickles of a tensor call by themselves, outside ``torch.save``: it loads a file of ``torch.save`` from bytes."""
DEEPEST = 4
"""Files inside files inside a pickle."""
NAMED = 5
"""How many keys a note names."""
WANTED = "Wanted weights: what torch.save writes of a state_dict, .safetensors, or an index of several files."


def kind_of(head: bytes) -> str | None:
    """What kind of file of weights begins so, by the name of its part of this package; None for another file."""
    if head.startswith(ZIP):
        return "archive"
    if head.startswith(PICKLES):
        return "legacy"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= safetensors.LARGEST:
        return "safetensors"
    return None


def head_of(source: Source) -> bytes:
    """Give the first bytes."""
    with source.open() as file:
        return file.read(ENOUGH)


def load(source: Source, key: str | None = None) -> Checkpoint:
    """Give the tensors of a file by name.

    Args:
        source: the file.
        key: of the dictionary that is meant, where the file holds several.

    Raises:
        FileError: missing, damaged, encrypted, foreign, harmful, or not weights alone; the message says which.
        InputError: there is no such key.
    """
    with named(source):
        if kind_of(head_of(source)) == "safetensors":
            tensors, metadata = safetensors.load(source)
            refuse_key(source, key)
            notes = _tied_elsewhere(metadata, tensors)
            reads = (Read("safetensors"),)
            return Checkpoint(
                tensors, "a .safetensors file", ordered=False, notes=notes, reads=reads, metadata=metadata
            )
        needs = Needs()
        held, kind = _object(source, 0, needs)
        root, notes = zero.filled(held)
        found = choose(source, root, kind, key)
        if notes:
            return replace(found, notes=(*found.notes, *notes), empty=zero.EMPTY)
        return replace(found, reads=(read_of(kind, needs, found),))


def load_object(source: Source) -> tuple[object, str]:
    """Give the object that ``torch.save`` or ``pickle`` wrote, its tensors as `Stored`, and what kind of file it is.

    Raises:
        FileError: as `load`.
    """
    return _object(source, 0, Needs())


def _object(source: Source, depth: int, needs: Needs) -> tuple[object, str]:
    head = head_of(source)
    kind = kind_of(head)
    if kind == "archive":
        return archive.load(source, _calls(depth), needs), "a file of torch.save"
    if kind == "legacy":
        return legacy.load(source, _calls(depth), needs)
    if is_tar(head):
        raise FileError(
            f"{source}: a tar archive. If it is one of torch before 0.1.10, load it with torch.load and save it again."
        )
    raise FileError(f"{source}: {looks_like(head) if head else 'an empty file'}. {WANTED}")


def _calls(depth: int) -> Call:
    """What calls in a pickle give, where a tensor may be a file of ``torch.save`` inside it."""

    def apply(called: Global | Foreign, args: object) -> object:
        if str(called) != INNER or not isinstance(args, tuple) or len(args) != 1:
            return call(called, args)
        inner = source_of(args[0], "a tensor in its pickle")
        if inner is None or depth >= DEEPEST:
            raise Damaged(f"it calls {INNER} for what are no bytes, or too deep inside each other")
        held, _ = _object(inner, depth + 1, Needs())
        if not isinstance(held, Stored):
            return held
        return replace(held, storage=(inner.start, id(inner.unpacked), held.storage))  # keys are of that file alone

    return apply


@contextmanager
def named(source: Path | Source) -> Iterator[None]:
    """What goes wrong says in which file."""
    try:
        yield
    except Damaged as error:
        raise FileError(f"{source}: a damaged pickle: {error}. Copy the file again from where it came.") from None
    except FileError as error:
        said = str(error)
        raise FileError(said if said.startswith(str(source)) else f"{source}: {said}") from None
    except FileNotFoundError:
        raise FileError(f"{source}: there is no such file.") from None
    except OSError as error:
        raise FileError(f"{source}: it cannot be read: {error.strerror or error}.") from None


def _tied_elsewhere(metadata: Mapping[str, str], tensors: Mapping[str, Stored]) -> tuple[str, ...]:
    """What ``safetensors.torch.save_model`` left out because it is another name of what is there."""
    tied = [f"{name} is tied to {kept}" for name, kept in metadata.items() if kept in tensors and name not in tensors]
    more = f" and {len(tied) - NAMED:,} more" if len(tied) > NAMED else ""
    said = "The file leaves out these names, which share tensors that it holds"
    return (f"{said}: {', '.join(tied[:NAMED])}{more}.",) if tied else ()
