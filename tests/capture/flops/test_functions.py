"""FLOPs of torch functions: from shapes, by watching, or known to be none."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.overrides import TorchFunctionMode

from torchatlas.capture.flops import functions as flops
from torchatlas.capture.flops.functions import Watch, count, direct, free_kind, learn

sizes = st.integers(0, 5)


class Both(TorchFunctionMode):
    """Counts every torch function from shapes, where that is possible, and by watching, and compares."""

    def __init__(self):
        super().__init__()
        self.direct = 0  # functions counted from shapes
        self.flops = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Run it watched."""
        kwargs = kwargs or {}
        formula = direct(func, args, kwargs)
        with Watch() as watch:
            out = func(*args, **kwargs)
        if formula is not None:
            assert count(formula, args, kwargs, out) == (watch.flops, "counted")
            self.direct += 1
        self.flops += watch.flops
        return out


def of(*shape):
    """A tensor of this shape."""
    return torch.zeros(shape)


SPELLINGS = {
    "F.linear": lambda: F.linear(of(2, 5, 8), of(3, 8), of(3)),
    "F.linear, transposed input, by name": lambda: F.linear(weight=of(3, 8), input=of(2, 8, 5).mT),
    "F.linear to one number": lambda: F.linear(of(2, 8), of(8)),
    "@": lambda: of(3, 4) @ of(4, 5),
    "Tensor.__matmul__": lambda: of(3, 4).__matmul__(of(4, 5)),
    "Tensor.__rmatmul__": lambda: of(4, 5).__rmatmul__(of(3, 4)),
    "torch.matmul, out": lambda: torch.matmul(of(3, 4), of(4, 5), out=torch.empty(3, 5)),
    "torch.linalg.matmul": lambda: torch.linalg.matmul(of(3, 4), of(4, 5)),
    "torch.mm": lambda: torch.mm(of(3, 4), of(4, 5)),
    "Tensor.mm": lambda: of(3, 4).mm(of(4, 5)),
    "torch.bmm": lambda: torch.bmm(of(2, 3, 4), of(2, 4, 5)),
    "Tensor.bmm": lambda: of(2, 3, 4).bmm(of(2, 4, 5)),
    "torch.mv": lambda: torch.mv(of(3, 4), of(4)),
    "torch.dot": lambda: torch.dot(of(4), of(4)),
    "Tensor.vdot": lambda: of(4).vdot(of(4)),
    "torch.addmm": lambda: torch.addmm(of(5), of(3, 4), of(4, 5)),
    "torch.addmm, by name": lambda: torch.addmm(of(5), mat1=of(3, 4), mat2=of(4, 5), beta=0.5),
    "Tensor.addmm": lambda: of(3, 5).addmm(of(3, 4), of(4, 5)),
    "Tensor.addmm_": lambda: of(3, 5).addmm_(of(3, 4), of(4, 5)),
    "torch.addmv": lambda: torch.addmv(of(3), of(3, 4), of(4)),
    "Tensor.addmv_": lambda: of(3).addmv_(of(3, 4), of(4)),
    "torch.baddbmm": lambda: torch.baddbmm(of(2, 3, 5), of(2, 3, 4), of(2, 4, 5)),
    "Tensor.baddbmm_": lambda: of(2, 3, 5).baddbmm_(of(2, 3, 4), of(2, 4, 5)),
    "torch.addbmm": lambda: torch.addbmm(of(3, 5), of(2, 3, 4), of(2, 4, 5)),
    "Tensor.addbmm_": lambda: of(3, 5).addbmm_(of(2, 3, 4), of(2, 4, 5)),
    "F.conv1d": lambda: F.conv1d(of(2, 4, 9), of(6, 4, 3), of(6), padding="same"),
    "F.conv2d, by name": lambda: F.conv2d(input=of(2, 4, 9, 9), weight=of(6, 2, 3, 3), groups=2),
    "F.conv3d": lambda: F.conv3d(of(2, 4, 4, 4), of(3, 2, 2, 2, 2)),
    "F.conv_transpose1d": lambda: F.conv_transpose1d(of(2, 4, 9), of(4, 6, 3), stride=3),
    "F.conv_transpose3d": lambda: F.conv_transpose3d(of(1, 2, 4, 4, 4), of(2, 3, 2, 2, 2)),
    "F.scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(*[of(2, 4, 6, 8)] * 3, is_causal=True),
    "F.bilinear": lambda: F.bilinear(of(3, 8), of(3, 4), of(7, 8, 4)),
    "torch.lstm": lambda: nn.LSTM(8, 6, 2, bidirectional=True, bias=False)(of(5, 2, 8)),
    "torch.gru, without a batch": lambda: nn.GRU(8, 6)(of(5, 8)),
    "torch.rnn_tanh": lambda: nn.RNN(8, 6)(of(5, 2, 8)),
    "torch.lstm, packed": lambda: nn.LSTM(8, 6)(pack_padded_sequence(of(5, 2, 8), torch.tensor([5, 3]))),
    "torch.gru, packed": lambda: nn.GRU(8, 6, 2)(pack_padded_sequence(of(5, 2, 8), torch.tensor([5, 3]))),
    "torch.lstm_cell": lambda: nn.LSTMCell(8, 6)(of(3, 8)),
    "torch.gru_cell": lambda: nn.GRUCell(8, 6)(of(3, 8)),
    "torch.rnn_relu_cell": lambda: nn.RNNCell(8, 6, nonlinearity="relu")(of(3, 8)),
}


