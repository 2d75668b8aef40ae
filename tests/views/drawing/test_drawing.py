"""A drawing of any model comes out well formed, in every format, the same every time."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import pytest
import torch
from PIL import Image
from pypdf import PdfReader
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import FileError, InputError
from torchatlas.views.drawing.drawing import draw
from views.drawing.nets import NAMES, Loop, Residual, named, stack

TEXT = "{http://www.w3.org/2000/svg}text"
ZOO = [
    "counted/attention",
    "counted/gpt2",
    "counted/llama",
    "counted/lstm",
    "counted/mixtral",
    "counted/resnet18",
    "counted/waves",
    "modules/calls_itself",
    "modules/plain_tensors",
    "modules/routed",
    "modules/scripted",
    "modules/shared",
    "modules/some_never",
    "sequences/encoder",
    "sequences/packed",
    "sequences/seq2seq",
    "sequences/unrolled",
    "structures/dataclass",
    "structures/nested",
    "structures/no_input",
    "structures/no_result",
    "structures/same_twice",
    "tensors/complex",
    "tensors/custom_function",
    "tensors/in_place",
    "tensors/nested",
    "tensors/random",
    "tensors/sparse",
    "torchvision/squeezenet",
    "transforms/vmap",
]


def texts(svg: str) -> list[str]:
    """What is written in a picture."""
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(TEXT)]


@pytest.fixture(scope="module")
def stacked():
    """Six blocks and two results."""
    return stack()


@pytest.mark.parametrize("name", ZOO)
def test_every_kind_of_model_is_drawn_in_every_format(zoo, name, tmp_path):
    """Each file is what its name says, and all show the same: the words of the SVG are those of the PDF."""
    drawing = zoo(name).draw()
    svg, png, pdf, dot = (drawing.save(tmp_path / f"net.{suffix}", scale=1) for suffix in ("svg", "png", "pdf", "dot"))
    words = texts(svg.read_text())
    width, height = drawing.scene.width, drawing.scene.height
    with Image.open(png) as image:
        image.load()
        assert image.size == (pytest.approx(width, abs=1), pytest.approx(height, abs=1))
        assert len(image.convert("RGB").getcolors(1 << 24)) > 3
    (page,) = PdfReader(pdf).pages
    assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx(
        (width * 0.75, height * 0.75), abs=1
    )
    assert sorted("".join(words).replace(" ", "")) == sorted("".join(page.extract_text().split()))
    assert dot.read_text().startswith("digraph ")


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_neither_breaks_the_picture_nor_vanishes_from_it(kind, tmp_path):
    """Whatever a module or class is called, it is text: in full where it is pointed at, cut where it is written."""
    atlas = named(NAMES[kind])
    drawing = atlas.draw()
    for suffix in ("svg", "png", "pdf", "dot"):
        assert drawing.save(tmp_path / f"net.{suffix}").stat().st_size > 300
    root = ET.fromstring((tmp_path / "net.svg").read_text())
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "g", "title", "rect", "path", "text"}
    assert not any(name.startswith("on") or "href" in name for element in root.iter() for name in element.attrib)
    signs = {sign for sign in NAMES[kind][:20] if sign.isprintable()} - {" "}
    assert signs <= set("".join(root.itertext()))
    assert drawing.scene.width < 700


def test_the_same_run_gives_the_same_bytes(tmp_path):
    """Twice in one process, from two captures."""
    for suffix in ("svg", "png", "pdf", "dot"):
        first, second = (
            stack().draw().save(tmp_path / f"{turn}.{suffix}").read_bytes() for turn in ("first", "second")
        )
        assert first == second, suffix


def test_threads_draw_at_the_same_time(stacked):
    """A context of the engine belongs to one thread; a drawing may be asked for from any, in any format."""
    suffixes = [".svg", ".png", ".pdf"] * 4
    alone = [stacked.draw()._encode(suffix, 1.0) for suffix in suffixes]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda suffix: draw(stacked.graph)._encode(suffix, 1.0), suffixes)) == alone


@pytest.mark.parametrize(
    ("name", "model", "inputs", "options"),
    [
        ("residual", Residual, (torch.zeros(2, 4),), {}),
        ("loop", Loop, (torch.zeros(2, 4, 3),), {"direction": "LR", "theme": "dark"}),
        (
            "layers",
            lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()),
            (torch.zeros(1, 3, 8, 8),),
            {"theme": "paper"},
        ),
    ],
)
def test_small_pictures_are_golden(golden, name, model, inputs, options):
    """A change of what is drawn is seen as a change of these."""
    golden(f"{name}.svg", ta.capture(model(), inputs).draw(**options).svg)


def test_options_show_what_they_say(stacked):
    """Each changes the picture in its own way, seen in its words."""
    shown = set(texts(stacked.draw(depth=1).svg))
    assert {"Sequential", "tokens", "mask", "hidden", "pooled"} <= shown
    assert "×6" not in shown
    opened = texts(stacked.draw(depth=1, expand="blocks").svg)
    assert "×6" in opened
    assert texts(stacked.draw(expand="blocks", fold=False).svg).count("Residual") == 6
    assert "Residual" not in texts(stacked.draw(collapse=["blocks"]).svg)
    assert "2×3×4" not in texts(stacked.draw(labels=("params",)).svg)
    assert any("FLOPs" in text for text in texts(stacked.draw(labels=("flops",)).svg))
    scenes = [stacked.draw(direction=direction, fold=False, depth=9).scene for direction in ("TB", "LR")]
    assert scenes[0].height > scenes[0].width
    assert scenes[1].width > scenes[1].height


def test_a_box_its_legend_the_table_and_the_verdict_write_a_number_alike():
    """1,125 lies between 1.12K and 1.13K, where roundings of two languages part."""
    small = ta.capture(nn.Sequential(nn.Linear(25, 45, bias=False), nn.ReLU()), torch.zeros(1, 25))
    large = ta.capture(nn.Sequential(nn.Linear(25, 90, bias=False), nn.ReLU()), torch.zeros(1, 25))
    box = small.draw(labels=("params", "flops")).svg
    legend = small.draw(color_by="params").svg
    assert ">1.13K · 2.25K FLOPs<" in box
    assert legend.count(">1.13K<") >= 2
    assert {"1.13K", "2.25K", "4.50 kB"} <= {
        word.strip() for word in re.findall(r"[\d.]+K| [\d.]+ kB", str(small.summary()))
    }
    assert "2.25K -> 4.50K FLOPs" in str(ta.compare(small, large))
    assert ">4.50 kB<" in small.draw(color_by="weights").svg


def test_a_call_is_opened_by_its_number(stacked):
    """Functions and repeated modules have no path of their own."""
    blocks = stacked.graph.calls_of["blocks"][0]
    assert stacked.draw(depth=1, expand=[blocks]).svg == stacked.draw(depth=1, expand=["blocks"]).svg


def test_aten_operators_are_drawn_where_they_were_captured():
    """The level of the picture is that of the capture, or coarser."""
    atlas = ta.capture(Residual(), torch.zeros(2, 4), level="aten")
    assert "addmm" in texts(atlas.draw(level="aten", depth=9).svg)
    assert "addmm" not in texts(atlas.draw(depth=9).svg)


def test_what_operators_made_was_made_by_the_functions_around_them():
    """Drawn at the level of functions, a capture of operators has the wires of a capture of functions."""
    model, x = Residual(), torch.zeros(2, 4)
    fine, coarse = (ta.capture(model, x, level=level).draw(level="op", depth=9).svg for level in ("aten", "op"))
    assert re.findall(r'<path d="([^"]*)"', fine) == re.findall(r'<path d="([^"]*)"', coarse)


def test_the_notes_say_what_was_left_closed(stacked):
    """Nobody takes a closed box for all there is."""
    (note,) = stacked.draw(depth=1).notes
    assert note == "1 box is closed; more depth opens it"
    assert stacked.draw(depth=9).notes == ()


def test_a_failed_run_is_drawn_up_to_the_failure():
    """The message stands at the call that raised it."""
    with pytest.raises(RuntimeError) as caught:
        ta.capture(nn.Sequential(nn.Linear(4, 5), nn.Linear(4, 2)), torch.zeros(1, 4))
    assert any(text.startswith("RuntimeError") for text in texts(caught.value.atlas.draw().svg))


def test_a_notebook_shows_the_picture(stacked):
    """Jupyter asks for the SVG."""
    drawing = stacked.draw()
    assert drawing._repr_svg_() == drawing.svg
    assert repr(drawing).startswith("Drawing(Stack, ")


def test_a_model_is_captured_and_drawn_in_one_call():
    """``ta.draw`` passes on what is the picture's, and captures ATen operators when they are to be drawn."""
    drawing = ta.draw(Residual(), input_size=(2, 4), fake=True, level="aten", depth=9, theme="dark")
    assert "addmm" in texts(drawing.svg)
    assert drawing.view.theme == "dark"


