"""Notes about a changed graph; if a pattern was found nowhere, the note offers names that are spelled alike."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from torchatlas.core.graph import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Graph, NoteCode
    from torchatlas.core.pattern.units import Units

MOST = 10_000
"""Names that near ones are looked for among."""


def with_notes(graph: Graph, code: NoteCode, *texts: str) -> Graph:
    """The graph with these notes, of one kind, after its own."""
    return replace(graph, notes=(*graph.notes, *[Note(text, code=code) for text in texts])) if texts else graph


def quoted(pattern: str) -> str:
    """A pattern as it is written in code, its backslashes as in a raw string."""
    return repr(pattern).replace("\\\\", "\\")


def nothing_found(
    graph: Graph,
    prefix: str,
    pattern: str,
    known: Sequence[str],
    flow: Units | None = None,
    names: Sequence[str] = (),
    opened: Units | None = None,
) -> str:
    """One sentence.

    Args:
        graph: where it was looked for.
        prefix: what was to be done, as ``fold(``.
        pattern: what was looked for.
        known: what it could have been.
        flow: the run as the pattern saw it.
        names: those in the pattern.
        opened: the run without the groups that were folded.
    """
    begin = f"{prefix}{quoted(pattern)}) found nothing in {graph.name}"
    if flow is not None and not graph.calls:
        return f"{begin}: the model was not run, and patterns match calls. Capture it with an input."
    absent = [name for name in names if flow is not None and not flow.has(name)]
    if flow is not None and names and not absent:
        return f"{begin}: everything in it exists, but not connected in this way."
    grouped = [name for name in absent if opened is not None and opened.has(name)]
    if grouped:
        return (
            f"{begin}: {', '.join(grouped)} {'is' if len(grouped) == 1 else 'are'} inside folded groups; unfold()"
            " opens them."
        )
    near = [_near(name, known) for name in absent or [pattern.partition(":")[2] or pattern]]
    return f"{begin}{': it has no ' + ', '.join(absent) if absent else ''}{''.join(near)}."


def _near(name: str, known: Sequence[str]) -> str:
    lower = {each.lower(): each for each in list(dict.fromkeys(known))[:MOST]}
    close = get_close_matches(name.lower(), lower, n=3)
    return f"; close to {name}: {', '.join(lower[each] for each in close)}" if close else ""
