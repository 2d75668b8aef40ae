"""The README: its code runs, and what it shows is what is printed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from torchatlas.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _beside_the_examples(monkeypatch, tmp_path):
    """In a folder that holds the examples, as the README's reader has them at hand."""
    for example in (ROOT / "examples").glob("*.py"):
        (tmp_path / example.name).write_bytes(example.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield
    for name in ("gpt", "resnet"):
        sys.modules.pop(name, None)


def test_the_python_of_the_readme_runs_and_prints_what_stands_below_it(capsys, request):
    """Blocks run in order, as in one session; `pytest --golden` writes the printed table into the README."""
    text = README.read_text()
    session: dict[str, object] = {}
    printed = ""
    pictures = 0
    for language, block in BLOCK.findall(text):
        if language == "python":
            exec(compile(block, README.name, "exec"), session)  # noqa: S102 - the README's own code
            printed = capsys.readouterr().out
        if language == "text":
            pictures += 1
            if request.config.getoption("--golden"):
                README.write_text(text.replace(f"```text\n{block}```", f"```text\n{printed}```"))
            else:
                assert block.splitlines() == printed.splitlines()
    assert pictures == 1
    drawn, shown = Path("gpt.svg"), ROOT / "docs" / "gpt.svg"
    if request.config.getoption("--golden"):
        shown.write_bytes(drawn.read_bytes())
    assert shown.read_bytes() == drawn.read_bytes()
    assert Path("gpt.html").stat().st_size
    assert session["again"].graph == session["atlas"].graph
    assert len(session["frame"]) == session["written"].count("\n") - 1


def test_the_commands_of_the_readme_run():
    """Each line after a `$`, in order, in one folder."""
    (console,) = [block for language, block in BLOCK.findall(README.read_text()) if language == "console"]
    commands = [line.removeprefix("$ torchatlas ") for line in console.splitlines()]
    assert len(commands) == 5
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, (command, result.output)
    assert all(Path(name).stat().st_size for name in ("gpt.csv", "gpt.svg", "gpt.png", "gpt.pdf"))
