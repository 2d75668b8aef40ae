"""Files of others: what stands in them, without the code that made them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def skeleton(path: str | os.PathLike[str]) -> str:
    """Write the Python code of a module tree that has exactly the parameter names and shapes of a file of weights.

    The file is read as `torchatlas.readers.weights` reads it: nothing of it is executed, no tensor is loaded.

    Args:
        path: ``.pth``, ``.pt``, ``.bin``, ``.ckpt``, ``.safetensors``, an index of several, a folder with one of
            these, or an ``.atlas`` file.

    Returns:
        Source text with a class ``Model``, whose ``load_state_dict(weights, strict=True)`` takes the file's weights.
        Classes of layers are inferred, with how sure that is beside them; ``forward`` is left to be written.

    Raises:
        FileError: missing, damaged, foreign, harmful, or a pickled model instead of weights; the message says which.
        InputError: it holds no named parameters.
    """
    from torchatlas.core import codec  # noqa: PLC0415  # each is loaded when it is needed
    from torchatlas.readers import weights  # noqa: PLC0415  # as above
    from torchatlas.views.skeleton.skeleton import skeleton as write  # noqa: PLC0415  # as above

    place = Path(path)
    graph = codec.read(place) if place.suffix.lower() == ".atlas" else weights.read(place)
    return write(graph, place.name)
