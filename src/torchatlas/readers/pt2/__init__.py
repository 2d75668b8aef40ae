"""Programs of ``torch.export``: ``.pt2`` archives, read from their JSON alone.

``torch.export.load`` unpickles weights, constants and sample inputs, which can execute whatever the file wants. Here no
pickle is opened, no tensor is loaded, and torch is not needed.

Source: https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/export/pt2_archive.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Provenance
from torchatlas.core.version import __version__
from torchatlas.readers.archive import Archive
from torchatlas.readers.pt2.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from torchatlas.core.graph import Graph

OLD = "serialized_exported_program.json"
MODELS, WEIGHTS, JSON = "models/", "data/weights/", ".json"
PREFERRED = "models/model.json"


def read(path: Path) -> Graph:
    """Read the graph of an exported program.

    Raises:
        FileError: it is damaged, or holds no program but compiled code.
    """
    with Archive(path) as archive:
        models = sorted(name for name in archive.members if name.startswith(MODELS) and name.endswith(JSON))
        if OLD in archive.members:
            models = [OLD]
        if not models:
            raise FileError(
                f"{path} is a .pt2 package without a program, as AOTInductor writes it: compiled code holds no graph."
                " Save the exported program itself with torch.export.save."
            )
        chosen = PREFERRED if PREFERRED in models else models[0]
        told = _object(archive.read(chosen), chosen)
        config = f"{WEIGHTS}{chosen[len(MODELS) : -len(JSON)]}_weights_config.json"
        weights = _object(archive.read(config), config).get("config", {}) if config in archive.members else {}
    program = Program(told, weights)
    if len(models) > 1:
        program.builder.note(f"The archive holds {len(models)} programs; this is {chosen}.")
    return program.graph(_provenance(told))


def _object(data: bytes, name: str) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise FileError(f"its member {name!r} holds a {type(found).__name__}, where an object {{…}} was wanted.")
    return found


def _provenance(told: dict[str, Any]) -> Provenance:
    version = told.get("schema_version") or {}
    schema = f"{version.get('major', '?')}.{version.get('minor', '?')}"
    torch = str(told.get("torch_version", "unknown"))
    return Provenance(torchatlas=__version__, torch=torch, reader="pt2", format_version=schema)
