"""What torchatlas raises by itself. Every message repeats what was given, says what was wanted and what to do next.

AtlasError
 ├─ InputError      arguments of ours that cannot be used: a wrong option, shapes that do not fit ``forward``
 ├─ FileError       a file that is not what it should be: damaged, foreign, or made by a newer torchatlas
 ├─ TargetError     a command line target that cannot be found, imported or called
 ├─ ReplayError     a recording that cannot be run again
 ├─ DrawingError    a picture that takes longer, or more memory, than it may
 └─ MissingError    an optional package is not installed; the message names the extra

An exception of the user's own model is never one of these: it reaches the user as it was raised.
"""

from __future__ import annotations


class AtlasError(Exception):
    """Base of all errors of torchatlas."""


class InputError(AtlasError, ValueError):
    """What was given cannot be used.

    >>> try:
    ...     ta.capture(torch.nn.Linear(4, 3), (1, 4), dtypes="int23")
    ... except ta.InputError as error:
    ...     print(error)
    'int23' is not a dtype of torch...
    """


class FileError(AtlasError, ValueError):
    """A file cannot be read as what it should be.

    >>> try:
    ...     ta.load("missing.atlas")
    ... except ta.FileError as error:
    ...     print(error)
    missing.atlas does not exist...
    """


class TargetError(AtlasError, LookupError):
    """A command line target cannot be found, imported or called."""


class ReplayError(AtlasError, RuntimeError):
    """A recording cannot be run again."""


class DrawingError(AtlasError, RuntimeError):
    """A picture takes longer, or more memory, than it may."""


class MissingError(AtlasError, ImportError):
    """An optional package is missing."""
