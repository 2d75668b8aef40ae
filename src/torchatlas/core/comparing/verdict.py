"""A comparison in one line: ``added layer4.2; 11.7M -> 13.9M parameters``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.comparing.likeness import is_inferred, parent_of, reader_of
from torchatlas.core.folding.label import path_range
from torchatlas.core.folding.signature import without_numbers
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.numbers import short
from torchatlas.core.paths import nearest_ancestor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.core.comparing.compare import Changes, Item, Mark
    from torchatlas.core.graph import Graph

NAMED = 3
"""Names in one part of the line; more are counted, so that the line fits on a screen."""

LISTS = 4
"""Ranges of paths (``layer1.0..2``) in one part of the line: a ResNet has four stages."""

LITTLE = 0.1
"""Two models that share less than a tenth of the smaller one's modules are called different models: a norm or an
activation matches by chance."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the two models hold and do, as (a, b); FLOPs are None where a model was not run.

    Attributes:
        parameters: elements.
        flops: floating point operations; 1 multiply-add = 2.
        exact: False where ``flops`` is a lower bound.
    """

    parameters: tuple[int, int]
    flops: tuple[int | None, int | None]
    exact: tuple[bool, bool]


def sizes(changes: Changes) -> Sizes:
    """Parameters and FLOPs of both."""
    one, other = costs(changes.a).total, costs(changes.b).total
    return Sizes(
        (one.parameters, other.parameters),
        (one.flops if changes.a.calls else None, other.flops if changes.b.calls else None),
        (one.exact, other.exact),
    )


def verdict(changes: Changes, counts: Sizes | None = None) -> str:
    """One line: what is added, removed and changed, and what that does to parameters and FLOPs."""
    numbers = _numbers(changes, counts or sizes(changes))
    if changes.same:
        return "; ".join([_same(changes), *_renaming(changes), *numbers])
    if _strangers(changes):
        shared = len(changes.of("same")) + len(changes.of("changed"))
        count = min(_count(changes, "a"), _count(changes, "b"))
        return "; ".join([f"different models: {shared:,} of {count:,} {_units(changes)} have a match", *numbers])
    parts = [_lone(changes, "added"), _lone(changes, "removed"), _changed(changes)]
    return "; ".join([*filter(None, parts), *_renaming(changes), *numbers])


def _units(changes: Changes) -> str:
    return "calls" if changes.by_call else "modules"


def _count(changes: Changes, side: str) -> int:
    return sum(getattr(item, side) is not None for item in changes.items)


def _same(changes: Changes) -> str:
    if is_inferred(changes.a) or is_inferred(changes.b):
        return "the same tensors in the same shapes"
    if reader_of(changes.a) != reader_of(changes.b):
        return "same modules, as far as both sides describe them; functions not compared"
    if changes.a.calls and changes.b.calls:
        return "same architecture and shapes"
    return "same modules, settings and weight shapes; not run, so results are not compared"


def _strangers(changes: Changes) -> bool:
    """Whether they share so little that what was added and removed is not worth telling."""
    both = len(changes.of("same")) + len(changes.of("changed"))
    count = min(_count(changes, "a"), _count(changes, "b"))
    return both < max(2, LITTLE * count) and bool(changes.of("added")) and bool(changes.of("removed"))


def _lone(changes: Changes, mark: Mark) -> str:
    """What one has alone: how much, and the names of what is around it."""
    items = changes.of(mark)
    if not items:
        return ""
    graph = changes.b if mark == "added" else changes.a
    if changes.by_call:
        return f"{mark} {_these([graph.calls[_at(item)].name for item in items])}"
    tops = topmost(graph, [str(item.b if mark == "added" else item.a) for item in items])
    verb = "deeper: " if mark == "added" and _deeper(changes, tops) else ""
    more = f" ({len(items):,} modules)" if len(items) > len(tops) else ""
    return f"{verb}{mark} {_listed(tops, graph)}{more}"


def _at(item: Item) -> int:
    place = item.b if item.b is not None else item.a
    return place if isinstance(place, int) else 0


def _listed(paths: Sequence[str], graph: Graph) -> str:
    """The paths, those in one list as a range, and what is in many places under the same names once."""
    lists: dict[str, list[str]] = {}
    for path in paths:
        lists.setdefault(path.rpartition(".")[0], []).append(path)
    names = {parent: tuple(path.rpartition(".")[2] for path in each) for parent, each in lists.items()}
    alike: dict[tuple[str, ...], list[str]] = {}
    for parent in lists:
        alike.setdefault((without_numbers(parent), *names[parent]), []).append(parent)
    spans: list[str] = []
    for parent, each in lists.items():
        parents = alike[(without_numbers(parent), *names[parent])]
        if len(parents) < (NAMED if any(map(str.isdecimal, names[parent])) else 2):
            spans.append(path_range([path or graph.name for path in each]))
        elif parent == parents[0]:
            spans.append(f"{path_range(parents)}.{_braced(path_range(names[parent]))}")
    more = f" and {len(spans) - LISTS} more" if len(spans) > LISTS else ""
    return ", ".join(spans[:LISTS]) + more


def _braced(names: str) -> str:
    return f"{{{names}}}" if "," in names else names


def topmost(graph: Graph, paths: Sequence[str]) -> list[str]:
    """Those of the modules that are in no other of them."""
    counts = dict.fromkeys(paths, 0)
    return [path for path in paths if nearest_ancestor(path, counts) is None and path in graph.module_at]


def _deeper(changes: Changes, tops: Iterable[str]) -> bool:
    """Whether all that is added stands in lists, beside others of its class that both have."""
    graph = changes.b
    both = {item.b for item in changes.items if item.a is not None and item.b is not None}
    paths = {module.path: at for at, module in enumerate(graph.modules)}
    classes = {(parent_of(module.path, paths), module.name) for module in graph.modules if module.path in both}
    removed = changes.of("removed")
    return not removed and all(
        path.rpartition(".")[2].isdecimal()
        and any(child.path.startswith(f"{path}.") for child in graph.modules)
        and (parent_of(path, paths), graph.module_at[path].name) in classes
        for path in tops
    )


def _changed(changes: Changes) -> str:
    """How many differ, and in what; classes that are renamed by one rule are said once."""
    items = changes.of("changed")
    if not items:
        return ""
    rule, ruled = _class_rule(items)
    rest = [item for item in items if item not in ruled]
    parts = [f"{rule} in {len(ruled):,} class names"] if ruled else []
    if rest:
        words = Counter(word for item in rest for word in dict.fromkeys(_word(each.what) for each in item.differences))
        listed = [word for word, _ in words.most_common(NAMED)]
        more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
        units = _units(changes) if len(rest) != 1 else _units(changes)[:-1]
        differ = "differ" if len(rest) != 1 else "differs"
        parts.append(f"{len(rest):,} {units} {differ} in {', '.join(listed)}{more}")
    alone = not (changes.of("added") or changes.of("removed"))
    return ("same structure; " if alone else "") + "; ".join(parts)


def _word(what: str) -> str:
    """Of a function's argument, the function."""
    return what.partition(" ")[0] if what.startswith(("torch.", "F.")) else what


