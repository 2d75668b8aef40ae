"""Files as atlases: `open` reads what others have written, `load` what torchatlas has; `skeleton` writes their code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.api.atlas import Atlas
from torchatlas.files import codec

if TYPE_CHECKING:
    import os

__all__ = ["load", "open", "skeleton"]


def load(path: str | os.PathLike[str]) -> Atlas:
    """Read an ``.atlas`` file.

    Raises:
        FileError: it is missing, damaged, of another kind, or written by a newer torchatlas.
    """
    return Atlas(codec.read(path))


def open(  # noqa: A001 - as PIL.Image.open; nothing here opens a file otherwise
    path: str | os.PathLike[str], *, key: str | None = None, statistics: bool = False
) -> Atlas:
    """Read the model in a file, without its code.

    Its content says what kind of file it is, and not its name: ``.onnx`` (needs the extra ``torchatlas[onnx]``),
    programs of ``torch.export.save`` (``.pt2``), archives of ``torch.jit.save``, weights (``.safetensors``, and what
    ``torch.save``, ``pickle``, ``torch.distributed.checkpoint`` and DeepSpeed write), ``.atlas``, and the JSON that
    `Atlas.save` writes. Nothing in it is executed, no code is unpickled, and weights are not loaded.

    Args:
        path: of the file; of weights in several files, their index or their folder; of an archive (zip, tar, packed or
            not) with a model inside.
        key: of a checkpoint that holds several dictionaries of weights, the one that is meant: ``"model_ema"``, or
            ``"state.model"`` for one inside another. Without, the one that most likely is the network's; notes say
            which that is, and what else there is. Of a folder or an archive, also the name of a file, folder or part
            in it: ``"vae"``.
        statistics: of weights alone, read all their numbers, a piece at a time, and lay over the modules the mean, the
            standard deviation, least, greatest, and share of zeros of what each holds.

    Returns:
        The atlas. Sizes that vary are -1, and a note says what they are called in the file. Of weights alone, the
        structure that they most likely belonged to; of a model that was pickled whole, its own, as the file has it.

    Raises:
        FileError: it is missing, damaged, encrypted, or of another kind; the message says what it looks like.
        InputError: no weights stand under the key, and the message lists the keys that there are; a key or statistics
            of a file that is no file of weights.
        MissingError: reading this kind needs an optional package; the message names the extra.
    """
    from torchatlas.readers import open as reading  # noqa: PLC0415  # the readers are loaded when asked for

    graph = reading.read(path, key)
    graph = reading.with_statistics(path, graph, key) if statistics else graph
    return Atlas(graph, opened=(Path(path).absolute(), key))


def skeleton(path: str | os.PathLike[str], *, key: str | None = None) -> str:
    """Write the Python code of a module tree that has exactly the parameter names and shapes of a file of weights.

    The file is read as `open` reads it: nothing of it is executed, no tensor is loaded.

    Args:
        path: of any file that `open` reads.
        key: as `open` takes it.

    Returns:
        Source text with a class ``Model``, whose ``load_state_dict(weights, strict=True)`` takes the file's weights.
        Classes of layers are inferred, with how sure that is beside them, or known of a model that was pickled whole;
        ``forward`` is left to be written, and ``load()`` gives the model with the file's weights.

    Raises:
        FileError: missing, damaged, foreign or harmful; the message says which.
        InputError: it holds no named parameters, or none under the key.
    """
    from torchatlas.readers.open import opened  # noqa: PLC0415  # the readers are loaded when asked for
    from torchatlas.readers.weights import apart  # noqa: PLC0415  # as above
    from torchatlas.views.skeleton.skeleton import skeleton as write  # noqa: PLC0415  # as above

    graph, weights = opened(path, key)
    return write(graph if weights is None else apart(Path(path), graph, weights), Path(path).name)
