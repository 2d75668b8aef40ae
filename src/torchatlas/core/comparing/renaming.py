r"""Rules are found that rename the keys of weights into those of a model, as few and as plain as possible.

>>> model = {"layers.0.weight": (8, 4), "layers.1.weight": (2, 8), "head.weight": (3, 2)}
>>> weights = {"module.blocks.0.weight": (8, 4), "module.blocks.1.weight": (2, 8), "module.head.weight": (3, 2)}
>>> rules = rules_for(model, weights)
>>> [(rule.pattern, rule.replacement, rule.keys) for rule in rules]
[('\\.blocks\\.', '.layers.', 2), ('^module\\.', '', 3)]
>>> renamed(weights, rules) == model
True

1. The keys of both are trees of names (``tree.py``), aligned as modules are (``alignment.py``). In the example
   ``module`` is matched with the root, ``module.blocks`` with ``layers``, and so on.
2. Each pair of keys is cut where names are matched; what differs in between is an edit: ``module`` -> nothing,
   ``blocks`` -> ``layers``. Equal edits of many keys make one rule.
3. A rule that would change a key that fits already gets more context, up to ``WIDEST`` names on each side, or is
   dropped.
4. Rules without which as many keys fit are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchatlas.core.comparing.alignment import align
from torchatlas.core.comparing.tree import LEVELS, Tree, by_alphabet, is_number
from torchatlas.core.comparing.vocabulary import torch_name

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

Shape = tuple[int, ...]

MOST = 80
"""Rules that are tried, those of most keys first: more than that is no renaming that a person would paste."""

PRUNED = 24
"""Rules up to which each is left out once, to see whether it is needed: each trial renames all keys anew."""

NUMBER = re.compile(r"\d+")
POINT = r"\."

WIDEST = 2
"""Names on each side of an edit that a rule may contain: a layer's name and its parent's."""

LEARNED = 4000
"""Pairs of keys from which rules are learned, at most: further keys of equal layers give the same rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    r"""``re.sub(pattern, replacement, key)``.

    Attributes:
        pattern: a regular expression, as ``^module\.``.
        replacement: what stands there instead.
        keys: how many keys it changes that then fit, alone or with other rules.
        sure: False where several tensors of the same shape could be the right one.
    """

    pattern: str
    replacement: str
    keys: int = 0
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Edit:
    """One stretch of names that differs, with the names around it; None at an end of the key."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    sure: bool
    any_number: bool = True

    @property
    def renumbers(self) -> bool:
        """It says another place in a list, so the list's own path belongs to it."""
        return any(map(is_number, self.old)) and not self.counted

    @property
    def counted(self) -> bool:
        """Its numbers stay what they are, so one rule can be for all of them."""
        if not self.any_number:
            return False
        numbers = NUMBER.findall(".".join(self.old))
        return bool(numbers) and numbers == NUMBER.findall(".".join(self.new))

    @property
    def texts(self) -> tuple[str, str]:
        """Pattern and replacement of the stretch itself."""
        old, new = ".".join(self.old), ".".join(self.new).replace("\\", "\\\\")
        if not self.counted:
            return re.escape(old), new
        places = iter(range(1, len(new) + 1))
        return (
            r"(\d+)".join(re.escape(part) for part in NUMBER.split(old)),
            NUMBER.sub(lambda _: f"\\{next(places)}", new),
        )

    @property
    def plain(self) -> tuple[Hashable, ...]:
        """What it changes, wherever that stands; what is put at the beginning is put there alone."""
        return (*self.texts, not self.before, self.renumbers and self.before)


def renamed(shapes: Mapping[str, Shape], rules: Sequence[Rule]) -> dict[str, Shape]:
    """The keys after all rules, in order."""
    compiled = [(re.compile(rule.pattern), rule.replacement) for rule in rules]
    found = {}
    for key, shape in shapes.items():
        for pattern, replacement in compiled:
            key = pattern.sub(replacement, key)  # noqa: PLW2901 - step by step, as the user's code will
        found[key] = shape
    return found


def rules_for(wanted: Mapping[str, Shape], given: Mapping[str, Shape]) -> tuple[Rule, ...]:
    """Rules that turn keys of ``given`` into keys of ``wanted`` of the same shape; the fewest that mend most."""
    slashed = sum("/" in key for key in given)
    if slashed and not any("." in key for key in given):  # as in files of other frameworks
        points = Rule("/", ".", slashed)
        return (points, *rules_for(wanted, renamed(given, [points])))
    learned = _learn(wanted, given)
    changed = {old: new for old, new in learned.keys.items() if old != new}
    groups: dict[tuple[Hashable, ...], list[tuple[str, _Edit]]] = {}
    for key in list(changed)[:LEARNED]:
        for edit in _edits(key, changed[key], learned):
            groups.setdefault(edit.plain, []).append((key, edit))
    ranked = sorted(groups.values(), key=len, reverse=True)[:MOST]
    kept = {key for key, shape in given.items() if wanted.get(key) == shape} | changed.keys()
    provided = {key for key, shape in given.items() if wanted.get(key) == shape} | set(changed.values())
    rules = [rule for group in ranked for rule in _rules(group, given, kept, provided)]
    return _needed(sorted(_merged(rules), key=_turn), wanted, given, changed)


