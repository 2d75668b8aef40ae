"""What is said of weights that are to be loaded into a model: keys by kind, and the renaming as code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.folding.label import path_range
from torchatlas.core.folding.signature import without_numbers
from torchatlas.views.table.text_width import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.comparing.fit import Loading

SHOWN = 6
"""Groups of keys that are listed; how many others there are is said."""

BOLD, PLAIN, RED = "bold", "", "red"


def lines_of(loading: Loading | None) -> Iterator[tuple[str, str]]:
    """Lines and their styles, without the headline; plain ones are code or lists, and keep their form."""
    if loading is None:
        return
    yield from _keys("missing in the weights", loading.missing)
    yield from _tied(loading)
    yield from _keys("unexpected in the weights", loading.unexpected)
    if loading.unfit:
        yield f"{len(loading.unfit):,} of another shape:", RED
        for key, wanted, given in loading.unfit[:SHOWN]:
            yield f"  {printable(key)}: the model has {list(wanted)}, the weights {list(given)}", PLAIN
        yield from _rest(len(loading.unfit))
    yield from _errors(loading.errors)
    yield from _keys("buffers that load_state_dict may do without", loading.unsaved)
    if loading.unasked:
        yield f"inferred from names and shapes, and not asked of the model: {loading.unasked}.", PLAIN
    if loading.text:
        keys = "1 key" if loading.mended == 1 else f"{loading.mended:,} keys"
        others = "makes tensors of the arrays" if loading.arrays else "joins the dictionaries"
        does = f"renaming that mends {keys}" if loading.rules else f"code that {others}"
        yield f"{does}, for the weights as `state`:", BOLD
        for line in loading.text.splitlines():
            yield f"  {printable(line)}".rstrip(), PLAIN


def headline(loading: Loading) -> str:
    """What loading comes to, in one line."""
    where = f" under {printable(loading.inside)}" if loading.inside else ""
    inferred = "" if loading.taken is not None else ", as far as names and shapes tell"
    if loading.passes:
        return f"load_state_dict(strict=True) takes the weights{where}{inferred}: {len(loading.fitting):,} keys fit"
    counted = [f"{len(loading.fitting):,} keys fit"]
    for count, word in (
        (len(loading.missing), "missing"),
        (len(loading.unexpected), "unexpected"),
        (len(loading.unfit), "of another shape"),
    ):
        if count:
            counted.append(f"{count:,} {word}")
    if loading.errors:
        counted.append("1 other error" if len(loading.errors) == 1 else f"{len(loading.errors):,} other errors")
    mended = f"; renamed as below, {len(loading.fitting) + loading.mended:,} fit" if loading.rules else ""
    would = f"would fail on the weights{where}" if where else "would fail"
    return f"load_state_dict(strict=True) {would}{inferred}: {', '.join(counted)}{mended}"


def _errors(errors: Sequence[str]) -> Iterator[tuple[str, str]]:
    if errors:
        yield "1 other error:" if len(errors) == 1 else f"{len(errors):,} other errors:", RED
        for error in errors[:SHOWN]:
            yield f"  {printable(error)}", PLAIN
        yield from _rest(len(errors))


def _tied(loading: Loading) -> Iterator[tuple[str, str]]:
    """Missing keys that the model ties to keys that are there."""
    if not loading.tied:
        return
    count = f"{len(loading.tied):,}" if len(loading.tied) < len(loading.missing) else "all"
    yield f"{count} of the missing are tied in the model to keys that are there (strict=False fills them):", BOLD
    for key, other in loading.tied[:SHOWN]:
        yield f"  {printable(key)} is tied to {printable(other)}, which is there", PLAIN
    yield from _rest(len(loading.tied))


def _keys(what: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys that differ in numbers alone stand in one line."""
    if not keys:
        return
    yield f"{len(keys):,} {what}:", RED
    groups: dict[str, list[str]] = {}
    for key in keys:
        holder, _, name = key.rpartition(".")
        groups.setdefault(holder, []).append(name)
    merged: dict[tuple[str, ...], list[str]] = {}
    for holder, names in groups.items():
        merged.setdefault(tuple(names), []).append(holder)
    listed = [(holder, leaves) for leaves, holders in merged.items() for holder in _spans(holders)]
    for holder, leaves in listed[:SHOWN]:
        name = leaves[0] if len(leaves) == 1 else f"{{{', '.join(leaves)}}}"
        yield f"  {printable(f'{holder}.{name}' if holder else name)}", PLAIN
    yield from _rest(len(listed))


def _spans(holders: Sequence[str]) -> list[str]:
    """Those that differ in numbers alone as one."""
    alike: dict[str, list[str]] = {}
    for holder in holders:
        alike.setdefault(without_numbers(holder), []).append(holder)
    return [path_range(each) for each in alike.values()]


def _rest(count: int) -> Iterator[tuple[str, str]]:
    if count > SHOWN:
        yield f"  and {count - SHOWN:,} more", PLAIN
