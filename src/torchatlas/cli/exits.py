"""How a command ends: exit codes, and what is said of a failure."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from torchatlas.api.capture import ATTACHED
from torchatlas.api.target import user_traceback
from torchatlas.core.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn what can go wrong into a clear line and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except (AtlasError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader (head, less) has seen enough. Nothing may be flushed into the pipe when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None


def tell(failure: BaseException | None, shown: str = "table") -> None:
    """Show what the model raised, and where in its own code; end with exit code 1."""
    if failure is not None:
        notes = getattr(failure, "__notes__", [])
        notes[:] = [note for note in notes if note != ATTACHED]  # in Python it says what to do next, here it is done
        typer.echo(f"\nThe model failed; the {shown} goes up to the failing call.\n{user_traceback(failure)}", err=True)
        raise typer.Exit(1)
