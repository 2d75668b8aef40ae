"""What the calls in a pickle stand for: tensors of every kind that torch writes, and none that its file cannot hold."""

from __future__ import annotations

import copyreg
import io
import pickle

import numpy as np
import pytest
import torch

from readers.weights.forged import Calls, archived, pickled
from torchatlas.core.errors import FileError
from torchatlas.readers.weights import read

STORAGE = 4
"""Elements of the storage that forged tensors stand in."""


class _Storage:
    """What torch leaves to its archive: pickled, it is the id of the storage."""


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: object) -> object:
        """As torch.save names a storage of float32."""
        return ("storage", torch.FloatStorage, "0", "cpu", STORAGE) if isinstance(thing, _Storage) else None


def viewed(path, size, stride, offset=0):
    """Read a file with one tensor in a storage of four numbers; give its shape and bytes."""
    rebuilt = Calls(torch._utils._rebuild_tensor, _Storage(), offset, size, stride)
    written = io.BytesIO()
    _Pickler(written, 2).dump({"fc.weight": rebuilt})
    (value,) = read(archived(path, written.getvalue(), {"0": bytes(4 * STORAGE)})).values
    return value.shape, value.nbytes


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((4,), (1,), 0), ((1,), (1,), 3), ((2, 2), (1, 2), 0), ((2,), (3,), 0), ((9,), (0,), 3), ((0, 9), (9, 1), 9)],
)
def test_a_tensor_may_fill_its_storage_to_the_end(size, stride, offset, tmp_path):
    """Also by steps, again and again at one place, or without any element."""
    assert viewed(tmp_path / "a.pth", size, stride, offset)[0] == size


@pytest.mark.parametrize(
    ("size", "stride", "offset", "reach"),
    [((5,), (1,), 0, 20), ((1,), (1,), 4, 20), ((2, 2), (2, 2), 0, 20), ((2,), (4,), 0, 20), ((9,), (0,), 4, 20)],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(size, stride, offset, reach, tmp_path):
    """By a single number too many: its numbers would be those of something else, or of nothing."""
    with pytest.raises(FileError, match=rf"reaches {reach} bytes into a storage of 16"):
        viewed(tmp_path / "a.pth", size, stride, offset)


@pytest.mark.parametrize(
    "thing",
    [
        Calls(torch._utils._rebuild_parameter, "text", True, {}),  # noqa: FBT003 - as torch writes it
        Calls(torch._tensor._rebuild_from_type_v2, len, torch.Tensor, (), {}),
        Calls(torch._tensor._rebuild_from_type_v2, 3, torch.nn.Parameter, (), {}),
        Calls(torch._utils._rebuild_device_tensor_from_numpy, "text", torch.float32, "cuda", False),  # noqa: FBT003
        Calls(copyreg._reconstructor, 3, object, None),
    ],
)
def test_what_is_called_a_tensor_and_holds_none_is_left_out(thing, tmp_path):
    """The weights beside it are read."""
    graph = read(archived(tmp_path / "a.pth", pickled({"thing": thing, "fc.weight": np.ones((2, 3), np.float32)})))
    assert [value.names for value in graph.values] == [("fc.weight",)]


@pytest.mark.parametrize("state", [None, (), 5, {"text": "a"}])
def test_a_wrapper_that_holds_no_tensor_is_one_tensor(state, tmp_path):
    """Of the shape and dtype that its call says, as on the meta device."""
    made = Calls(
        torch._tensor._rebuild_from_type_v2,
        torch._utils._rebuild_wrapper_subclass,
        torch.nn.parameter.Buffer,
        (torch.nn.parameter.Buffer, torch.float32, (2, 3), (3, 1), 0, torch.strided, "cpu", False),
        state,
    )
    (value,) = read(archived(tmp_path / "a.pth", pickled({"fc.weight": made}))).values
    assert (value.shape, value.dtype, value.inner) == ((2, 3), "float32", ())


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((2,), (1, 1), 0), ((2,), (1,), -1), ((2,), (1,), 0.5), ((-2,), (1,), 0), (2, 1, 0), ((1 << 62,), (0,), 0),
     ((1 << 31, 1 << 31, 2), (0, 0, 0), 0), ((1,) * 65, (1,) * 65, 0)],
)  # fmt: skip
def test_a_shape_that_no_tensor_has_is_refused(size, stride, offset, tmp_path):
    """As many steps as axes, whole sizes from 0 on, a place in the storage, and no more than memory could ever hold."""
    with pytest.raises(FileError):
        viewed(tmp_path / "a.pth", size, stride, offset)
