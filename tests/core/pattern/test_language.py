"""The language of patterns: what is read, and what is said of what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchatlas.core.errors import InputError
from torchatlas.core.pattern.language import Atom, Condition, Parallel, Repeat, Serial, atoms, parse

CONV, NORM, RELU = Atom("Conv"), Atom("BatchNorm"), Atom("Relu")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("Conv", CONV),
        ("Conv > BatchNorm>Relu", Serial((CONV, NORM, RELU))),
        ("(Conv | BatchNorm) > Relu", Serial((Parallel((CONV, NORM)), RELU))),
        ("Conv > BatchNorm | Relu", Parallel((Serial((CONV, NORM)), RELU))),
        ("(Conv > Relu)+", Repeat(Serial((CONV, RELU)), 1, None)),
        ("Conv? > Relu* > Conv{2}", Serial((Repeat(CONV, 0, 1), Repeat(RELU, 0, None), Repeat(CONV, 2, 2)))),
        ("Relu{2,} > Conv{2,5}", Serial((Repeat(RELU, 2, None), Repeat(CONV, 2, 5)))),
        ("F.relu > aten.mm.default", Serial((Atom("F.relu"), Atom("aten.mm.default")))),
        ('"Residual ×35" > \'a "b"\'', Serial((Atom("Residual ×35"), Atom('a "b"')))),
        ("((((Conv))))", CONV),
        ("\n Conv\n\t> Relu ", Serial((CONV, RELU))),
    ],
)  # fmt: skip
def test_a_pattern_is_read(text, tree):
    """Serial binds closer than parallel, quantifiers closest, and space between things does not matter."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("Conv[3x3]", [("kernel_size", (3, 3), False)]),
        ("Conv[3x3x3, stride=2]", [("kernel_size", (3, 3, 3), False), ("stride", 2, False)]),
        ("Conv[stride!=2x1]", [("stride", (2, 1), True)]),
        ("Conv[bias=none, inplace=True]", [("bias", None, False), ("inplace", True, False)]),
        ("Conv[eps=1e-5]", [("eps", 1e-5, False)]),
        ("Conv[padding=-1, padding_mode=reflect]", [("padding", -1, False), ("padding_mode", "reflect", False)]),
    ],
)  # fmt: skip
def test_conditions_are_read(text, conditions):
    """Sizes alone are a kernel size; values are numbers, sizes and words."""
    assert parse(text) == Atom("Conv", tuple(Condition(*condition) for condition in conditions))


def test_a_value_may_be_an_expression():
    """Only in quotes, and only after ``re:``."""
    (condition,) = parse('Conv[path="re:layer(1|2).*"]').conditions
    assert condition.value.fullmatch("layer2.0")
    assert parse('Conv[path="layer1"]').conditions[0].value == "layer1"


@pytest.mark.parametrize(
    ("text", "at", "wanted"),
    [
        ("", 0, "the name of a call"),
        ("Conv > ", 7, "the name of a call"),
        ("Conv > > Relu", 7, "'>' stands there"),
        ("Conv Relu", 5, "'>', '|', a quantifier or the end"),
        ("(Conv > Relu", 12, "or ')'"),
        ("Conv)", 4, "the end of the pattern"),
        ("Conv[3x3, stride=]", 17, "a number, sizes"),
        ("Conv[]", 5, "a kernel size"),
        ("Conv[stride 2]", 12, "'=' or '!='"),
        ("Conv[3x3", 8, "',' or ']'"),
        ("Conv++", 5, "a quantifier or the end"),
        ("Conv{a}", 4, "a count as {2}"),
        ("Conv{3,2}", 4, "the lower number first"),
        ("Conv{0}", 4, "at least 1"),
        ("Conv > 3x3", 7, "the name of a call"),
        ('Conv[path="re:("]', 14, "the regular expression"),
    ],
)
def test_an_error_points_at_the_place(text, at, wanted):
    """The pattern is repeated, and the mark below it stands under the first letter that does not fit."""
    with pytest.raises(InputError) as caught:
        parse(text)
    message, shown, mark = str(caught.value).split("\n")
    assert wanted in message
    assert shown == f"  {text}"
    assert mark == " " * (2 + at) + "^"


def test_an_error_shows_the_line_it_is_in():
    """Of a pattern of several lines only one is repeated."""
    with pytest.raises(InputError, match=r"\n  > > Relu\n    \^$"):
        parse("Conv\n> > Relu")


@pytest.mark.parametrize("text", ["(" * 5000 + "A" + ")" * 5000, "((A{999}){999}){999}", "A{1001}", None, 7])
def test_what_is_too_much_is_refused(text):
    """Neither deep parentheses nor great counts exhaust anything."""
    with pytest.raises(InputError):
        parse(text)


@given(st.text(alphabet="AB|>()[]+*?{}2,x= !\"'\\re:", max_size=24) | st.text(max_size=12))
def test_any_text_is_read_or_refused(text):
    """A refusal always repeats the text with a mark."""
    try:
        read = list(atoms(parse(text)))
    except InputError as error:
        said = str(error)
    else:
        said = "^" if read else ""
    assert "^" in said or "items" in said
