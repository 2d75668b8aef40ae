"""A PDF holds vectors, text that can be copied, and its fonts."""

from __future__ import annotations

import io

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from pypdf import PdfReader

from torchatlas.views.drawing import fonts
from views.drawing.nets import NAMES, named, stack


def read(drawing) -> PdfReader:
    """The PDF of a drawing."""
    return PdfReader(io.BytesIO(drawing._encode(".pdf", 1.0)))


def fonts_in(document: PdfReader) -> list:
    """The descriptors of the fonts of its page."""
    held = document.pages[0]["/Resources"]["/Font"]
    return [font["/FontDescriptor"] for font in held.values() if "/FontDescriptor" in font]


def test_fonts_are_embedded_and_no_picture_is():
    """It looks the same everywhere, at every size."""
    document = read(stack().draw())
    descriptors = fonts_in(document)
    assert {descriptor["/FontName"].partition("+")[2] for descriptor in descriptors} >= {"AtlasSans-Bold"}
    assert all("/FontFile2" in descriptor for descriptor in descriptors)
    assert not list(document.pages[0].images)


def test_the_document_has_the_models_name():
    """Readers show it as the title."""
    assert read(stack().draw()).metadata.title == "Stack"


def test_hebrew_runs_from_the_right_and_reads_as_it_was_written():
    """Where a font has it; the characters are set in the order in which they are seen."""
    if not fonts.fonts_for(NAMES["hebrew"], outlines=True)[0]:
        pytest.skip("no font of this system has Hebrew")
    assert NAMES["hebrew"] in read(named(NAMES["hebrew"]).draw()).pages[0].extract_text()


def test_a_font_with_cubic_outlines_is_embedded_too(monkeypatch, tmp_path):
    """Most fonts for Chinese are of that kind; the first 65,536 characters are not all that there are."""
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "one", "two"])
    builder.setupCharacterMap({0x4E2D: "one", 0x1F600: "two"})
    glyphs = {}
    for name in (".notdef", "one", "two"):
        pen = T2CharStringPen(600, None)
        pen.moveTo((0, 0))
        pen.curveTo((0, 300), (300, 600), (600, 600))
        pen.lineTo((600, 0))
        pen.closePath()
        glyphs[name] = pen.getCharString()
    builder.setupCFF("Cubic", {}, glyphs, {})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Cubic", "styleName": "Regular", "psName": "Cubic"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "Cubic.otf")
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path])
    document = read(named("\u4e2d\N{GRINNING FACE}").draw())
    assert "\u4e2d\N{GRINNING FACE}" in document.pages[0].extract_text()
    assert any("+Cubic-" in descriptor["/FontName"] for descriptor in fonts_in(document))
