"""``Beside``: two graphs side by side in one picture, with what was removed, added and changed in colours and signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.comparing.marks import deep_marks, own_marks, pairs
from torchatlas.core.options import takes, with_defaults
from torchatlas.views.drawing.differing import DIFFERENCE, Half, folds_that_differ_alike, marks_of, opened_alike
from torchatlas.views.drawing.measures import measures_in
from torchatlas.views.drawing.options import BESIDE, BesideOptions, read_options
from torchatlas.views.drawing.payload import pair, payload
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.unrun import shown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from torchatlas.core.comparing.compare import Changes


@takes(BESIDE, BesideOptions)
def beside(
    changes: Changes,
    titles: tuple[str, str],
    verdict: str,
    depth: int | None = None,
    **options: Unpack[BesideOptions],
) -> Beside:
    """Both graphs of a comparison side by side.

    Args:
        changes: what changed.
        titles: what the two are called.
        verdict: the whole in one line.
        {options}

    Raises:
        InputError: an option is none of those that there are.
        DrawingError: it takes too long, or too much memory.
    """
    every = with_defaults("draw", {"depth": depth, **options}, BESIDE)
    own, deep = own_marks(changes), deep_marks(changes)
    halves = Half(changes.a, own[0], deep[0]), Half(changes.b, own[1], deep[1])
    folds = [folds_that_differ_alike(half) for half in halves]
    places = opened_alike(halves, folds, pairs(changes)) if depth is None else ((), ())
    payloads = []
    for half, kept, expand in zip(halves, folds, places, strict=True):
        opened = {"depth": 1 if depth is None else depth, "expand": expand, "color_by": DIFFERENCE}
        whole = shown(half.graph)
        view = read_options(whole, every | opened)
        measures = measures_in(view, whole, {})
        payloads.append(payload(half.graph, view, measures, marks=marks_of(half.own), folds=kept, shorten=not expand))
    # The models themselves have no boxes that could bear a sign.
    models = [half.own.get(0, "same") for half in halves]
    named = [
        f"{letter}: {title}{'' if mark == 'same' else f' ({mark})'}"
        for letter, title, mark in zip("ab", titles, models, strict=True)
    ]
    return Beside(pair((payloads[0], payloads[1]), (named[0], named[1]), verdict), titles, verdict)


class Beside(Picture):
    """Two graphs side by side: leave it as the last line of a notebook cell, or `save` it. Made by ``beside``.

    Attributes:
        titles: what the two are called.
        verdict: the whole in one line.
    """

    def __init__(self, payload: str, titles: tuple[str, str], verdict: str) -> None:
        self.titles = titles
        self.verdict = verdict
        super().__init__(payload, " | ".join(titles))
