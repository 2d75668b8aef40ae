"""A dictionary that answers by attribute too."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.utils import _pytree

from torchatlas.capture.inputs.attribute_dict import AttributeDict


def test_items_are_attributes_and_attributes_items():
    """Read and written either way; the methods of a dict come first."""
    made = AttributeDict(x=1)
    made.y = 2
    assert (made.x, made["y"], dict(made)) == (1, 2, {"x": 1, "y": 2})
    assert list(AttributeDict(keys=1).keys()) == ["keys"]


def test_what_is_not_there_is_an_attribute_error_that_says_what_is():
    """So that hasattr, copy and pickle work as they do with any object."""
    made = AttributeDict(x=1)
    with pytest.raises(AttributeError, match="no 'edge_attr' among 'x'"):
        _ = made.edge_attr
    assert not hasattr(made, "y")
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301 - of our own
        assert type(other) is AttributeDict
        assert other == made


def test_torch_looks_into_it():
    """As into a dict: for `torch.export`, which a file for other programs is made with."""

    class Reads(nn.Module):
        def forward(self, batch):
            return batch.x + batch["y"]

    given = AttributeDict(x=torch.ones(2), y=torch.ones(2))
    leaves, spec = _pytree.tree_flatten(given)
    assert len(leaves) == 2
    assert _pytree.tree_unflatten(leaves, spec) == given
    program = torch.export.export(Reads(), (given,))
    assert torch.equal(program.module()(given), torch.full((2,), 2.0))
