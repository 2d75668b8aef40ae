"""The README and the pages of docs/: their code runs, and what they show is what is printed and drawn."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from torchatlas.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+\.svg)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture(autouse=True)
def _beside_the_examples(monkeypatch, tmp_path):
    """In a folder that holds the examples, as the reader has them at hand."""
    for example in (ROOT / "examples").glob("*.py"):
        (tmp_path / example.name).write_bytes(example.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    torch.manual_seed(0)
    yield
    for name in ("gpt", "graph", "resnet"):
        sys.modules.pop(name, None)


@every_page
def test_a_page_runs_and_shows_what_is_printed_and_drawn(page, capsys, request):
    """Blocks run in order, as in one session; `pytest --golden` writes what is printed and drawn into the page."""
    text, golden = page.read_text(), request.config.getoption("--golden")
    session: dict[str, object] = {}
    printed, written, end = "", [], 0
    for match in BLOCK.finditer(text):
        language, block = match.groups()
        if language == "python":
            exec(compile(block, page.name, "exec"), session)  # noqa: S102 - the page's own code
            printed = capsys.readouterr().out
        elif language == "console":
            printed = run(block)
        elif language == "text" and golden:
            written += [text[end : match.start()], f"```text\n{printed}```"]
            end = match.end()
        elif language == "text":
            assert block.splitlines() == printed.splitlines()
    if golden:
        page.write_text("".join([*written, text[end:]]))
    for picture in PICTURE.findall(text):
        shown, drawn = page.parent / picture, Path(Path(picture).name)
        if golden:
            shown.write_bytes(drawn.read_bytes())
        assert shown.read_bytes() == drawn.read_bytes(), f"{picture} is not what {page.name} draws"
    if page == README:
        assert session["again"].graph == session["atlas"].graph
        assert len(session["frame"]) == session["written"].count("\n") - 1


def run(block: str) -> str:
    """Each line after a `$`, in order, in one folder; what the last one prints."""
    printed = ""
    for line in block.splitlines():
        command = line.removeprefix("$ torchatlas ")
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, (command, result.output)
        printed = result.stdout
    return printed


@every_page
def test_a_page_shows_code_and_links_to_what_is_there(page):
    """The check above can fail, and no link of a page leads nowhere."""
    text = page.read_text()
    assert any(language in {"python", "console"} for language, _ in BLOCK.findall(text))
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / link).exists(), link
