"""The name of a file as a user gives it."""

from __future__ import annotations

import os
from typing import Any

from torchatlas.core.errors import InputError


def filename(path: Any) -> str:
    """The path as text.

    Raises:
        InputError: it is neither text nor a path, or no system could have such a name.
    """
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(name, str):
        raise InputError(f"path={path!r:.60} is a {type(path).__name__}; give the name of a file, as text or a Path.")
    if not name:
        raise InputError("path='' is empty; give the name of a file.")
    if "\0" in name:
        raise InputError(
            f"path={name!r:.60} has a null character, which file names cannot have. Give a name without it."
        )
    return name
