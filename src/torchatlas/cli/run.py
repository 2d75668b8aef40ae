"""One run of a model as it was typed on a command line, and the atlas that comes of it."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any

from torchatlas.api.capture import captured
from torchatlas.api.files import open as open_file
from torchatlas.api.target import is_file, is_module, resolve
from torchatlas.capture.inputs.caller import Caller
from torchatlas.cli.typed_inputs import read_inputs
from torchatlas.core.errors import AtlasError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchatlas.api.atlas import Atlas

ATLAS = ".atlas"
JSON_KINDS: dict[type, str] = {dict: "an object {…}", list: "a list […]"}


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be captured.

    Attributes:
        target: a model (see ``target``), or a file that holds one, as `torchatlas.open` reads it.
        inputs: ``[NAME=]SHAPE[:DTYPE]`` of each tensor, see ``typed_inputs``.
        dtypes: none, one for all tensors, or one for each.
        kwargs: JSON object of more arguments of ``forward``.
        arguments: JSON object or list of what a class or factory is called with.
        fake, device, mode, level: as ``capture`` takes them.
        key: of a file, which dictionary of weights is meant, as `torchatlas.open` takes it.
    """

    target: str
    inputs: list[str]
    dtypes: list[str]
    kwargs: str | None
    arguments: str | None
    fake: bool
    device: str | None
    mode: str
    level: str
    key: str | None = None

    @property
    def given(self) -> list[str]:
        """The options that ask for a run."""
        options = {
            "--input": self.inputs,
            "--dtype": self.dtypes,
            "--kwargs": self.kwargs,
            "--arguments": self.arguments,
            "--fake": self.fake,
            "--device": self.device,
            "--mode": self.mode != "eval",
        }
        return [name for name, value in options.items() if value]


def obtain(run: Run, measure: Callable[..., Atlas] | None = None) -> tuple[Atlas, BaseException | None]:
    """The atlas of a file or of a run, and what the model raised if it failed.

    Args:
        run: what is to be captured.
        measure: runs the model in the place of `api.capture.captured`, as `api.profile.profiled` does.

    Raises:
        AtlasError: target, inputs or file cannot be used.
    """
    if is_file(run.target):
        return _opened(run), None
    if run.key is not None:
        raise InputError(f"--key {run.key}: {run.target} is no file; a key chooses among the weights in a file.")
    input_size, dtypes = read_inputs(run.inputs, run.dtypes)
    kwargs = read_json("--kwargs", run.kwargs, dict)
    arguments = read_json("--arguments", run.arguments, dict, list)
    # What the user's code prints is for the reader, and must not stand in the middle of the table.
    with redirect_stdout(sys.stderr):
        model = resolve(run.target, arguments, has_input=bool(run.inputs or kwargs))
        if run.device:
            move(model, run.device)
        options: dict[str, Any] = {"mode": run.mode, "fake": run.fake, "level": run.level}
        if input_size:
            options |= {"input_size": input_size, "dtypes": dtypes, "device": run.device}
        caller = _caller(run)
        try:
            with waiting(f"Running {run.target}"):
                atlas = (measure or captured)(caller, model, (), kwargs, options)
        except (AtlasError, KeyboardInterrupt):
            raise
        except BaseException as error:
            partial = getattr(error, "atlas", None)
            if partial is None:
                raise
            return partial, error
    if atlas.origin is not None:
        atlas.origin.hold()  # nobody else does
    return atlas, None


def _opened(run: Run) -> Atlas:
    """The atlas of a file."""
    if run.given:
        them = "it" if len(run.given) == 1 else "them"
        raise InputError(
            f"{run.target} is a file and is not run, so {', '.join(run.given)} would have no effect. Leave {them} out."
        )
    with waiting(f"Reading {run.target}"):
        return open_file(run.target, key=run.key)


def _caller(run: Run) -> Caller:
    """What was typed of the run, for messages."""
    typed = [run.target, *(f"--input {text}" for text in run.inputs), *(f"--dtype {text}" for text in run.dtypes)]
    typed += [f"--kwargs '{run.kwargs}'"] if run.kwargs else []
    typed += [f"--device {run.device}"] if run.device else []
    return Caller("torchatlas", run.target, " ".join(typed))


def move(model: Any, device: str) -> None:
    """Put a module where it is to run.

    Raises:
        InputError: there is no such device here.
    """
    if is_module(model):
        try:
            model.to(device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"--device {device} cannot be used here: {reason}") from None


def read_json(option: str, text: str | None, *wanted: type) -> Any:
    """What an option holds as JSON; None if it was not given.

    Raises:
        InputError: it is not JSON, or of another kind.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{option} {text}: not JSON ({error}). For the shell, quote it: {option} '{{…}}'") from None
    if not isinstance(value, wanted):
        raise InputError(f"{option} {text}: wanted {' or '.join(JSON_KINDS[kind] for kind in wanted)}.")
    return value


@contextmanager
def waiting(doing: str, after: float = 1.0) -> Iterator[None]:
    """A line that counts the seconds, for whoever waits at a terminal for longer than ``after``, in seconds."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    parts = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    line = Progress(*parts, console=Console(stderr=True), transient=True)
    line.add_task(doing, total=None)
    start = Timer(after, line.start)
    start.start()
    try:
        yield
    finally:
        start.cancel()
        start.join()
        line.stop()
