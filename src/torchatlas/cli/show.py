"""``torchatlas show``: the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from torchatlas.api.atlas import PAGES
from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import run_of, taking
from torchatlas.cli.output import check_place
from torchatlas.cli.run import Run, obtain
from torchatlas.core.errors import InputError

SHOW_EXAMPLES = """\b
Examples:
  torchatlas show torchvision.models:resnet18 --input 1,3,224,224
  torchatlas show model.py:GPT -i tokens=1,128:int64 -o gpt.html
  torchatlas show resnet.atlas"""


@app.command(epilog=f"{SHOW_EXAMPLES}\n\n{EXITS}")
@taking(run=run_of)
def show(
    run: Run,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Write the page to this file and do not open it."),
    ] = None,
) -> None:
    """Show one run of a model in the browser: a page that works offline."""
    from torchatlas.views.page.page import page  # noqa: PLC0415  # the other commands do not wait for it

    with clean_exit():
        check_place(output, [run.target])
        if output is not None and not output.name.lower().endswith(PAGES):
            raise InputError(f"-o {output}: give a name that ends in .html, as {output.with_suffix('.html')}.")
        atlas, failure = obtain(run)
        made = page(atlas.graph)
        written = made.open() if output is None else made.save(output)
        typer.echo(f"{written}: {written.stat().st_size:,} bytes", err=True)
        tell(failure, "page")