def test_a_name_of_another_kind_is_refused_before_anything_is_written(stacked, tmp_path):
    """The message lists what there is."""
    with pytest.raises(InputError, match=r"net\.jpg: a drawing is written as \.svg, \.png, \.pdf, \.dot"):
        stacked.draw().save(tmp_path / "net.jpg")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_nothing_behind(stacked, tmp_path):
    """What stood there still does."""
    (tmp_path / "net.svg").mkdir()
    with pytest.raises(FileError, match=r"net\.svg cannot be written"):
        stacked.draw().save(tmp_path / "net.svg")
    with pytest.raises(FileError, match=r"a place in a folder that exists"):
        stacked.draw().save(tmp_path / "missing" / "net.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["net.svg"]


@pytest.mark.parametrize("scale", [0, -1, 1000, float("nan"), "2", True])
def test_a_scale_that_gives_no_picture_is_refused(stacked, tmp_path, scale):
    """The message says how large the picture is and how far one may go."""
    with pytest.raises(InputError, match=r"give a scale up to \d"):
        stacked.draw().save(tmp_path / "net.png", scale=scale)


def test_scale_is_pixels_of_the_png_per_pixel_of_the_drawing(stacked):
    """Twice the scale, twice the sides."""
    drawing = stacked.draw()
    sizes = [Image.open(io.BytesIO(drawing._encode(".png", scale))).size for scale in (1, 2.5)]
    assert sizes[1] == (pytest.approx(2.5 * sizes[0][0], abs=1), pytest.approx(2.5 * sizes[0][1], abs=1))
