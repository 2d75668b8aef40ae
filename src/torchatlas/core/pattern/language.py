"""The language of patterns: `Conv > BatchNorm > Relu`, read into a tree.

    pattern    = chain { "|" chain }            branches side by side, in any order
    chain      = item { ">" item }              the next reads what the one before made
    item       = ( atom | "(" pattern ")" ) [ quantifier ]
    quantifier = "?" | "*" | "+" | "{n}" | "{n,}" | "{n,m}"
    atom       = name [ "[" condition { "," condition } "]" ]
    condition  = sizes | key ( "=" | "!=" ) value

A name is a family (`families`) or the exact name of a call, in quotes where it is no plain word. ``3x3`` alone is
a kernel size. A key is a setting of the module, an argument of the call, or ``name`` or ``path``; a value is a number,
``2x1``, a word, or a string in quotes, which is a regular expression if it begins with ``re:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 100
LARGEST = 1000
"""How many items a pattern may come to when ``{n}`` is written out."""

Wanted: TypeAlias = "bool | int | float | str | tuple[int, ...] | re.Pattern[str] | None"
Pattern: TypeAlias = "Atom | Serial | Parallel | Repeat"

NAME = re.compile(r"[^\W\d][\w.]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
SIZES = re.compile(r"\d+(?:x\d+)+(?!\w)")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w)")
COUNTS = re.compile(r"\{\s*(\d+)\s*(?:(,)\s*(\d+)?\s*)?\}")
SPACE = re.compile(r"\s*")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a call: ``key`` has this value, or, ``negated``, has another one or none."""

    key: str
    value: Wanted
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Atom:
    """One call of a family or name."""

    name: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Serial:
    """Each reads what the one before it made."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """All start from one source, and what comes next reads them all."""

    branches: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """At least ``least`` times, at most ``most`` times; None without a limit."""

    part: Pattern
    least: int
    most: int | None


def parse(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        InputError: it is not one; the message points at the place and says what was expected there.
    """
    if not isinstance(text, str):
        raise InputError(f"a pattern is text, as 'Conv > BatchNorm > Relu'; given was {text!r}")
    return _Parser(text).parse()


def atoms(pattern: Pattern) -> Iterator[Atom]:
    """All atoms of a pattern, in the order they are written."""
    waiting = [pattern]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Atom):
            yield part
        else:
            waiting += reversed(parts_of(part))


def parts_of(pattern: Serial | Parallel | Repeat) -> tuple[Pattern, ...]:
    """What a pattern is made of."""
    if isinstance(pattern, Serial):
        return pattern.parts
    return pattern.branches if isinstance(pattern, Parallel) else (pattern.part,)


def compiled(text: str, whole: str) -> re.Pattern[str]:
    """Compile the regular expression of ``re:…``.

    Raises:
        InputError: it is not one; ``whole``, which it stands in, is repeated with a mark under the fault.
    """
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        at = whole.find(text) + (getattr(error, "pos", None) or 0)
        message = getattr(error, "msg", None) or "too large to be compiled"
        raise InputError(marked(f"the regular expression cannot be read: {message}", whole, at)) from None


def marked(message: str, text: str, at: int) -> str:
    """The message, and below it the line of the text with a mark under the place."""
    begin = text.rfind("\n", 0, at) + 1
    line = text[begin:].partition("\n")[0]
    shown = "".join(letter if letter.isprintable() else " " for letter in line)
    return f"{message}\n  {shown}\n  {' ' * (at - begin)}^"