@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.inference_mode])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_counted_from_its_shapes(spelling, grad_mode):
    """Watching it gives the same number."""
    with grad_mode(), Both() as both:
        SPELLINGS[spelling]()
    assert both.direct == 1
    assert both.flops > 0


@pytest.mark.filterwarnings("ignore:This overload of addmm is deprecated")
def test_the_old_spelling_of_addmm_is_counted_too():
    """Numbers among the positional arguments are no factors."""
    with Both() as both:
        torch.addmm(0.5, of(3, 5), 2.0, of(3, 4), of(4, 5))
        of(3, 5).addmm(0.5, of(3, 4), of(4, 5))
    assert (both.direct, both.flops) == (2, 2 * 2 * 3 * 4 * 5)


@given(st.lists(sizes, max_size=2), st.lists(sizes, max_size=2), sizes, sizes, sizes)
@settings(deadline=None, max_examples=60)
def test_products_of_any_shape(first, second, rows, inner, columns):
    """Batches that broadcast, vectors on either side, and nothing at all."""
    batch = [1 if index % 2 else size for index, size in enumerate(first)]
    with Both() as both:
        of(*batch, rows, inner) @ of(inner, columns)
        of(*batch, rows, inner) @ of(inner)
        of(inner) @ of(*second, inner, columns)
        of(inner) @ of(inner)
    assert both.direct == 4


@given(st.tuples(st.integers(1, 2), st.integers(1, 3)), st.integers(1, 2), st.integers(1, 3), st.integers(0, 2))
@settings(deadline=None, max_examples=40)
def test_convolutions_of_any_shape(grouping, stride, kernel, padding):
    """Grouped, strided, padded, dilated, transposed: from shapes as by watching."""
    groups, channels = grouping
    dilation = 3 - stride
    x, weight = of(2, groups * channels, 7, 8), of(groups * 2, channels, kernel, kernel)
    back = of(groups * channels, 2, kernel, kernel)
    with Both() as both:
        F.conv2d(x, weight, None, stride, padding, dilation, groups)
        F.conv_transpose2d(x, back, None, stride, 0, 0, groups, dilation)
    assert both.direct == 2


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.tuples(*[st.integers(1, 6)] * 4))
@settings(deadline=None, max_examples=40)
def test_attention_of_any_shape(batch, key_heads, groups, others):
    """Shared key heads, values of another width, kernels that torch picks."""
    heads, (length, keys, width, out) = key_heads * groups, others
    with Both() as both:
        F.scaled_dot_product_attention(
            of(batch, heads, length, width),
            of(batch, key_heads, keys, width),
            of(batch, key_heads, keys, out),
            enable_gqa=True,
        )
    assert both.direct == 1


def test_what_shapes_do_not_tell_is_watched():
    """A hidden batch dimension, stored elements, ragged rows: counted where the arithmetic happens."""
    ragged = torch.nested.nested_tensor([of(2, 8), of(3, 8)], layout=torch.jagged)
    sparse = torch.eye(4).to_sparse()
    with Both() as both:
        F.linear(ragged, of(3, 8))
        sparse @ of(4, 3)
        torch.vmap(lambda x: F.linear(x, of(4, 8)))(of(3, 8))
    assert both.direct == 0
    assert both.flops == 2 * (2 + 3) * 8 * 3 + 2 * 4 * 3 + 2 * 3 * 8 * 4


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
def test_a_nested_tensor_without_layout_is_counted_part_by_part():
    """It has no shape; each of its parts has one."""
    nested = torch.nested.nested_tensor([of(2, 8), of(3, 8)])
    with Watch() as watch:
        F.linear(nested, of(3, 8))
    assert (watch.flops, watch.arithmetic) == (2 * (2 + 3) * 8 * 3, "counted")


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_scripted_code_and_custom_functions_are_watched():
    """Their operations are seen though torch functions are not."""

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            return x @ weight @ weight

    scripted = torch.jit.script(nn.Linear(8, 3))
    with Watch() as watch:
        scripted(of(2, 8))
        Twice.apply(of(2, 4), of(4, 4))
    assert watch.flops == 2 * 2 * 8 * 3 + 2 * (2 * 2 * 4 * 4)


