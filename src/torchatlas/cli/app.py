"""The command line as a whole; each command registers itself with `app`."""

from __future__ import annotations

from typing import Annotated

import typer

from torchatlas.core.version import __version__

EXITS = """\b
Exit codes:
  0    done
  1    the model failed; the table goes up to the failing call
  2    wrong usage, target, input or file
  130  interrupted"""

app = typer.Typer(
    help="See your PyTorch model.",
    epilog=EXITS,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help would double the time to the first line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"torchatlas {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(*, version: Version = False) -> None:
    """See your PyTorch model."""
