"""The model that was captured as an ONNX file, by ``torch.onnx.export``, which needs ``onnx`` and ``onnxscript``.

What is written is the model itself, in the mode and with the arguments of the run; the record is not looked at.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import InputError, MissingError
from torchatlas.files import atomic

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from torchatlas.capture.origin import Origin, Ready

LOUD = ("torch", "onnxscript", "onnx_ir")
"""Packages that log their progress, and a failed graph in full."""

LONGEST = 300

RAISED = re.compile(r'File "[^"]+", line \d+, in \w+')


def write(origin: Origin, path: str | os.PathLike[str]) -> Path:
    """Write an ``.onnx`` file; weights of more than 2 GB stand in a second file beside it, ``….onnx.data``.

    The model is left as it was. What stood at the path is replaced only when all is written.

    Args:
        origin: the model and its arguments.
        path: where to write.

    Raises:
        InputError: the model is gone, is no module, or cannot be exported; with the exporter's reason.
        MissingError: ``onnx`` or ``onnxscript`` is not installed.
        FileError: it cannot be written.
    """
    try:
        import onnx  # noqa: F401, PLC0415 - optional, and what the exporter would miss late
        import onnxscript  # noqa: F401, PLC0415 - as above
    except ImportError as error:
        raise MissingError(
            f"An ONNX file needs {error.name}, which is not installed: pip install torchatlas[onnx]"
        ) from error
    with origin.ready() as ready, atomic.beside(path) as place, _quiet():
        program = _exported(ready)
        _name_results(program.model.graph, ready.names)
        program.save(place)
    return Path(path)


def _exported(ready: Ready) -> Any:
    """The ONNXProgram."""
    import torch  # noqa: PLC0415 - only this writer needs it

    # Without keyword arguments, a dictionary that stands last would be taken for them.
    args = ready.args if ready.kwargs or not ready.args or not isinstance(ready.args[-1], dict) else (*ready.args, {})
    try:
        return torch.onnx.export(ready.model, args, kwargs=ready.kwargs, dynamo=True, verbose=False)
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{type(ready.model).__name__} cannot be exported to ONNX: {_reason(error)}. See"
            " https://docs.pytorch.org/docs/stable/export.html for what torch.export supports. Every other format"
            " can be written without it."
        ) from error


def _name_results(graph: Any, names: list[str]) -> None:
    """Call the results as the model does; the exporter calls them by what computed them."""
    taken = {value.name for value in (*graph.inputs, *graph.initializers.values())}
    taken.update(value.name for node in graph.all_nodes() for value in node.outputs)
    results = list(graph.outputs)
    if len({id(value) for value in results}) == len(results) == len(names):
        for value, name in zip(results, names, strict=True):
            if value.producer() is not None and name not in taken:
                taken.add(name)
                value.name = name


def _reason(error: BaseException) -> str:
    """The first line of the innermost reason, and the place in the user's code that it names."""
    inner = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()]
    first = lines[0][:LONGEST].rstrip(".") if lines else ""
    places = RAISED.findall(str(inner))
    return f"{type(inner).__name__}: {first}" + (f", at {places[-1]}" if places else "")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's warnings and logs are about its own inside; the user heard those of the model in the capture."""
    known = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in LOUD and not logger.disabled
    ]
    for logger in known:
        logger.disabled = True
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in known:
            logger.disabled = False
