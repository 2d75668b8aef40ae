"""Instances of frozen dataclasses made quickly are those that the class itself makes."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, fields

import pytest

from torchatlas.core.graph import Call, Module, Value
from torchatlas.core.instances import maker

RECORDS = {
    Value: (1, "activation", ("x",), (2, 3), "float32", "cpu", 24),
    Call: (0, "function", "F.relu"),
    Module: ("layers.0", "Linear"),
}


@pytest.mark.parametrize("record", RECORDS)
def test_an_instance_is_as_the_class_makes_it(record):
    """Class, fields, defaults, hash and copies are the same, and it is as frozen."""
    given = RECORDS[record]
    made, wanted = maker(record)(*given), record(*given)
    assert type(made) is record
    assert made == wanted
    assert hash(made) == hash(wanted)
    assert repr(made) == repr(wanted)
    assert copy.copy(made) == wanted
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(record)[0].name, 5)


def test_fields_may_be_given_by_name():
    """As to the class itself."""
    assert maker(Module)("", "Net", training=True) == Module("", "Net", training=True)


def test_a_field_that_is_left_out_and_has_no_default_is_an_error():
    """As of the class itself."""
    with pytest.raises(TypeError, match="name"):
        maker(Module)("layers.0")