def _merged(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Several names before which the same is put or taken away, in one rule."""
    groups: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        head, look, _ = rule.pattern.partition("(?=")
        groups.setdefault((head, rule.replacement) if look else (rule.pattern, rule.replacement), []).append(rule)
    for (head, replacement), group in groups.items():
        looks = [rule.pattern[len(head) + len("(?=") : -1] for rule in group]
        one = f"{head}(?={'|'.join(looks)})" if len(group) > 1 else group[0].pattern
        yield Rule(one, replacement, sum(rule.keys for rule in group), all(rule.sure for rule in group))


def _turn(rule: Rule) -> tuple[int, tuple[int, ...]]:
    """Places in lists first, as they are numbered in the weights: upwards where they go down, so none meets another."""
    old = tuple(int(number) for number in re.findall(r"\d+", rule.pattern))
    new = tuple(int(number) for number in re.findall(r"\d+", rule.replacement))
    if not old or len(old) != len(new):
        return 1, ()
    return 0, old if new <= old else tuple(-number for number in old)


@dataclass(frozen=True, slots=True)
class _Learned:
    """What the alignment of two trees of names says.

    Attributes:
        keys: keys of the weights with the keys of the model that they are, where their shapes agree.
        matches: every path of the weights that has a match in the model, with its path there.
        guessed: paths of the weights that were matched by shape alone.
    """

    keys: dict[str, str]
    matches: dict[str, str]
    guessed: set[str]


def _learn(wanted: Mapping[str, Shape], given: Mapping[str, Shape]) -> _Learned:
    numbers: dict[Hashable, int] = {}
    paths: list[list[str]] = [[], []]
    trees = [_tree(shapes, numbers, found) for shapes, found in zip((wanted, given), paths, strict=True)]
    aligned = align(trees[0], trees[1])
    matches = {paths[1][other]: paths[0][one] for one, other in aligned.pairs.items()}
    keys = {key: matches[key] for key, shape in given.items() if key in matches and wanted.get(matches[key]) == shape}
    return _Learned(keys, matches, {paths[1][aligned.pairs[one]] for one in aligned.guessed})


def _tree(shapes: Mapping[str, Shape], numbers: dict[Hashable, int], keys: list[str]) -> Tree:
    """All names on the way to the keys; ``keys`` takes the path of each node."""
    places: dict[str, int] = {"": 0}
    parents, names = [-1], [""]
    keys.append("")
    for key in shapes:
        at = 0
        for end in (*(match.start() for match in re.finditer(r"\.", key)), len(key)):
            path = key[:end]
            if path not in places:
                places[path] = len(keys)
                parents.append(at)
                names.append(path.rpartition(".")[2])
                keys.append(path)
            at = places[path]
    kinds = _kinds(names, parents, keys, shapes, numbers)
    return Tree(tuple(names), tuple(parents), kinds, (True,) * len(keys), _own_tensors(names, keys, shapes, numbers))


def _own_tensors(
    names: Sequence[str], keys: Sequence[str], shapes: Mapping[str, Shape], numbers: dict[Hashable, int]
) -> tuple[int, ...]:
    """Of each key a number for its last name and its shape; none where order says nothing."""
    if by_alphabet(shapes.items()):
        return (-1,) * len(keys)
    return tuple(
        numbers.setdefault((torch_name(name), shapes[key]), len(numbers)) if key in shapes else -1
        for name, key in zip(names, keys, strict=True)
    )


def _kinds(
    names: Sequence[str],
    parents: Sequence[int],
    keys: Sequence[str],
    shapes: Mapping[str, Shape],
    numbers: dict[Hashable, int],
) -> tuple[tuple[int, ...], ...]:
    """Alike: in names and shapes below; in shapes; in names and numbers of axes; in how much nests below."""
    inside: list[list[int]] = [[] for _ in names]
    heights = [0] * len(names)
    kinds: list[tuple[int, ...]] = [()] * len(names)
    for node in range(len(names) - 1, -1, -1):
        parts = [sorted((torch_name(names[child]), kinds[child][level]) for child in inside[node]) for level in (0, 2)]
        bare = tuple(sorted(kinds[child][1] for child in inside[node]))
        shape = shapes.get(keys[node])
        axes = None if shape is None else len(shape)
        each = ((shape, tuple(parts[0])), (shape, bare), (axes, tuple(parts[1])), (axes, heights[node]))
        kinds[node] = tuple(numbers.setdefault((level, key), len(numbers)) for level, key in enumerate(each))
        if node:
            inside[parents[node]].append(node)
            heights[parents[node]] = max(heights[parents[node]], heights[node] + 1)
    assert all(len(kind) == LEVELS for kind in kinds)  # noqa: S101 - what the alignment relies on
    return tuple(kinds)


def _edits(old: str, new: str, learned: _Learned) -> list[_Edit]:
    """Where two keys differ between the names that are known to be the same; numbers go with what they count.

    What is put in goes with what it is put before, if that differs too: by itself it would change where that begins.
    """
    one, other = old.split("."), new.split(".")
    spans: list[tuple[int, int, int, int]] = []
    i = k = 0
    for end in range(len(one) + 1):
        match = new if end == len(one) else learned.matches.get(".".join(one[:end]))
        if match is None or not f"{new}.".startswith(f"{match}." if match else ""):
            continue
        stop = len(match.split(".")) if match else 0
        if stop < k or (end == 0 and stop == 0):
            continue
        if one[i:end] != other[k:stop]:
            inserted = bool(spans) and spans[-1][0] == spans[-1][1]
            joined = bool(spans) and spans[-1][1] == i and (inserted or all(map(is_number, one[i:end])))
            first, begin = (spans[-1][0], spans.pop()[2]) if joined else (i, k)
            spans.append((first, end, begin, stop))
        i, k = end, stop
    return [_edit(one, other, span, learned.guessed) for span in spans]


def _edit(one: Sequence[str], other: Sequence[str], span: tuple[int, int, int, int], guessed: Collection[str]) -> _Edit:
    """The stretch without what both begin or end with."""
    i, j, k, m = span
    while i < j and k < m and one[i] == other[k]:
        i, k = i + 1, k + 1
    while i < j and k < m and one[j - 1] == other[m - 1] and not is_number(one[j - 1]):
        j, m = j - 1, m - 1
    sure = not any(".".join(one[: end + 1]) in guessed for end in range(i, max(j, i + 1)))
    return _Edit(tuple(one[i:j]), tuple(other[k:m]), tuple(one[:i]), tuple(one[j:]), sure)


def _rules(
    group: Sequence[tuple[str, _Edit]], given: Iterable[str], kept: set[str], provided: Collection[str]
) -> Iterator[Rule]:
    """The plainest rules for edits that are alike which spoil no other key."""
    needing = {key for key, _ in group}
    others = [key for key in given if key not in needing]
    sure = all(edit.sure for _, edit in group)
    tries = [(around, any_number) for around in range(WIDEST + 1) for any_number in (True, False)]
    for around, any_number in tries:
        found = Counter(_rule(replace(edit, any_number=any_number), around) for _, edit in group)
        rules = [Rule(pattern, replacement, count, sure) for (pattern, replacement), count in found.items()]
        harmless = [rule for rule in rules if not _spoils(rule, others, kept, provided)]
        if len(harmless) == len(rules) or (around, any_number) == tries[-1]:
            yield from harmless[:MOST]
            return


def _spoils(rule: Rule, others: Iterable[str], kept: set[str], provided: Collection[str]) -> bool:
    """Whether it changes a key that fits or has rules of its own, or makes another one into what a key provides.

    One that becomes a key of the model in another shape, and nothing else does, is that key: a resized head.
    """
    pattern = re.compile(rule.pattern)
    found = (key for key in others if pattern.search(key))
    return any(key in kept or pattern.sub(rule.replacement, key) in provided for key in found)


def _rule(edit: _Edit, around: int) -> tuple[str, str]:
    """As a pattern and what replaces it, with so many names before it and after it."""
    before = edit.before if edit.renumbers else edit.before[max(0, len(edit.before) - around) :]
    starts = len(before) == len(edit.before)
    kept = "".join(f"{name}." for name in before)
    head = ("^" if starts else r"\.") + re.escape(kept)
    kept = kept if starts else f".{kept}"
    old, new = edit.texts
    if not edit.after:  # the last name: no point follows it
        left = head if old else head.removesuffix(r"\.")
        return f"{left}{old}$", f"{kept}{new}" if new else kept.removesuffix(".")
    between = not old and not starts and not before  # put in between: only what follows says where
    names = edit.after[: around or int(between)]
    follow = r"\.".join(map(_loose, names)) + (r"\." if len(names) < len(edit.after) else "$")
    look = f"(?={follow})" if names else ""
    return f"{head}{f'{old}{POINT}' if old else ''}{look}", f"{kept}{new}{'.' if new else ''}"


def _loose(name: str) -> str:
    return r"\d+" if is_number(name) else re.escape(name)


def _needed(
    rules: Sequence[Rule], wanted: Mapping[str, Shape], given: Mapping[str, Shape], changed: Mapping[str, str]
) -> tuple[Rule, ...]:
    """Without the rules that mend nothing, and with the number of keys each has a part in."""

    def fitting(chosen: Sequence[Rule]) -> int:
        after = renamed(given, chosen)
        return sum(after.get(key) == shape for key, shape in wanted.items())

    kept = max((list(rules), list(rules)[::-1]), key=fitting)  # one rule may make what another looks for
    best = fitting(kept)
    if len(kept) <= PRUNED:
        for rule in sorted(rules, key=lambda each: each.keys):
            without = [other for other in kept if other is not rule]
            count = fitting(without)
            if count >= best:
                kept, best = without, count
    patterns = [re.compile(rule.pattern) for rule in kept]
    return tuple(
        replace(rule, keys=sum(pattern.search(key) is not None for key in changed))
        for rule, pattern in zip(kept, patterns, strict=True)
    )
