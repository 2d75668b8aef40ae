"""Text is seen on every machine, with the fonts that it has or with none."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageChops
from pypdf import PdfReader

from torchatlas.views.drawing import fonts
from torchatlas.views.drawing.fonts import BOLD, REGULAR, SHIPPED, fonts_for, foreign
from views.drawing.nets import NAMES, named

WEB = Path(__file__).parents[3] / "web" / "font"


@pytest.fixture
def no_fonts(monkeypatch, tmp_path):
    """A machine without any font."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    monkeypatch.setattr(fonts, "folders", lambda: [folder, tmp_path / "missing"])
    return folder


@pytest.mark.parametrize("path", [REGULAR, BOLD])
def test_the_shipped_font_has_the_characters_it_is_said_to_have(path):
    """Nothing is looked for elsewhere that is here, and nothing is left out that is not."""
    with TTFont(path) as font:
        assert set(map(chr, font.getBestCmap())) == SHIPPED
    assert path.read_bytes() == (WEB / path.name).read_bytes()


def test_only_characters_that_can_be_seen_need_a_font():
    """Joiners and marks of direction have no picture."""
    assert foreign("a\u4e2d\n\N{ZERO WIDTH JOINER}\N{RIGHT-TO-LEFT MARK}\ufe0f\u03bb") == {"\u4e2d"}


@pytest.mark.parametrize("kind", ["chinese", "emoji", "hebrew"])
def test_without_fonts_a_character_is_written_as_its_number(no_fonts, kind, tmp_path):
    """Seen, if not read; and in a box that has room for it."""
    drawing = named(NAMES[kind]).draw()
    (page,) = PdfReader(drawing.save(tmp_path / "net.pdf")).pages
    number = f"\\u{{{ord(NAMES[kind][0]):04X}}}"
    assert number in page.extract_text()
    drawn, found = drawing._legible(outlines=False)
    assert found == ()
    assert number in drawn.svg
    assert NAMES[kind][0] not in drawn.svg


def test_without_fonts_the_picture_is_the_same(no_fonts, tmp_path, zoo):
    """The shipped font is enough for what most models are called; no font of the system is even looked at."""
    drawing = zoo("counted/resnet18").draw()
    files = [drawing.save(tmp_path / f"net.{suffix}").read_bytes() for suffix in ("png", "pdf")]
    assert (drawing._encode(".png", 2.0), drawing._encode(".pdf", 2.0)) == tuple(files)


def test_a_font_of_the_system_is_taken_where_it_has_the_character(no_fonts, tmp_path):
    """The first that has it, and only for what the shipped one lacks."""
    with TTFont(REGULAR) as font:
        for table in font["cmap"].tables:
            table.cmap = {0x4E2D: "A", 0x1F600: "B"} if table.format == 12 else {0x4E2D: "A"}
        font.save(no_fonts / "Other.ttf")
    (no_fonts / "damaged.ttf").write_bytes(b"no font")
    assert fonts_for("\u4e2d\u6587", outlines=True) == ((no_fonts / "Other.ttf",), {"\u6587"})
    drawing = named("\u4e2d\u6587").draw()
    (page,) = PdfReader(drawing.save(tmp_path / "net.pdf")).pages
    assert "\u4e2d\\u{6587}" in "".join(page.extract_text().split())


def test_text_is_painted_without_fonts(no_fonts, tmp_path):
    """Every label of a PNG leaves pixels of its own: without labels the picture is another one."""
    drawing = named("layer").draw()
    drawing.save(tmp_path / "with.png")
    bare = drawing.svg.replace("<text ", "<desc ").replace("</text>", "</desc>")
    drawing._drawn = drawing._drawn._replace(svg=bare)
    drawing.save(tmp_path / "without.png")
    with Image.open(tmp_path / "with.png") as one, Image.open(tmp_path / "without.png") as other:
        difference = ImageChops.difference(one.convert("L"), other.convert("L"))
    assert sum(difference.histogram()[64:]) > 500
