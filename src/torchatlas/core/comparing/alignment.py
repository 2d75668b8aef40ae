"""Two trees of names are aligned: which node of one is which node of the other.

From the roots down, the children of each matched pair are matched, by the first of these rules that applies:

1. the same name, unless it is a number (`_match_by_name`);
2. numbers are positions in a list, so lists are aligned as sequences: a layer that is put in between moves those after
   it and changes none (`_match_lists`);
3. alike in settings and shapes, then in shapes, then in parts; of several, the nearest name (`_match_siblings`);
4. much of the same inside: ``blocks`` and ``encoder.layers`` (`_match_overlapping`);
5. the same further down, under a wrapper that only one tree has (`_match_deeper`);
6. of the same class.

Then whole parts that were moved elsewhere are matched (`_match_moved`), tensors in the same order
(`_match_in_order`), and what is around matched parts (`_match_containers`). An example with all names changed:

    a                     b                          rule
    layers                module.blocks              3: alike in all names and shapes below
      0  (weight 8 x 4)     0  (weight 8 x 4)        2: first in the list
      1  (weight 2 x 8)     1  (weight 2 x 8)        2: second
    head (weight 3 x 2)   module.head                1, after ``module`` was found to be the root of a (`_anchor`)

A test of it is the example of ``renaming.py``, whose keys these are.

The order (top down by identity, then bottom up by what is inside) is that of GumTree: Falleri et al., Fine-grained and
accurate source code differencing, https://doi.org/10.1145/2642937.2642982. The rules are our own: a model has names,
lists and shapes, which source code has not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.comparing.subsequence import heaviest_pairs, longest_common
from torchatlas.core.comparing.tree import LEVELS, LOOSE, is_number
from torchatlas.core.comparing.vocabulary import canonical, distinctive_parts, nearness, synonyms

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from torchatlas.core.comparing.tree import Tree

MOST_PAIRED = 24
"""Nodes on each side up to which every pair is compared: the time is quadratic."""

NEAR = 4
"""Levels below a pair at which a node without a match is looked for: ``encoder.model.layers.0`` is three further in."""

WRAPPED = 3
"""Levels of wrapping that are looked through: ``module.model.backbone`` (DataParallel, Lightning, a detector)."""

SHARED = 0.5
"""Nodes match if they share more than half of the larger one: equal norms and activations alone are no match."""

ENOUGH = 0.4
"""A node with more than this share of the root's children may be the root, wrapped: less than half, as heads differ."""

CORE = 0.9
"""A child with this share of all nodes below is what its parent is made of: nearly all, beside a norm or a bias."""

PACKED = "_packed_params"
"""The part that holds the weights of a quantized layer of torch. The layer around it is matched, not this part."""

MOVED = 5
"""Nodes that a part must have to be recognised elsewhere: a smaller one, as Linear and ReLU, has too many equals."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Which node is which.

    Attributes:
        pairs: matched nodes, by node of a.
        guessed: nodes of a that were chosen among several, or found elsewhere, by likeness alone.
    """

    pairs: dict[int, int]
    guessed: frozenset[int] = frozenset()


