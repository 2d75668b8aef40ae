"""The table in a notebook: well formed, closed to what names bring along, opened level by level."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from core.graphs import irregular
from torchatlas.views.table.summary import summarize
from views.table import nets
from views.table.test_text import HOSTILE, named

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags in order, checked for balance, with the text outside style sheets."""

    def __init__(self, html):
        super().__init__()
        self.open = []
        self.tags = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs), len([each for each in self.open if each == "details"])))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def rows(page):
    """(name of the tag, nesting) of every row but the heading."""
    return [(tag, level) for tag, attrs, level in page.tags if "ta-row" in attrs.get("class", "").split()][1:]


@pytest.mark.parametrize("graph", [nets.decoder, nets.failing, nets.structure, nets.unrolled])
def test_every_tag_is_closed(graph):
    """One ``div`` that can stand in any page, with no script and nothing to load."""
    html = summarize(graph(), rows="ops").html()
    page = Page(html)
    assert page.open == []
    assert html.startswith("<div")
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _, _ in page.tags}
    assert "url(" not in html
    assert not any(name.startswith("on") for _, attrs, _ in page.tags for name in attrs)


def test_rows_open_and_close_as_they_are_nested():
    """A row with rows inside is the summary of a details element that holds them."""
    page = Page(summarize(nets.decoder()).html())
    found = [(tag, level) for tag, level in rows(page)]
    assert found[:6] == [("summary", 1), ("div", 1), ("summary", 2), ("div", 2), ("summary", 3), ("div", 3)]


def test_deep_levels_begin_closed():
    """As many levels are open as make a short table; all are there."""
    summary = summarize(nets.decoder(), rows="ops", fold=False)
    page = Page(summary.html())
    details = [attrs for tag, attrs, _ in page.tags if tag == "details"]
    assert 0 < sum("open" in attrs for attrs in details) < len(details)
    assert len(rows(page)) == len(summary._every)


def markup(page):
    """Tags and the names of their attributes, but for the line breaks of a message and tooltips."""
    return [(tag, sorted(set(attrs) - {"title"})) for tag, attrs, _ in page.tags if tag != "br"]


def test_rows_beyond_what_a_notebook_holds_are_counted():
    """The last ones are left out; a note says how many."""
    page = Page(summarize(irregular(6000), rows="ops", fold=False, depth=99).html())
    assert len(rows(page)) == 5000
    assert "note: 1,000 more rows are left out here" in page.text


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_names_are_text(name):
    """Never markup, wherever they stand: cells, tooltips, notes, messages."""
    hostile, harmless = (Page(summarize(named(each), columns=["name", "type", "path"]).html()) for each in (name, "x"))
    assert markup(hostile) == markup(harmless)
    assert hostile.text.isprintable()


def test_a_failure_is_told_below():
    """The row, the message, the tensors."""
    page = Page(summarize(nets.failing()).html())
    assert sum("ta-failed" in attrs.get("class", "") for _, attrs, _ in page.tags) == 2
    assert "normalized_shape=[32]" in page.text
    assert "input: float32[2, 16, 7] on cpu" in page.text


def test_numbers_tell_their_exact_value():
    """In the tooltip, where the text is rounded."""
    titles = [attrs.get("title") for _, attrs, _ in Page(summarize(nets.mnist()).html()).tags]
    assert f"{10 * 24 * 24 * 25:,}" in titles


def test_other_styles_are_preformatted():
    """Their columns are aligned by blanks."""
    assert summarize(nets.mnist(), style="torchinfo").html().startswith("<pre>=====")