def test_operations_that_arrive_whole_are_taken_apart():
    """Under inference mode ``scaled_dot_product_attention`` and ``einsum`` reach the mode undivided."""
    with torch.inference_mode(), Watch() as watch:
        torch.einsum("ij,jk->ik", of(2, 3), of(3, 4))
        F.scaled_dot_product_attention(*[of(1, 2, 3, 4)] * 3)
    assert (watch.flops, watch.arithmetic) == (2 * 2 * 3 * 4 + 2 * 2 * 3 * 3 * (4 + 4), "counted")


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (lambda x: x.view(-1), "movement"),
        (lambda x: x.view(-1) + 1, "elementwise"),
        (lambda x: (x + 1) @ x, "counted"),
        (lambda x: torch.linalg.inv(x @ x + torch.eye(3)), "unknown"),
    ],
)
def test_the_strongest_kind_is_told(run, kind):
    """Unknown hides counted, counted hides elementwise, elementwise hides movement."""
    with Watch() as watch:
        run(of(3, 3))
    assert watch.arithmetic == kind


def test_a_watch_computes_what_runs_without_it():
    """Taking an operation apart changes no bit and no random draw."""
    x = torch.randn(4, 5, 8)
    with torch.inference_mode():
        for run in (lambda: nn.functional.dropout(torch.matmul(x, x.mT).softmax(-1), 0.5), lambda: torch.cdist(x, x)):
            torch.manual_seed(0)
            plain = run()
            torch.manual_seed(0)
            with Watch():
                watched = run()
            assert torch.equal(plain, watched)


@pytest.fixture
def memory(monkeypatch):
    """An empty memory of free functions."""
    monkeypatch.setattr(flops, "_free", {})


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("func", [torch.relu, Tensor.add, Tensor.__add__, Tensor.T.__get__, F.layer_norm, F.max_pool2d])
def test_a_function_of_torch_is_remembered_as_free(func):
    """Methods, operators, attributes and leaf-like Python functions."""
    assert free_kind(func, (of(3),)) is None
    learn(func, "elementwise")
    assert free_kind(func, (of(3), [of(3)], 2)) == "elementwise"


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    "func",
    [
        *(torch.einsum, torch.tensordot, torch.cdist, torch.linalg.norm, Tensor.matrix_power, torch.inner),
        *(F.dropout, Tensor.backward, nn.init.uniform_, F.triplet_margin_with_distance_loss),
        *(torch.ops.aten.add, len, lambda x: x, F.multi_head_attention_forward),
    ],
)
def test_what_may_compute_next_time_is_not_remembered(func):
    """Equations, orders of norms, callbacks, operators that may be custom, and functions not torch's own."""
    learn(func, "elementwise")
    assert free_kind(func, (of(3),)) is None


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("kind", ["counted", "unknown"])
def test_a_function_that_computed_is_watched_again(kind):
    """Its count depends on shapes."""
    learn(torch.relu, kind)
    assert free_kind(torch.relu, (of(3),)) is None


@pytest.mark.usefixtures("memory")
def test_a_subclass_is_watched_in_every_function():
    """It may do anything, also in a function known to be free, and also inside a list."""

    class Subclass(Tensor):
        pass

    learn(torch.cat, "movement")
    strange = of(3).as_subclass(Subclass)
    assert free_kind(torch.cat, ([of(3)],)) == "movement"
    assert free_kind(torch.cat, ([strange],)) is None
    assert free_kind(torch.cat, (strange,)) is None


def test_a_callable_without_hash_is_watched():
    """It cannot be looked up, which is no error."""

    class Unhashable:
        __hash__ = None

    assert direct(Unhashable(), (), {}) is None
    assert free_kind(Unhashable(), ()) is None


def test_an_unknown_way_of_calling_is_unknown():
    """A formula that does not understand its arguments gives no number and no error."""
    formula = direct(torch.mm, (), {"wrong": of(2)})
    assert formula is not None
    assert count(formula, (), {"wrong": of(2)}, of(2)) == (0, "unknown")
    assert direct(torch.relu, (of(2),), {}) is None


def test_watching_does_not_import_the_compiler():
    """A first dispatch mode costs a second of imports unless it declines torch's guard."""
    code = (
        "import sys, torch\n"
        "from torchatlas.capture.flops.functions import Watch\n"
        "with Watch(): torch.ones(2) + 1\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
