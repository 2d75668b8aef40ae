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

    >>> path = ta.capture(torch.nn.Linear(4, 3), (1, 4)).save("linear.atlas")
    >>> ta.load(path)
    Atlas(Linear, 2 calls, 1 modules)

    Raises:
        FileError: it is missing, damaged, of another kind, or written by a newer torchatlas.
    """
    return Atlas(codec.read(path))


def open(  # noqa: A001 - as PIL.Image.open; nothing here opens a file otherwise
    path: str | os.PathLike[str], *, key: str | None = None, statistics: bool = False
) -> Atlas:
    """Read the model in a file, without its code.

    The kind of file is recognised from its content, not its name: ``.onnx`` (needs the extra ``torchatlas[onnx]``),
    programs of ``torch.export.save`` (``.pt2``), archives of ``torch.jit.save``, weights (``.safetensors``, and what
    ``torch.save``, ``pickle``, ``torch.distributed.checkpoint`` and DeepSpeed write), ``.atlas``, and the JSON that
    `Atlas.save` writes. Nothing in it is executed, no code is unpickled, and weights are not loaded.

    >>> torch.save(torch.nn.Linear(4, 3).state_dict(), "linear.pt")
    >>> ta.open("linear.pt").totals.parameters
    15

    Args:
        path: of the file; of weights in several files, their index or their folder; of an archive (zip, tar, packed or
            not) with a model inside.
        key: which dictionary of weights to read from a checkpoint with several: ``"model_ema"``, or ``"state.model"``
            for a nested one. By default the one that is most likely the network's; notes say which, and what else there
            is. For a folder or an archive, also the name of a file, folder or part in it: ``"vae"``.
        statistics: for files of weights: read all numbers, a piece at a time, and add the mean, standard deviation,
            minimum, maximum and share of zeros of each module's tensors as overlays.

    Returns:
        The atlas. Dynamic sizes are -1, and a note gives their names in the file. For weights alone it has the most
        likely structure; for a model that was pickled whole, the structure in the file.

    Raises:
        FileError: it is missing, damaged, encrypted, or of another kind; the message says what it looks like.
        InputError: there are no weights under the key (the message lists the keys), or a key or statistics were asked
            for although the file holds a graph.
        MissingError: reading this kind needs an optional package; the message names the extra.
    """
    from torchatlas.readers import open as reading  # noqa: PLC0415  # the readers are loaded when asked for

    graph = reading.read(path, key)
    graph = reading.with_statistics(path, graph, key) if statistics else graph
    return Atlas(graph, opened=(Path(path).absolute(), key))


def skeleton(path: str | os.PathLike[str], *, key: str | None = None) -> str:
    """Write the Python code of a module tree that has exactly the parameter names and shapes of a file of weights.

    The file is read as `open` reads it: nothing of it is executed, no tensor is loaded.

    >>> torch.save(torch.nn.Sequential(torch.nn.Linear(4, 3)).state_dict(), "net.pt")
    >>> "nn.Linear(4, 3)" in ta.skeleton("net.pt")
    True

    Args:
        path: of any file that `open` reads.
        key: as `open` takes it.

    Returns:
        Source text with a class ``Model``, whose ``load_state_dict(weights, strict=True)`` takes the file's weights.
        Classes of layers are inferred, each with a confidence, or known if the model was pickled whole. ``forward`` is
        left for you to write; ``load()`` returns the model with the file's weights.

    Raises:
        FileError: the file is missing, damaged, of another kind, or harmful; the message says which.
        InputError: the file holds no named parameters, or none under the key.
    """
    from torchatlas.readers.open import opened  # noqa: PLC0415  # the readers are loaded when asked for
    from torchatlas.readers.weights import apart  # noqa: PLC0415  # as above
    from torchatlas.views.skeleton.skeleton import skeleton as write  # noqa: PLC0415  # as above

    graph, weights = opened(path, key)
    return write(graph if weights is None else apart(Path(path), graph, weights), Path(path).name)