class _Parser:
    """One pass over the text; ``at`` is where the next thing stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def parse(self) -> Pattern:
        pattern = self._pattern()
        if self.at < len(self.text):
            raise self._expected("'>', '|', a quantifier or the end of the pattern")
        if _size(pattern) > LARGEST:
            raise InputError(
                f"the pattern {self.text!r} comes to more than {LARGEST} items when its counts are written out"
            )
        return pattern

    def _pattern(self) -> Pattern:
        branches = [self._chain()]
        while self._sign("|"):
            branches.append(self._chain())
        return branches[0] if len(branches) == 1 else Parallel(tuple(branches))

    def _chain(self) -> Pattern:
        parts = [self._item()]
        while self._sign(">"):
            parts.append(self._item())
        return parts[0] if len(parts) == 1 else Serial(tuple(parts))

    def _item(self) -> Pattern:
        if self._sign("("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise self._expected(f"at most {DEEPEST} parentheses inside one another")
            part = self._pattern()
            if not self._sign(")"):
                raise self._expected("'>', '|', a quantifier or ')'")
            self.depth -= 1
        else:
            part = self._atom()
        return self._quantified(part)

    def _quantified(self, part: Pattern) -> Pattern:
        for sign, least, most in (("?", 0, 1), ("*", 0, None), ("+", 1, None)):
            if self._sign(sign):
                return Repeat(part, least, most)
        begin = self._here()
        found = self._take(COUNTS)
        if found is None:
            if self.text[begin : begin + 1] == "{":
                raise self._expected("a count as {2}, {2,} or {2,5}")
            return part
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if most is not None and (most < least or most == 0):
            self.at = begin
            raise self._expected("a count of at least 1, the lower number first")
        return Repeat(part, least, most)

    def _atom(self) -> Atom:
        name = self._name("the name of a call or family, or '('")
        conditions: list[Condition] = []
        if self._sign("["):
            conditions.append(self._condition())
            while self._sign(","):
                conditions.append(self._condition())
            if not self._sign("]"):
                raise self._expected("',' or ']'")
        return Atom(name, tuple(conditions))

    def _condition(self) -> Condition:
        sizes = self._take(SIZES)
        if sizes is not None:
            return Condition("kernel_size", tuple(map(int, sizes[0].split("x"))))
        key = self._name("a kernel size as 3x3, or a key as stride=2")
        negated = self._sign("!=")
        if not negated and not self._sign("="):
            raise self._expected("'=' or '!='")
        return Condition(key, self._value(), negated)

    def _value(self) -> Wanted:
        sizes = self._take(SIZES)
        if sizes is not None:
            return tuple(map(int, sizes[0].split("x")))
        number = self._take(NUMBER)
        if number is not None:
            try:
                return int(number[0])
            except ValueError:
                return float(number[0])
        begin = self._here()
        word = self._name("a number, sizes as 2x1, a word, or a string in quotes")
        if self.text[begin] not in "\"'":
            return WORDS.get(word.lower(), word)
        return compiled(word[3:], self.text) if word.startswith("re:") else word

    def _name(self, wanted: str) -> str:
        found = self._take(NAME)
        if found is None:
            raise self._expected(wanted)
        name = found[0]
        return re.sub(r"\\([\"'\\])", r"\1", name[1:-1]) if name[0] in "\"'" else name.rstrip(".")

    def _sign(self, sign: str) -> bool:
        if self.text.startswith(sign, self._here()):
            self.at += len(sign)
            self._here()
            return True
        return False

    def _take(self, form: re.Pattern[str]) -> re.Match[str] | None:
        found = form.match(self.text, self._here())
        if found is not None:
            self.at = found.end()
            self._here()
        return found

    def _here(self) -> int:
        space = SPACE.match(self.text, self.at)
        self.at = self.at if space is None else space.end()
        return self.at

    def _expected(self, wanted: str) -> InputError:
        met = f"{self.text[self.at]!r} stands there" if self.at < len(self.text) else "the pattern ends there"
        return InputError(marked(f"expected {wanted}, but {met}:", self.text, self.at))


def _size(pattern: Pattern) -> int:
    """How many items there are when counts are written out; parentheses are no deeper than ``DEEPEST``."""
    if isinstance(pattern, Atom):
        return 1
    inner = sum(map(_size, parts_of(pattern)))
    return inner * max(pattern.most or pattern.least, 1) if isinstance(pattern, Repeat) else inner
