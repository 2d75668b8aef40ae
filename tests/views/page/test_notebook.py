"""A notebook is known by what runs it, and nothing is imported to find out."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from torchatlas.views.page.notebook import in_notebook


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Neither of the two is loaded."""
    for name in ("IPython", "marimo"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_script_is_no_notebook():
    """Nothing is loaded that could show anything, and asking loads nothing."""
    assert not in_notebook()
    assert "IPython" not in sys.modules


@pytest.mark.parametrize(
    ("shell", "expected"), [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)]
)
def test_ipython_is_a_notebook_where_it_has_a_kernel(monkeypatch, shell, expected):
    """Its terminal has a shell too, but shows text alone."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is expected


@pytest.mark.parametrize("running", [True, False])
def test_marimo_says_itself_whether_it_runs(monkeypatch, running):
    """A script may import it without being a notebook."""
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: running))
    assert in_notebook() is running