def align(a: Tree, b: Tree) -> Aligned:
    """Align two trees. The result is symmetric: ``align(b, a)`` gives the same pairs."""
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
        self.match: dict[int, int] = {}
        self.matched_b: set[int] = set()
        self.guessed: set[int] = set()
        self.todo: list[tuple[int, int]] = []

    def run(self) -> Aligned:
        one, other = _anchor(self.a, self.b)
        self._match(one, other)
        self._walk()
        self._match_beside_wrapper(one, other)
        self._match_moved()
        self._match_in_order()
        self._match_containers()
        return Aligned(self.match, frozenset(self.guessed))

    def _walk(self) -> None:
        while self.todo:
            self._children(*self.todo.pop())

    def _match_beside_wrapper(self, one: int, other: int) -> None:
        """Match what stands beside a wrapped model with parts of the other model: a head outside the wrapper."""
        left, right = list(self.a.children[one]), list(self.b.children[other])
        left += [x for around in self.a.above(one) for x in self.a.children[around]]
        right += [y for around in self.b.above(other) for y in self.b.children[around]]
        self._match_only_ones(*self._unmatched(left, right), ({*left}, {*right}))
        self._walk()

    def _match(self, one: int, other: int) -> None:
        """Match two nodes. If one only wraps the other, match the wrapped node."""
        other = self._wrapped_in(self.b, other, self.a, one, self.matched_b)
        one = self._wrapped_in(self.a, one, self.b, other, self.match)
        self.match[one] = other
        self.matched_b.add(other)
        self.todo.append((one, other))

    def _wrapped_in(self, outer: Tree, node: int, inner: Tree, leaf: int, known: Container[int]) -> int:
        """Find the one node inside that has the tensors of the leaf, or else its class; if none has, the node itself.

        ``Linear`` under the name of a ``Sequential`` with a ``Linear`` in it, or of an adapter around it.
        """
        if inner.own_tensors[leaf] < 0 or inner.children[leaf] or outer.own_tensors[node] >= 0:
            return node
        inside = [at for at in outer.below(node) if outer.own_tensors[at] >= 0 and at not in known]
        for alike in (
            [at for at in inside if outer.own_tensors[at] == inner.own_tensors[leaf]],
            [at for at in inside if outer.kinds[at][LOOSE] == inner.kinds[leaf][LOOSE]],
        ):
            if len(alike) == 1:
                return node if outer.names[alike[0]] == PACKED else alike[0]
        return node

    def _children(self, one: int, other: int) -> None:
        left, right = list(self.a.children[one]), list(self.b.children[other])
        self._match_by_name([x for x in left if not is_number(self.a.names[x])], right)
        numbered = [[x for x in nodes if is_number(tree.names[x])] for tree, nodes in self._sides(left, right)]
        self._match_lists(*self._unmatched(*numbered))
        self._match_siblings(*self._unmatched(left, right))
        self._match_overlapping(*self._with_tensors(*self._unmatched(left, right)))
        self._match_deeper(*self._unmatched(left, right))
        # Nodes of one class and nothing else in common come last: a better match may be further down.
        self._match_alike(*self._with_tensors(*self._unmatched(left, right)), LOOSE)

    def _sides(self, left: list[int], right: list[int]) -> tuple[tuple[Tree, list[int]], tuple[Tree, list[int]]]:
        return (self.a, left), (self.b, right)

    def _unmatched(self, left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[int]]:
        """Those without a match."""
        return [x for x in left if x not in self.match], [y for y in right if y not in self.matched_b]

    def _match_by_name(self, left: Sequence[int], right: Sequence[int]) -> None:
        names = {self.b.names[y]: y for y in right if y not in self.matched_b}
        for x in left:
            y = names.pop(self.a.names[x], None)
            if y is not None and x not in self.match:
                self._match(x, y)

    def _match_lists(self, left: list[int], right: list[int]) -> None:
        """Align two lists: layers with tensors first, stricter likeness before looser; then what stands between."""
        gaps = [(left, right)]
        for has_tensors in (True, False):
            for level in range(LEVELS):
                if has_tensors and level == LOOSE - 1:  # no more are of one shape throughout
                    gaps = [part for gap in gaps for part in self._match_heaviest(*gap)]
                gaps = [part for gap in gaps for part in self._split(*gap, level, has_tensors=has_tensors)]
        for xs, ys in gaps:
            names = {self.b.names[y]: y for y in ys}
            same = [(x, names[self.a.names[x]]) for x in xs if self.a.names[x] in names]
            if not same and len(xs) == len(ys) == 1:
                same = [(xs[0], ys[0])]
            for x, y in same:
                self._match(x, y)

    def _split(
        self, xs: list[int], ys: list[int], level: int, *, has_tensors: bool
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Match what is alike at that level, and yield the gaps between the matches."""
        if not xs or not ys:
            return
        one = [at for at, x in enumerate(xs) if self.a.has_tensors[x] or not has_tensors]
        two = [at for at, y in enumerate(ys) if self.b.has_tensors[y] or not has_tensors]
        found = longest_common([self.a.kinds[xs[i]][level] for i in one], [self.b.kinds[ys[j]][level] for j in two])
        start = begin = 0
        for i, j in found:
            self._match(xs[one[i]], ys[two[j]])
            yield xs[start : one[i]], ys[begin : two[j]]
            start, begin = one[i] + 1, two[j] + 1
        yield xs[start:], ys[begin:]

    def _match_heaviest(self, xs: list[int], ys: list[int]) -> Iterator[tuple[list[int], list[int]]]:
        """Match in order so that the sum of likenesses is greatest (short lists only), and yield the gaps."""
        one, two = self._with_tensors(xs, ys)
        found = heaviest_pairs(self._weights(one, two)) if max(len(one), len(two)) <= MOST_PAIRED else []
        start = begin = 0
        for i, j in found:
            self._match(one[i], two[j])
            end, stop = xs.index(one[i]), ys.index(two[j])
            yield xs[start:end], ys[begin:stop]
            start, begin = end + 1, stop + 1
        yield xs[start:], ys[begin:]

    def _weights(self, one: list[int], two: list[int]) -> list[list[float]]:
        """How much each is like each: 1 for the same class, plus the share of equal tensors below, if more than half.

        The little bonus for equal parts decides between choices with as many pairs; it is too small to cost a pair.
        """
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

    def _match_siblings(self, left: list[int], right: list[int]) -> None:
        """Match siblings under other names: strictest likeness first, and of equals the nearest names."""
        for level in range(LOOSE):
            self._match_alike(*self._unmatched(left, right), level)

    def _match_alike(self, left: list[int], right: list[int], level: int) -> None:
        kinds: dict[tuple[int, bool], tuple[list[int], list[int]]] = {}
        for x in left:
            kinds.setdefault((self.a.kinds[x][level], self.a.has_tensors[x]), ([], []))[0].append(x)
        for y in right:
            kind = self.b.kinds[y][level], self.b.has_tensors[y]
            if kind in kinds:
                kinds[kind][1].append(y)
        for xs, ys in kinds.values():
            self._match_nearest_names(xs, ys)

    def _with_tensors(self, left: list[int], right: list[int]) -> tuple[list[int], list[int]]:
        return [x for x in left if self.a.has_tensors[x]], [y for y in right if self.b.has_tensors[y]]

    def _match_nearest_names(self, xs: list[int], ys: list[int]) -> None:
        """Match nodes of one kind by their names; where there are too many to compare, in order."""
        if max(len(xs), len(ys)) > MOST_PAIRED:
            offers = [(0.0, 0, x, y) for x, y in zip(xs, ys, strict=False)]
        else:
            near = self._name_nearness(xs, ys)
            offers = sorted((-near[i, j], abs(i - j), x, y) for i, x in enumerate(xs) for j, y in enumerate(ys))
        for distance, _, x, y in offers:
            if x not in self.match and y not in self.matched_b:
                self._match(x, y)
                if distance > -1 and len(xs) + len(ys) > 2:  # noqa: PLR2004 - others could have been meant
                    self.guessed.add(x)

    def _name_nearness(self, xs: list[int], ys: list[int]) -> dict[tuple[int, int], float]:
        """How near each name is to each, whole or without what all names of its side share (``q`` of ``q_proj``)."""
        left, right = ([tree.names[node] for node in nodes] for tree, nodes in self._sides(xs, ys))
        bare = distinctive_parts(left), distinctive_parts(right)
        return {
            (i, j): max(nearness(left[i], right[j]), nearness(bare[0][i], bare[1][j]))
            for i in range(len(xs))
            for j in range(len(ys))
        }

    def _match_overlapping(self, left: list[int], right: list[int]) -> None:
        """Match nodes that share more than half of what is below them: by names, or else by shapes."""
        for named in (True, False):
            one, two = self._unmatched(left, right)
            if not one or not two or max(len(one), len(two)) > MOST_PAIRED:
                return
            bags = [[_bag(tree, node, named=named) for node in nodes] for tree, nodes in self._sides(one, two)]
            near = self._name_nearness(one, two)
            offers = sorted(
                (-(p & q).total() / max(p.total(), q.total(), 1), -near[i, j], abs(i - j), one[i], two[j])
                for i, p in enumerate(bags[0])
                for j, q in enumerate(bags[1])
            )
            for shared, _, _, x, y in offers:
                if -shared > SHARED and x not in self.match and y not in self.matched_b:
                    self._match(*self._cores(x, y))

    def _cores(self, x: int, y: int) -> tuple[int, int]:
        """Go in where nearly all of a node is one child, to the most similar pair (``blocks``, ``encoder.layers``)."""
        # Nodes further in may be matched already.
        left, right = self._unmatched(list(_chain(self.a, x)), list(_chain(self.b, y)))
        offers = [(self._resemblance(one, other), one, other) for one in left for other in right]
        best = max(resemblance for resemblance, _, _ in offers)
        return next((one, other) for resemblance, one, other in offers if resemblance == best)

    def _resemblance(self, one: int, other: int) -> float:
        """The share of child names that both have. If none, equal counts of children give less than any share would."""
        left, right = (
            {canonical(tree.names[child]) for child in tree.children[node]}
            for tree, node in ((self.a, one), (self.b, other))
        )
        as_many = len(left) == len(right) > 1
        return max(len(left & right) / max(len(left), len(right), 1), as_many / MOST_PAIRED)

    def _match_deeper(self, left: list[int], right: list[int]) -> None:
        """Look for children of one side among the grandchildren of the other, level by level."""
        first = {*left}, {*right}
        for _ in range(NEAR):
            left, right = self._with_tensors(left, right)
            if not left or not right:
                return
            inside = [y for node in right for y in self.b.children[node]]
            within = [x for node in left for x in self.a.children[node]]
            self._match_only_ones(left, inside, first)
            self._match_only_ones(within, right, first)
            left, right = self._unmatched([*left, *within], [*right, *inside])

    def _match_only_ones(self, left: Sequence[int], right: Sequence[int], first: tuple[set[int], set[int]]) -> None:
        """Match nodes of the same name and shapes, if each is the only such node on its side."""
        for level in range(LOOSE):
            one, two = self._unmatched(left, right)
            kinds, names = _only(self.b, two, level)
            own_kinds, own_names = _only(self.a, one, level)
            found = [(x, names[key]) for key, x in own_names.items() if key in names]
            if level == 1:  # other names, and the only ones in these shapes
                found += [(x, kinds[kind]) for kind, x in own_kinds.items() if kind in kinds]
            for x, y in found:
                if self.a.has_tensors[x] and self.b.has_tensors[y] and x not in self.match and y not in self.matched_b:
                    self._match(x, y)
                    if not (synonyms(self.a.names[x], self.b.names[y]) and (x in first[0] or y in first[1])):
                        self.guessed.add(x)

    def _match_moved(self) -> None:
        """Match whole parts that were moved elsewhere, the largest first, if each is the only one of its kind."""
        for level in range(2):
            one, two = (
                [n for n in range(len(tree.names)) if n not in known and tree.has_tensors[n] and tree.sizes[n] >= MOVED]
                for tree, known in ((self.a, self.match), (self.b, self.matched_b))
            )
            places, _ = _only(self.b, two, level)
            for kind, x in sorted(_only(self.a, one, level)[0].items(), key=lambda each: -self.a.sizes[each[1]]):
                y = places.get(kind)
                if y is not None and x not in self.match and y not in self.matched_b:
                    self._match(x, y)
                    self.guessed.add(x)
                    self._walk()

    def _match_in_order(self) -> None:
        """Match layers with the same tensors in the same order, whatever their names and nesting; innermost first.

        If fewer than half of the layers with such tensors agree in order, the order says nothing.
        """
        free = _unmatched_inside(self.a, self.match), _unmatched_inside(self.b, self.matched_b)
        for one, other in sorted(self.match.items(), reverse=True):
            left, right = self._unmatched(self.a.flat(one, free[0]), self.b.flat(other, free[1]))
            mine, its = [self.a.own_tensors[x] for x in left], [self.b.own_tensors[y] for y in right]
            both = {*mine} & {*its}
            found = longest_common(mine, its) if both else []
            if len(found) > SHARED * max(sum(own_tensors in both for own_tensors in each) for each in (mine, its)):
                for i, j in found:
                    self.match[left[i]] = right[j]
                    self.matched_b.add(right[j])
                    self.guessed.add(left[i])

    def _match_containers(self) -> None:
        """Match what is around matched nodes and has no match, by how many matched nodes both hold."""
        offers: dict[tuple[int, int], int] = {}
        for one, other in sorted(self.match.items(), reverse=True):
            x, y = self.a.parents[one], self.b.parents[other]
            while x > 0 and y > 0 and x not in self.match and y not in self.matched_b:
                offers[x, y] = offers.get((x, y), 0) + 1
                x, y = self.a.parents[x], self.b.parents[y]
        for (x, y), _ in sorted(offers.items(), key=lambda each: (-each[1], -self.a.sizes[each[0][0]], each[0])):
            if x not in self.match and y not in self.matched_b:
                self.match[x] = y
                self.matched_b.add(y)


def _unmatched_inside(tree: Tree, known: Container[int]) -> list[bool]:
    """Whether a node, or any below it, has tensors of its own and no match."""
    found = [own_tensors >= 0 and node not in known for node, own_tensors in enumerate(tree.own_tensors)]
    for node in range(len(found) - 1, 0, -1):
        found[tree.parents[node]] |= found[node]
    return found


def _only(tree: Tree, nodes: Sequence[int], level: int) -> tuple[dict[int, int], dict[tuple[str, int], int]]:
    """The nodes that are the only ones of their kind, and those that are the only ones of their name and kind."""
    kinds = Counter(tree.kinds[node][level] for node in nodes)
    keys = {node: (canonical(tree.names[node]), tree.kinds[node][level]) for node in nodes}
    names = Counter(keys.values())
    return (
        {tree.kinds[node][level]: node for node in nodes if kinds[tree.kinds[node][level]] == 1},
        {key: node for node, key in keys.items() if names[key] == 1},
    )


def _bag(tree: Tree, node: int, *, named: bool) -> Counter[tuple[str, int]]:
    """The nodes with tensors below: by name (list positions left out) and class; or the leaves alone, by shape."""
    below = [at for at in tree.below(node) if at != node and tree.has_tensors[at]]
    if named:
        words = [at for at in below if not is_number(tree.names[at])]
        return Counter((tree.names[at], tree.kinds[at][LOOSE]) for at in words)
    return Counter(("", tree.kinds[at][1]) for at in below if not tree.children[at])


def _chain(tree: Tree, node: int) -> Iterator[int]:
    """The node, then the child that holds nearly all of it, and so on."""
    at: int | None = node
    while at is not None:
        yield at
        size = tree.sizes[at]
        at = next((child for child in tree.children[at] if tree.sizes[child] >= CORE * (size - 1)), None)


def _anchor(a: Tree, b: Tree) -> tuple[int, int]:
    """The pair to begin with: the two roots, or, if one model wraps the other, the root and the wrapped node."""
    inside_b, inside_a = _wrapped(a, b), _wrapped(b, a)
    if inside_b[0] > inside_a[0]:
        return 0, inside_b[1]
    return (inside_a[1], 0) if inside_a[0] > inside_b[0] else (0, 0)


def _wrapped(inner: Tree, outer: Tree) -> tuple[float, int]:
    """The node below the outer root whose children are most like the inner root's, and how much more than its own."""
    wanted = _shown(inner, 0)
    if not wanted:
        return 0.0, 0

    def share(node: int) -> float:
        return (wanted & _shown(outer, node)).total() / wanted.total()

    at_root = share(0)
    best, place, level = ENOUGH, 0, [0]
    for _ in range(WRAPPED):
        level = [child for node in level for child in outer.children[node] if outer.has_tensors[child]][:MOST_PAIRED]
        for node in level:
            found = share(node)
            if found > max(best, at_root):
                best, place = found, node
    return (best - at_root, place) if place else (0.0, 0)


def _shown(tree: Tree, node: int) -> Counter[tuple[str, int]]:
    """The children with tensors: counted once by name, and once more by name and kind."""
    children = [child for child in tree.children[node] if tree.has_tensors[child]]
    names = {child: canonical(tree.names[child]) for child in children}
    known = Counter((name, -1) for name in names.values() if not is_number(name))
    return known + Counter((name, tree.kinds[child][LOOSE - 1]) for child, name in names.items())
