"""Options are said once: what functions show of them, and what they say of others, comes from one table."""

from __future__ import annotations

import re
from inspect import Parameter, signature

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.api import capture, comparison, profile
from torchatlas.capture import options as run_options
from torchatlas.core.options import Option, takes, with_defaults
from torchatlas.views.drawing import options as draw_options
from torchatlas.views.table import options as table_options

OPENED = draw_options.OpenOptions
TABLES = {
    "run": (run_options.RUN, run_options.RunOptions),
    "capture": (run_options.CAPTURE, run_options.CaptureOptions),
    "compare": (comparison.RUN, run_options.CompareOptions),
    "summary": (table_options.SUMMARY, table_options.SummaryOptions),
    "draw": (draw_options.DRAW, OPENED, draw_options.DrawOptions),
    "page": (draw_options.PAGE, OPENED, draw_options.PageOptions),
    "beside": ({"expand": None, "collapse": None, **draw_options.BESIDE}, OPENED, draw_options.BesideOptions),
}
FUNCTIONS = {
    "capture": (ta.capture, run_options.CAPTURE),
    "profile": (ta.profile, profile.RECORDED),
    "compare": (ta.compare, comparison.RUN),
    "summary": (ta.summary, capture.TABLES["summary"]),
    "draw": (ta.draw, capture.TABLES["draw"]),
    "show": (ta.show, capture.TABLES["show"]),
    "Atlas.summary": (ta.Atlas.summary, table_options.SUMMARY),
    "Atlas.draw": (ta.Atlas.draw, draw_options.DRAW),
    "Atlas.show": (ta.Atlas.show, draw_options.PAGE),
    "Comparison.draw": (ta.Comparison.draw, draw_options.BESIDE),
    "Comparison.show": (ta.Comparison.show, draw_options.PAGE),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_options_that_its_types_have(name):
    """An option with a type and no default, or the other way round, is half an option."""
    table, *types = TABLES[name]
    assert set(table) == {name for kind in types for name in kind.__annotations__}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_names_every_option_with_its_default(name):
    """``inspect.signature``, and so what completes names at a prompt, as if they were spelled out."""
    function, table = FUNCTIONS[name]
    parameters = signature(function).parameters
    assert {key: parameters[key].default for key in table} == {key: one.default for key, one in table.items()}
    assert all(parameters[key].kind is not Parameter.VAR_KEYWORD for key in table)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_each_parameter_once(name):
    """``help(ta.draw)`` tells all that there is to be given."""
    function, _ = FUNCTIONS[name]
    section = function.__doc__.partition("Args:\n")[2].partition("\n\n")[0]
    margin = re.match(" *", section)[0]
    said = re.findall(rf"^{margin}\**(\w+): ", section, re.MULTILINE)
    assert sorted(said) == sorted(set(signature(function).parameters) - {"self"})
    assert max(map(len, function.__doc__.splitlines())) <= 120


def test_only_what_takes_arguments_of_the_model_takes_any_name():
    """``**named`` are the model's; ``**options`` have all been named."""
    loose = {
        name
        for name, (function, _) in FUNCTIONS.items()
        if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in signature(function).parameters.values())
    }
    assert loose == {"capture", "profile", "summary", "draw", "show"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda atlas: atlas.draw(colour_by="params"),
            "draw has no option 'colour_by'. Did you mean color_by? Options",
        ),
        (lambda atlas: atlas.draw(height=3), "draw has no option 'height'. Options of draw: depth, expand, collapse, "),
        (
            lambda atlas: atlas.show(hieght=3),
            "show has no option 'hieght'. Did you mean height? Options of show: depth",
        ),
        (
            lambda atlas: atlas.summary(colums=()),
            "summary has no option 'colums'. Did you mean columns? Options of sum",
        ),
        (
            lambda atlas: ta.compare(atlas, atlas, devise=0),
            "ta.compare has no option 'devise'. Options of ta.compare: ",
        ),
        (
            lambda atlas: ta.compare(atlas, atlas).draw(fold=False),
            "draw has no option 'fold'. Options of draw: depth, ",
        ),
        (lambda _: ta.draw(nn.ReLU(), torch.ones(1), labls=()), "ta.draw has no option 'labls', and forward(input) no"),
    ],
)
def test_an_option_that_there_is_not_is_refused_with_those_that_there_are(call, words):
    """What was given, what is near, and the whole list."""
    atlas = ta.capture(nn.ReLU(), torch.ones(1))
    with pytest.raises(TypeError) as caught:
        call(atlas)
    assert str(caught.value).startswith(words)
    assert re.search(r" Options of [\w.]+: (\w+, )+\w+\.$", str(caught.value))


def test_without_docstrings_signatures_are_completed_all_the_same():
    """``python -OO`` leaves them out."""

    def bare(**options: int) -> None:
        """Nothing."""

    bare.__doc__ = None
    table = {"depth": Option(3, "levels"), "fold": Option(default=True, text="fold")}
    done = takes(table, type("Types", (), {"__annotations__": {"depth": "int"}}))(bare)
    assert done.__doc__ is None
    assert list(signature(done).parameters) == ["depth", "options"]
    assert with_defaults("bare", {"depth": 4}, table) == {"depth": 4, "fold": True}