def _class_rule(items: Sequence[Item]) -> tuple[str, list[Item]]:
    """The beginning of class names that is another in b (``Bert`` -> ``Roberta``), and what differs in it alone."""
    rules: Counter[tuple[str, str]] = Counter()
    by_rule: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if len(item.differences) == 1 and item.differences[0].what == "class":
            rule = _beginnings(item.differences[0].a, item.differences[0].b)
            rules[rule] += 1
            by_rule.setdefault(rule, []).append(item)
    if not rules:
        return "", []
    (old, new), count = rules.most_common(1)[0]
    if count < NAMED or not old or not new:
        return "", []
    return f"{new} instead of {old}", by_rule[old, new]


def _beginnings(one: str, other: str) -> tuple[str, str]:
    """What is left of two names without the end that they share, which begins with a capital."""
    at = 0
    while at < min(len(one), len(other)) and one[-1 - at] == other[-1 - at]:
        at += 1
    while at and not one[len(one) - at].isupper():
        at -= 1
    return one[: len(one) - at], other[: len(other) - at]


def _renaming(changes: Changes) -> list[str]:
    """How many of both stand elsewhere, and by which rule most of them."""
    moved = changes.renamed
    if not moved:
        return []
    rules = Counter(prefixes(str(item.a), str(item.b)) for item in moved)
    (old, new), count = rules.most_common(1)[0]
    if count * 2 >= len(moved) and len(moved) > 1:
        return [f"{count:,} under {_prefix(new)} instead of {_prefix(old)}"]
    return [f"{len(moved):,} moved"]


def prefixes(one: str, other: str) -> tuple[str, str]:
    """What is left of two paths without the end that they share."""
    left, right = one.split(".") if one else [], other.split(".") if other else []
    while left and right and left[-1] == right[-1]:
        left.pop()
        right.pop()
    return ".".join(left), ".".join(right)


def _prefix(path: str) -> str:
    return f"{path}." if path else "no prefix"


def _these(names: Sequence[str]) -> str:
    counted = Counter(names)
    listed = [f"{name} x{count}" if count > 1 else name for name, count in counted.most_common(NAMED)]
    more = f" and {len(counted) - NAMED} more" if len(counted) > NAMED else ""
    return ", ".join(listed) + more


def _numbers(changes: Changes, counts: Sizes) -> list[str]:
    """Totals that differ; of a number that is not sure, that it is at least so much."""
    parts = []
    one, other = counts.parameters
    if one != other:
        parts.append(f"{one:,} -> {other:,} parameters")
    flops_a, flops_b = counts.flops
    unseen = any(not flops and not exact for flops, exact in zip(counts.flops, counts.exact, strict=True))
    if flops_a is not None and flops_b is not None and flops_a != flops_b and not unseen:
        bounds = ["" if exact else ">=" for exact in counts.exact]
        texts = [short(flops_a), short(flops_b)]
        if texts[0] == texts[1]:  # all digits, for what differs in few
            texts = [f"{flops_a:,}", f"{flops_b:,}"]
        parts.append(f"{bounds[0]}{texts[0]} -> {bounds[1]}{texts[1]} FLOPs")
    failed = [name for name, graph in (("a", changes.a), ("b", changes.b)) if graph.error is not None]
    parts += [f"{name} failed, so its run is compared up to the error" for name in failed]
    return parts
