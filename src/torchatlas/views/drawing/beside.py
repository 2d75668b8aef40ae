"""``Beside``: two graphs side by side in one picture, with what was removed, added and changed in colours and signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.comparing.marks import deep_marks, own_marks, pairs
from torchatlas.views.drawing.differing import DIFFERENCE, Half, folds_that_differ_alike, marks_of, opened_alike
from torchatlas.views.drawing.options import read_options
from torchatlas.views.drawing.payload import pair, payload
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.structure import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.comparing.compare import Changes
    from torchatlas.views.drawing.options import Direction, Level, Theme


def beside(
    changes: Changes,
    titles: tuple[str, str],
    verdict: str,
    depth: int | None = None,
    *,
    direction: Direction = "TB",
    theme: Theme = "light",
    labels: Sequence[str] = ("shape", "params"),
    constants: bool = False,
    level: Level | None = None,
) -> Beside:
    """Both graphs of a comparison side by side.

    Args:
        changes: what changed.
        titles: what the two are called.
        verdict: the whole in one line.
        depth: levels of boxes open below the models; None opens what differs, and leaves the rest closed.
        direction: ``TB``: data flows to the bottom; ``LR``: to the right, and the second graph stands below.
        theme: ``light``, ``dark``, or ``paper`` for print.
        labels: of ``shape`` (on the wires), ``params`` and ``flops`` (on the boxes).
        constants: show calls that depend on no input and no parameter.
        level: ``op`` draws functions; ``aten`` also the ATen operators in them, where they were captured.

    Raises:
        InputError: an option is none of those that there are.
        DrawingError: it takes too long, or too much memory.
    """
    own, deep = own_marks(changes), deep_marks(changes)
    halves = Half(changes.a, own[0], deep[0]), Half(changes.b, own[1], deep[1])
    folds = [folds_that_differ_alike(half) for half in halves]
    places = opened_alike(halves, folds, pairs(changes)) if depth is None else ((), ())
    payloads = []
    for half, kept, expand in zip(halves, folds, places, strict=True):
        view = read_options(
            shown(half.graph),
            depth=1 if depth is None else depth,
            expand=expand,
            collapse=(),
            fold=True,
            direction=direction,
            theme=theme,
            labels=labels,
            constants=constants,
            level=level,
            color_by=DIFFERENCE,
        )
        payloads.append(payload(half.graph, view, marks=marks_of(half.own), folds=kept, shorten=not expand))
    # The models themselves have no boxes that could bear a sign.
    whole = [half.own.get(0, "same") for half in halves]
    named = [
        f"{letter}: {title}{'' if mark == 'same' else f' ({mark})'}"
        for letter, title, mark in zip("ab", titles, whole, strict=True)
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
