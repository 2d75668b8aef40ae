"""Archives of ``torch.jit.save``: TorchScript, traced or scripted.

Neither torch nor Python runs anything of such a file here. Its code is text in a subset of Python: it is parsed, and
followed with names in the place of tensors, so that every call becomes known (`code`, `interpreter`). Its pickles are
read by a machine that calls nothing (`readers.unpickler`), every object as its state alone (`objects`). Weights are not
read.

Source: https://docs.pytorch.org/docs/stable/jit_language_reference_v2.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Provenance
from torchatlas.core.version import __version__
from torchatlas.readers.archive import Archive
from torchatlas.readers.torchscript.code import Code
from torchatlas.readers.torchscript.interpreter import Interpreter
from torchatlas.readers.torchscript.modules import Structure
from torchatlas.readers.torchscript.objects import PickledObject, tensors_in, unpickle

if TYPE_CHECKING:
    from pathlib import Path

    from torchatlas.core.graph import Graph

CODE, PYTHON = "code/", ".py"
LARGEST = 1 << 27
"""Bytes of code and pickles together."""


def read(path: Path) -> Graph:
    """Read the modules of an archive, and the graph of their ``forward``.

    Raises:
        FileError: it is damaged, or holds no module.
    """
    with Archive(path) as archive:
        sources = {
            name[len(CODE) : -len(PYTHON)].replace("/", "."): archive.read(name, LARGEST)
            for name in archive.members
            if name.startswith(CODE) and name.endswith(PYTHON)
        }
        pickles = {
            name: unpickle(archive.read(name, LARGEST)) if name in archive.members else ()
            for name in ("data.pkl", "constants.pkl", "traced_inputs.pkl")
        }
        version = (
            archive.read("version", 100).decode("utf-8", "replace").strip() if "version" in archive.members else "?"
        )
    if sum(map(len, sources.values())) > LARGEST:
        raise FileError(f"its code has more than {LARGEST:,} bytes.")
    root = pickles["data.pkl"]
    if not isinstance(root, PickledObject):
        raise FileError(f"it is a TorchScript archive that holds a {type(root).__name__}, where a module was wanted.")
    code = Code(sources)
    structure = Structure(root, code)
    interpreter = Interpreter(
        structure, code, tensors_in(pickles["constants.pkl"]), tensors_in(pickles["traced_inputs.pkl"])
    )
    interpreter.run()
    return structure.builder.graph(
        Provenance(torchatlas=__version__, reader="torchscript", format_version=version[:20])
    )
