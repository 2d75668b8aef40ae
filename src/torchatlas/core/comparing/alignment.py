"""Two trees, node by node: which node of one is which of the other.

Names decide first, then likeness: what stands under a name that both have is the same thing changed; what has no
namesake is looked for among what is alike, in order. Children with numbers for names are positions in a list, so they
are aligned as a sequence: one that was put in between shifts those after it, and changes none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.comparing.subsequence import common, heaviest
from torchatlas.core.comparing.tree import LEVELS, LOOSE, is_number
from torchatlas.core.comparing.vocabulary import canonical, nearness, stems, synonyms

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from torchatlas.core.comparing.tree import Tree

OFFERED = 24
"""Nodes without a namesake, on either side, up to which each is held against each."""

NEAR = 4
"""Levels below a pair at which what has no namesake is looked for."""

WRAPPED = 3
"""Levels of wrapping (``module.``, ``model.backbone.``) that are looked through."""

SHARED = 0.5
"""What has more than this part in common is the same."""

ENOUGH = 0.4
"""A node that shows more than this part of the children of a model may be that model, wrapped."""

HEART = 0.9
"""A part with at least this share of all is what a node is made of."""

PACKED = "_packed_params"
"""What a quantized layer of torch calls the part that holds its weights: the layer is what it was, not around it."""

MOVED = 5
"""Nodes that a part must have to be known again in another place."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Which node is which.

    Attributes:
        pairs: for nodes of a, the nodes of b that they are.
        guessed: those of a that were chosen among several, or found elsewhere, by likeness alone.
    """

    pairs: dict[int, int]
    guessed: frozenset[int] = frozenset()


def align(a: Tree, b: Tree) -> Aligned:
    """Align two trees; taken the other way round, the same pairs."""
    if not a.names or not b.names:
        return Aligned({})
    if (b.names, b.parents) < (a.names, a.parents):
        other_way = _Alignment(b, a).run()
        pairs = {one: other for other, one in other_way.pairs.items()}
        return Aligned(pairs, frozenset(other_way.pairs[node] for node in other_way.guessed))
    return _Alignment(a, b).run()


class _Alignment:
    """One walk down both trees at once, from pair to pair."""

    def __init__(self, a: Tree, b: Tree) -> None:
        self.a, self.b = a, b
        self.mate: dict[int, int] = {}
        self.taken: set[int] = set()
        self.guessed: set[int] = set()
        self.todo: list[tuple[int, int]] = []

    def run(self) -> Aligned:
        one, other = _anchor(self.a, self.b)
        self._pair(one, other)
        self._walk()
        self._beside(one, other)
        self._moved()
        self._in_order()
        self._around()
        return Aligned(self.mate, frozenset(self.guessed))

    def _walk(self) -> None:
        while self.todo:
            self._children(*self.todo.pop())

    def _beside(self, one: int, other: int) -> None:
        """What stands beside a wrapped model may be in the other model itself."""
        left, right = list(self.a.children[one]), list(self.b.children[other])
        left += [x for around in self.a.above(one) for x in self.a.children[around]]
        right += [y for around in self.b.above(other) for y in self.b.children[around]]
        self._known_again(*self._free(left, right), ({*left}, {*right}))
        self._walk()

    def _pair(self, one: int, other: int) -> None:
        """Note that two are one thing; where one of them has been put around what the other is, that is what it is."""
        other = self._wrapped_in(self.b, other, self.a, one, self.taken)
        one = self._wrapped_in(self.a, one, self.b, other, self.mate)
        self.mate[one] = other
        self.taken.add(other)
        self.todo.append((one, other))

    def _wrapped_in(self, outer: Tree, node: int, inner: Tree, leaf: int, known: Container[int]) -> int:
        """The only node inside that has the tensors of the leaf, or else its class; the node itself where none has.

        ``Linear`` under the name of a ``Sequential`` with a ``Linear`` in it, or of an adapter around it.
        """
        if inner.owned[leaf] < 0 or inner.children[leaf] or outer.owned[node] >= 0:
            return node
        inside = [at for at in outer.below(node) if outer.owned[at] >= 0 and at not in known]
        for alike in (
            [at for at in inside if outer.owned[at] == inner.owned[leaf]],
            [at for at in inside if outer.kinds[at][LOOSE] == inner.kinds[leaf][LOOSE]],
        ):
            if len(alike) == 1:
                return node if outer.names[alike[0]] == PACKED else alike[0]
        return node

    def _children(self, one: int, other: int) -> None:
        left, right = list(self.a.children[one]), list(self.b.children[other])
        self._namesakes([x for x in left if not is_number(self.a.names[x])], right)
        numbered = [[x for x in nodes if is_number(tree.names[x])] for tree, nodes in self._sides(left, right)]
        self._sequences(*self._free(*numbered))
        self._likes(*self._free(left, right))
        self._overlapping(*self._heavy(*self._free(left, right)))
        self._deeper(*self._free(left, right))
        # Of one class, and that is all: after what is known again further down.
        self._kindred(*self._heavy(*self._free(left, right)), LOOSE)

    def _sides(self, left: list[int], right: list[int]) -> tuple[tuple[Tree, list[int]], tuple[Tree, list[int]]]:
        return (self.a, left), (self.b, right)

    def _free(self, left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[int]]:
        """Those that have no mate yet."""
        return [x for x in left if x not in self.mate], [y for y in right if y not in self.taken]

    def _namesakes(self, left: Sequence[int], right: Sequence[int]) -> None:
        names = {self.b.names[y]: y for y in right if y not in self.taken}
        for x in left:
            y = names.pop(self.a.names[x], None)
            if y is not None and x not in self.mate:
                self._pair(x, y)

    def _sequences(self, left: list[int], right: list[int]) -> None:
        """Align two lists: what holds tensors first, stricter likeness before looser; then what stands between."""
        gaps = [(left, right)]
        for heavy in (True, False):
            for level in range(LEVELS):
                if heavy and level == LOOSE - 1:  # no more are of one shape throughout
                    gaps = [part for gap in gaps for part in self._weighed(*gap)]
                gaps = [part for gap in gaps for part in self._split(*gap, level, heavy=heavy)]
        for xs, ys in gaps:
            names = {self.b.names[y]: y for y in ys}
            same = [(x, names[self.a.names[x]]) for x in xs if self.a.names[x] in names]
            if not same and len(xs) == len(ys) == 1:
                same = [(xs[0], ys[0])]
            for x, y in same:
                self._pair(x, y)

    def _split(self, xs: list[int], ys: list[int], level: int, *, heavy: bool) -> Iterator[tuple[list[int], list[int]]]:
        """Pair what is alike at that level, and give what lies between the pairs."""
        if not xs or not ys:
            return
        one = [at for at, x in enumerate(xs) if self.a.heavy[x] or not heavy]
        two = [at for at, y in enumerate(ys) if self.b.heavy[y] or not heavy]
        found = common([self.a.kinds[xs[i]][level] for i in one], [self.b.kinds[ys[j]][level] for j in two])
        start = begin = 0
        for i, j in found:
            self._pair(xs[one[i]], ys[two[j]])
            yield xs[start : one[i]], ys[begin : two[j]]
            start, begin = one[i] + 1, two[j] + 1
        yield xs[start:], ys[begin:]

    def _weighed(self, xs: list[int], ys: list[int]) -> Iterator[tuple[list[int], list[int]]]:
        """Pair, in order, what is most alike together, where that is not too much; give what lies between the pairs."""
        one, two = self._heavy(xs, ys)
        found = heaviest(self._weights(one, two)) if max(len(one), len(two)) <= OFFERED else []
        start = begin = 0
        for i, j in found:
            self._pair(one[i], two[j])
            end, stop = xs.index(one[i]), ys.index(two[j])
            yield xs[start:end], ys[begin:stop]
            start, begin = end + 1, stop + 1
        yield xs[start:], ys[begin:]

    def _weights(self, one: list[int], two: list[int]) -> list[list[float]]:
        """How much each is like each: in what is below it, and in class; of as many pairs, those of the same parts."""
        bags = [[_bag(tree, node, named=False) for node in nodes] for tree, nodes in self._sides(one, two)]
        kinds = [[tree.kinds[node] for node in nodes] for tree, nodes in self._sides(one, two)]
        little = 1 / (len(one) + len(two) + 1)
        rows: list[list[float]] = []
        for bag, kind in zip(bags[0], kinds[0], strict=True):
            rows.append([])
            for other, its in zip(bags[1], kinds[1], strict=True):
                shared = 2 * (bag & other).total() / max(bag.total() + other.total(), 1)
                alike = (kind[LOOSE] == its[LOOSE]) * (1 + little * (kind[LOOSE - 1] == its[LOOSE - 1]))
                rows[-1].append(alike + (shared if shared > SHARED else 0))
        return rows

    def _likes(self, left: list[int], right: list[int]) -> None:
        """Siblings under other names: those alike in something, the nearest names first."""
        for level in range(LOOSE):
            self._kindred(*self._free(left, right), level)

    def _kindred(self, left: list[int], right: list[int], level: int) -> None:
        kinds: dict[tuple[int, bool], tuple[list[int], list[int]]] = {}
        for x in left:
            kinds.setdefault((self.a.kinds[x][level], self.a.heavy[x]), ([], []))[0].append(x)
        for y in right:
            kind = self.b.kinds[y][level], self.b.heavy[y]
            if kind in kinds:
                kinds[kind][1].append(y)
        for xs, ys in kinds.values():
            self._nearest(xs, ys)

    def _heavy(self, left: list[int], right: list[int]) -> tuple[list[int], list[int]]:
        return [x for x in left if self.a.heavy[x]], [y for y in right if self.b.heavy[y]]

    def _nearest(self, xs: list[int], ys: list[int]) -> None:
        """Pair nodes of one kind by their names; where there are too many to compare, in order."""
        if max(len(xs), len(ys)) > OFFERED:
            offers = [(0.0, 0, x, y) for x, y in zip(xs, ys, strict=False)]
        else:
            near = self._names(xs, ys)
            offers = sorted((-near[i, j], abs(i - j), x, y) for i, x in enumerate(xs) for j, y in enumerate(ys))
        for distance, _, x, y in offers:
            if x not in self.mate and y not in self.taken:
                self._pair(x, y)
                if distance > -1 and len(xs) + len(ys) > 2:  # noqa: PLR2004 - others could have been meant
                    self.guessed.add(x)

    def _names(self, xs: list[int], ys: list[int]) -> dict[tuple[int, int], float]:
        """How near each name is to each, as it is or without what it shares with its like."""
        left, right = ([tree.names[node] for node in nodes] for tree, nodes in self._sides(xs, ys))
        bare = stems(left), stems(right)
        return {
            (i, j): max(nearness(left[i], right[j]), nearness(bare[0][i], bare[1][j]))
            for i in range(len(xs))
            for j in range(len(ys))
        }

    def _overlapping(self, left: list[int], right: list[int]) -> None:
        """Pair what holds much of the same below it: under the same names, or else in the same shapes."""
        for named in (True, False):
            one, two = self._free(left, right)
            if not one or not two or max(len(one), len(two)) > OFFERED:
                return
            bags = [[_bag(tree, node, named=named) for node in nodes] for tree, nodes in self._sides(one, two)]
            near = self._names(one, two)
            offers = sorted(
                (-(p & q).total() / max(p.total(), q.total(), 1), -near[i, j], abs(i - j), one[i], two[j])
                for i, p in enumerate(bags[0])
                for j, q in enumerate(bags[1])
            )
            for shared, _, _, x, y in offers:
                if -shared > SHARED and x not in self.mate and y not in self.taken:
                    self._pair(*self._hearts(x, y))

    def _hearts(self, x: int, y: int) -> tuple[int, int]:
        """What two nodes hold nearly all in, where that is made of the same: ``blocks`` and ``encoder.layers``."""
        left, right = self._free(list(_chain(self.a, x)), list(_chain(self.b, y)))  # further in may be known already
        offers = [(self._resemblance(one, other), one, other) for one in left for other in right]
        best = max(resemblance for resemblance, _, _ in offers)
        return next((one, other) for resemblance, one, other in offers if resemblance == best)

    def _resemblance(self, one: int, other: int) -> float:
        """The share of names that the children of both have; less than any where they are only as many."""
        left, right = (
            {canonical(tree.names[child]) for child in tree.children[node]}
            for tree, node in ((self.a, one), (self.b, other))
        )
        as_many = len(left) == len(right) > 1
        return max(len(left & right) / max(len(left), len(right), 1), as_many / OFFERED)

    def _deeper(self, left: list[int], right: list[int]) -> None:
        """Look for what one side has directly in what the other has one or more levels further down."""
        first = {*left}, {*right}
        for _ in range(NEAR):
            left, right = self._heavy(left, right)
            if not left or not right:
                return
            inside = [y for node in right for y in self.b.children[node]]
            within = [x for node in left for x in self.a.children[node]]
            self._known_again(left, inside, first)
            self._known_again(within, right, first)
            left, right = self._free([*left, *within], [*right, *inside])

    def _known_again(self, left: Sequence[int], right: Sequence[int], first: tuple[set[int], set[int]]) -> None:
        """Pair what bears the same name and is alike in shapes, where it is the only one."""
        for level in range(LOOSE):
            one, two = self._free(left, right)
            kinds, names = _only(self.b, two, level)
            own_kinds, own_names = _only(self.a, one, level)
            found = [(x, names[key]) for key, x in own_names.items() if key in names]
            if level == 1:  # other names, and the only ones in these shapes
                found += [(x, kinds[kind]) for kind, x in own_kinds.items() if kind in kinds]
            for x, y in found:
                if self.a.heavy[x] and self.b.heavy[y] and x not in self.mate and y not in self.taken:
                    self._pair(x, y)
                    if not (synonyms(self.a.names[x], self.b.names[y]) and (x in first[0] or y in first[1])):
                        self.guessed.add(x)

    def _moved(self) -> None:
        """Whole parts that are to be found again elsewhere, the largest first, where each is the only one."""
        for level in range(2):
            one, two = (
                [n for n in range(len(tree.names)) if n not in known and tree.heavy[n] and tree.sizes[n] >= MOVED]
                for tree, known in ((self.a, self.mate), (self.b, self.taken))
            )
            places, _ = _only(self.b, two, level)
            for kind, x in sorted(_only(self.a, one, level)[0].items(), key=lambda each: -self.a.sizes[each[1]]):
                y = places.get(kind)
                if y is not None and x not in self.mate and y not in self.taken:
                    self._pair(x, y)
                    self.guessed.add(x)
                    self._walk()

    def _in_order(self) -> None:
        """Other names in another nesting: what has the same tensors, in the same order, the innermost first.

        Where that is less than half of what has such tensors, it says nothing.
        """
        free = _free_inside(self.a, self.mate), _free_inside(self.b, self.taken)
        for one, other in sorted(self.mate.items(), reverse=True):
            left, right = self._free(self.a.flat(one, free[0]), self.b.flat(other, free[1]))
            mine, its = [self.a.owned[x] for x in left], [self.b.owned[y] for y in right]
            both = {*mine} & {*its}
            found = common(mine, its) if both else []
            if len(found) > SHARED * max(sum(owned in both for owned in each) for each in (mine, its)):
                for i, j in found:
                    self.mate[left[i]] = right[j]
                    self.taken.add(right[j])
                    self.guessed.add(left[i])

    def _around(self) -> None:
        """What is around parts that were known again, where that is alone on both sides: the innermost first."""
        offers: dict[tuple[int, int], int] = {}
        for one, other in sorted(self.mate.items(), reverse=True):
            x, y = self.a.parents[one], self.b.parents[other]
            while x > 0 and y > 0 and x not in self.mate and y not in self.taken:
                offers[x, y] = offers.get((x, y), 0) + 1
                x, y = self.a.parents[x], self.b.parents[y]
        for (x, y), _ in sorted(offers.items(), key=lambda each: (-each[1], -self.a.sizes[each[0][0]], each[0])):
            if x not in self.mate and y not in self.taken:
                self.mate[x] = y
                self.taken.add(y)


def _free_inside(tree: Tree, known: Container[int]) -> list[bool]:
    """Whether a node, or any below it, has tensors of its own and no mate."""
    found = [owned >= 0 and node not in known for node, owned in enumerate(tree.owned)]
    for node in range(len(found) - 1, 0, -1):
        found[tree.parents[node]] |= found[node]
    return found


def _only(tree: Tree, nodes: Sequence[int], level: int) -> tuple[dict[int, int], dict[tuple[str, int], int]]:
    """The nodes that are alone of their kind, and those alone of their name and kind."""
    kinds = Counter(tree.kinds[node][level] for node in nodes)
    keys = {node: (canonical(tree.names[node]), tree.kinds[node][level]) for node in nodes}
    names = Counter(keys.values())
    return (
        {tree.kinds[node][level]: node for node in nodes if kinds[tree.kinds[node][level]] == 1},
        {key: node for node, key in keys.items() if names[key] == 1},
    )


def _bag(tree: Tree, node: int, *, named: bool) -> Counter[tuple[str, int]]:
    """The heavy nodes below: by name (a position is none) and loosest kind; or those without others below, by shape."""
    below = [at for at in tree.below(node) if at != node and tree.heavy[at]]
    if named:
        words = [at for at in below if not is_number(tree.names[at])]
        return Counter((tree.names[at], tree.kinds[at][LOOSE]) for at in words)
    return Counter(("", tree.kinds[at][1]) for at in below if not tree.children[at])


def _chain(tree: Tree, node: int) -> Iterator[int]:
    """The node, then what nearly all of it is in, and so on."""
    at: int | None = node
    while at is not None:
        yield at
        size = tree.sizes[at]
        at = next((child for child in tree.children[at] if tree.sizes[child] >= HEART * (size - 1)), None)


def _anchor(a: Tree, b: Tree) -> tuple[int, int]:
    """The roots; where one model is found inside the other, its root and the node that it is there."""
    inside_b, inside_a = _wrapped(a, b), _wrapped(b, a)
    if inside_b[0] > inside_a[0]:
        return 0, inside_b[1]
    return (inside_a[1], 0) if inside_a[0] > inside_b[0] else (0, 0)


def _wrapped(inner: Tree, outer: Tree) -> tuple[float, int]:
    """How much better than the outer root a node below it shows the children of the inner root, and which node."""
    wanted = _shown(inner, 0)
    if not wanted:
        return 0.0, 0

    def share(node: int) -> float:
        return (wanted & _shown(outer, node)).total() / wanted.total()

    at_root = share(0)
    best, place, level = ENOUGH, 0, [0]
    for _ in range(WRAPPED):
        level = [child for node in level for child in outer.children[node] if outer.heavy[child]][:OFFERED]
        for node in level:
            found = share(node)
            if found > max(best, at_root):
                best, place = found, node
    return (best - at_root, place) if place else (0.0, 0)


def _shown(tree: Tree, node: int) -> Counter[tuple[str, int]]:
    """The heavy children of a node: by their names, and as often again if they are alike in kind, too."""
    children = [child for child in tree.children[node] if tree.heavy[child]]
    names = {child: canonical(tree.names[child]) for child in children}
    known = Counter((name, -1) for name in names.values() if not is_number(name))
    return known + Counter((name, tree.kinds[child][LOOSE - 1]) for child, name in names.items())
