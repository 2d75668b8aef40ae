"""A format is one record: with it, files open by what they hold or are called, alone or in an archive."""

from __future__ import annotations

import gzip
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import torchatlas as ta
from torchatlas.api import target
from torchatlas.core.graph import Graph, Module
from torchatlas.readers import registry
from torchatlas.readers.registry import Format, begins, ends
from torchatlas.readers.source import Source

TABLE = Path(__file__).parents[2] / "docs" / "files.md"
TOY = b"TOY1 Linear Softplus"


def read(path: Path | Source) -> Graph:
    """Read the words of a file as classes of modules."""
    with Source.of(path).open() as file:
        (_, *words) = file.read().decode().split()
    inside = [Module(str(at), word) for at, word in enumerate(words)]
    return Graph("Toy", modules=(Module("", "Toy"), *inside))


@pytest.fixture(params=["by content", "by suffix"])
def toy(request, monkeypatch):
    """A format of a module that torchatlas does not have."""
    tells = {"by content": begins(b"TOY1"), "by suffix": ends(".toy")}[request.param]
    record = Format("toy networks", (".toy",), "toy_reader", tells, in_archives=True)
    monkeypatch.setitem(sys.modules, "toy_reader", SimpleNamespace(read=read))
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, record))
    return record


def classes(path: Path) -> list[str]:
    """The classes of the modules in a file."""
    return [module.name for module in ta.open(path).graph.modules]


WANTED = ["Toy", "Linear", "Softplus"]


@pytest.mark.usefixtures("toy")
def test_a_file_of_a_new_format_opens(tmp_path):
    """By its record alone; what tells it decides whether its name matters."""
    (tmp_path / "net.toy").write_bytes(TOY)
    assert classes(tmp_path / "net.toy") == WANTED
    with pytest.raises(ta.InputError, match="holds a graph"):
        ta.open(tmp_path / "net.toy", key="model")


def test_what_a_file_holds_counts_more_than_its_name(toy, tmp_path):
    """A format that has a signature opens under any name, and no other file does under its own."""
    (tmp_path / "net.any").write_bytes(TOY)
    (tmp_path / "net.toy").write_bytes(b"something else")
    (opens, fails) = ("net.any", "net.toy") if toy.tells(content(b"TOY1", "net")) else ("net.toy", "net.any")
    assert classes(tmp_path / opens)[0] == "Toy"
    with pytest.raises(ta.FileError, match="does not read"):
        ta.open(tmp_path / fails)


def content(head: bytes, name: str) -> registry.Content:
    """What a file shows."""
    return registry.Content(Source(Path(name)), name, head)


def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out what varies, so that it packs into fewer bytes than stand before the mark of a tar archive."""
    info.uname = info.gname = ""
    info.mtime = info.uid = info.gid = 0
    return info


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "gz", "folder in zip"])
def test_a_new_format_opens_inside_an_archive(kind, tmp_path):
    """Zip, tar, packed or not; the member is found by its suffix."""
    path = tmp_path / ("net.toy.gz" if kind == "gz" else "archive")
    (tmp_path / "net.toy").write_bytes(TOY)
    (tmp_path / "notes.txt").write_text("of no interest")
    if kind == "gz":
        path.write_bytes(gzip.compress(TOY))
    elif "zip" in kind:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("notes.txt", "net.toy"):
                archive.write(tmp_path / name, f"models/{name}" if "folder" in kind else name)
    else:
        with tarfile.open(path, "w:gz" if "gz" in kind else "w") as archive:
            for name in ("notes.txt", "net.toy"):
                archive.add(tmp_path / name, name, filter=plain)
    assert classes(path) == WANTED


@pytest.mark.usefixtures("toy")
def test_several_graphs_in_an_archive_are_chosen_among_by_name(tmp_path):
    """The message lists them, and shows how one is asked for."""
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.toy", TOY)
        archive.writestr("b.toy", b"TOY1 Tanh")
    with pytest.raises(ta.FileError, match=r"several models \(a.toy, b.toy\).*key='a.toy'"):
        ta.open(tmp_path / "two.zip")
    assert [module.name for module in ta.open(tmp_path / "two.zip", key="b.toy").graph.modules] == ["Toy", "Tanh"]


@pytest.mark.usefixtures("toy")
def test_messages_and_the_command_line_know_a_new_format(tmp_path):
    """What can be opened is listed by the records; a name that ends so is a file's, also where there is none."""
    with pytest.raises(ta.FileError, match=r"does not exist.*toy networks \(.toy\)"):
        ta.open(tmp_path / "absent.toy")
    assert target.is_file("absent.toy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "net.toy").write_bytes(TOY)
    with pytest.raises(ta.FileError, match=r"It holds net.toy: give that"):
        ta.open(tmp_path / "folder")


def test_a_name_that_other_files_have_too_is_not_taken_for_that_of_a_model():
    """Settings and data are JSON as well."""
    assert not target.is_file("absent.json")
    assert ".json" not in registry.suffixes()


def test_the_table_of_the_documentation_is_that_of_the_records():
    """Every format and suffix has its place in docs/files.md, and nothing stands there that is not read."""
    rows = [line.split(" | ")[0] for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    words = " ".join(rows)
    listed = set(re.findall(r"`((?:\.\w+)+)`", words)) - {".metadata"}
    assert listed == {suffix for known in registry.FORMATS for suffix in known.suffixes}
    for known in registry.FORMATS:
        assert all(f"`{suffix}`" in words for suffix in known.suffixes)
        assert all(f"`{program}" in words for program in re.findall(r"torch\.\w+(?:\.\w+)*", known.name))


@pytest.mark.parametrize("known", registry.FORMATS, ids=str)
def test_every_record_leads_to_a_reader(known):
    """The module has what its record promises."""
    reader = known.reader()
    promised = ["read", *(["handles"] if known.tells is None else [])]
    promised += ["opened", "with_statistics"] if known.has_weights else []
    assert all(callable(getattr(reader, name)) for name in promised)
