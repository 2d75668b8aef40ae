"""The private names of torch that capture stands on: each is there, and does what capture needs."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import torch
from torch import Tensor
from torch._higher_order_ops.wrap import wrap
from torch.overrides import TorchFunctionMode

from torchatlas.capture.torch_private import (
    HOOKS_ARE_SEEN,
    NEEDS_DATA,
    UNNUMBERED,
    DispatchMode,
    FakeTensor,
    FakeTensorMode,
    GradientForm,
    HigherOrderOperator,
    OpOverload,
    OpOverloadPacket,
    dispatched,
    eager_stance,
    empty_per_channel,
    empty_per_tensor,
    finished,
    fx_pytree,
    gradient_forms,
    in_fake_mode,
    in_function_mode,
    in_transform,
    is_python_node,
    is_transformed,
    kernel_of,
    key_of,
    modes_off,
    next_node,
    node_number,
    overrides_off,
    packed,
    packed_of_cell,
    pytree,
    saved_names,
    script_class,
    script_state,
    sharding_propagation,
    storage_key,
    storage_of,
)
from torchatlas.capture.undo import undoing


class Seen(DispatchMode):
    """Remembers the operations."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_sees_operations_and_imports_no_compiler():
    """The guard that torch puts around dispatch modes would import dynamo: more than a second."""
    code = (
        "import sys, torch\n"
        "from torchatlas.capture.torch_private import DispatchMode\n"
        "class Mode(DispatchMode):\n"
        "    def __torch_dispatch__(self, func, types, args=(), kwargs=None):\n"
        "        return func(*args, **(kwargs or {}))\n"
        "with Mode():\n"
        "    torch.ones(2) + 1\n"
        "print('torch._dynamo' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "False"
    with Seen() as seen:
        torch.ones(2).mul(2)
    assert seen.names == ["aten.ones.default", "aten.mul.Tensor"]


def test_storages_are_told_apart_by_memory():
    """A view shares its key with what it views; a copy does not; a storage object lives as long as the memory."""
    tensor = torch.zeros(4)
    assert storage_key(storage_of(tensor)) == storage_key(storage_of(tensor[1:]))
    assert storage_key(storage_of(tensor)) != storage_key(storage_of(tensor.clone()))
    assert storage_of(tensor) is storage_of(tensor[1:])


def test_a_tensor_without_storage_has_none():
    """Sparse tensors hold several, lazy parameters none yet."""
    assert storage_of(torch.eye(2).to_sparse()) is None
    assert storage_of(torch.nn.parameter.UninitializedParameter()) is None


def test_transforms_are_noticed_and_unwrapped():
    """Inside vmap a tensor is a wrapper whose memory is that of what it wraps."""
    tensor = torch.zeros(2, 3)
    found = {}

    def look(row: Tensor) -> Tensor:
        found.update(inside=in_transform(), wrapped=is_transformed(row), key=storage_key(storage_of(row)))
        return row

    torch.func.vmap(look)(tensor)
    assert found == {"inside": True, "wrapped": True, "key": storage_key(storage_of(tensor))}
    assert not in_transform()
    assert not is_transformed(tensor)


def test_overrides_can_be_turned_off():
    """What capture asks a tensor for itself reaches no function mode."""
    names = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            names.append(func)
            return func(*args, **(kwargs or {}))

    with Mode(), overrides_off():
        _ = torch.ones(2).shape
        assert not in_function_mode()
    assert names == []


def test_fake_tensors_refuse_to_give_their_content():
    """The exceptions by which a fake run that needs data is told from any other failure."""
    with FakeTensorMode(), pytest.raises(NEEDS_DATA):
        torch.ones(2).sum().item()
    with FakeTensorMode():
        assert isinstance(torch.ones(2), FakeTensor)


def test_the_eager_stance_runs_compiled_functions_as_they_are():
    """Compiled code is captured as the Python it was made from."""
    compiled = torch.compile(lambda x: x + len(calls), backend=pytest.fail)
    calls = [1]
    with undoing() as undo:
        eager_stance.want(undo)
        assert torch.equal(compiled(torch.zeros(1)), torch.ones(1))


def test_autograd_nodes_are_numbered_as_they_are_made():
    """The number that is next is that of the node made next; what accumulates into a leaf has none."""
    x = torch.ones(2, requires_grad=True)
    first = next_node()
    y = x * 2
    z = y.exp()
    assert [node_number(y.grad_fn), node_number(z.grad_fn), next_node()] == [first, first + 1, first + 2]
    assert node_number(y.grad_fn.next_functions[0][0]) == UNNUMBERED


def test_a_node_tells_the_gradients_that_it_takes():
    """One for each result of the forward; a size that varies is -1."""
    x = torch.ones(4, 6, dtype=torch.float64, requires_grad=True)
    forms = gradient_forms(x.split(4, 1)[0].grad_fn)
    assert forms == tuple(GradientForm((4, size), torch.float64, torch.device("cpu")) for size in (4, 2))
    nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged, requires_grad=True)
    assert gradient_forms((nested * 2).grad_fn)[0].shape == (2, -1, 3)


class Kept(torch.autograd.Function):
    """Keeps its input."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def test_a_new_torch_says_what_hooks_packed():
    """Where it does not, the tests below are left out, and every backward pass says so in a note."""
    assert HOOKS_ARE_SEEN or tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)


needs_hooks_seen = pytest.mark.skipif(not HOOKS_ARE_SEEN, reason="this torch does not say what hooks packed")


@needs_hooks_seen
def test_saved_tensors_are_told_from_attributes_without_reading_them():
    """A node lists both; what lies in it is seen without running the hook that would unpack it."""
    x = torch.ones(2, 3, requires_grad=True)
    plain, tensors = saved_names(x.softmax(-1).grad_fn)
    assert "dim" in plain
    assert tensors == ("result",)
    assert not is_python_node(x.exp().grad_fn)
    own = Kept.apply(x).grad_fn
    assert is_python_node(own)
    (one,) = packed(own, None)
    assert one.unpack_hook is None
    assert one.data is x
    ran = []
    with torch.autograd.graph.saved_tensors_hooks(lambda _: "packed", lambda _: ran.append(1)):
        y = x.exp()
    (one,) = packed(y.grad_fn, "result")
    assert one.unpack_hook is not None
    assert one.data == "packed"
    assert not ran


@needs_hooks_seen
def test_what_was_freed_is_told():
    """A Python function raises, as torch does; other nodes have nothing left."""
    x = torch.ones(2, requires_grad=True)
    own, y = Kept.apply(x), x.exp()
    (own.sum() + y.sum()).backward()
    with pytest.raises(RuntimeError, match="second time"):
        packed(own.grad_fn, None)
    assert packed(y.grad_fn, "result")[0].data is None


def test_a_higher_order_operator_has_a_kernel_and_a_key():
    """The kernel runs what it is handed; called by its key, it gives the same; one without a kernel gives none."""
    operator, x = torch.ops.higher_order.cond, torch.ones(2)
    assert isinstance(operator, HigherOrderOperator)
    arguments = True, torch.neg, torch.sin, (x,)
    assert torch.equal(kernel_of(operator)(*arguments), -x)
    assert torch.equal(dispatched(operator)(*arguments), -x)
    assert key_of(operator, arguments, {}) == "AutogradCPU"
    assert kernel_of(wrap) is None


@pytest.mark.parametrize("fails", [False, True])
def test_a_compiler_that_is_imported_inside_is_eager_until_the_end(fails):
    """Nothing is imported for that; afterwards the compiler compiles, and the import system is as it was."""
    code = f"""
import sys, torch
from torchatlas.capture.torch_private import eager_stance
from torchatlas.capture.undo import undoing
before, seen = list(sys.meta_path), []
try:
    with undoing() as undo:
        eager_stance.want(undo)
        assert "torch._dynamo" not in sys.modules
        compiled = torch.compile(lambda x: x + 1, backend=lambda graph, _: seen.append(1) or graph.forward)
        compiled(torch.ones(2))
        assert not seen
        if {fails}:
            raise KeyError
except KeyError:
    pass
assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("torchatlas")]
compiled(torch.ones(2))
assert seen == [1]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_function_mode_is_heard_of_until_it_was_asked():
    """Within a function that a mode answers for, that mode is off; and it says so."""
    seen = []

    class Looks(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(in_function_mode())
            return func(*args, **(kwargs or {}))

    assert not in_function_mode()
    with Looks():
        assert in_function_mode()
        torch.ones(1) + 1
    assert seen == [False, False]


def test_a_fake_mode_is_seen():
    """While it is on, and no longer."""
    assert not in_fake_mode()
    with FakeTensorMode():
        assert in_fake_mode()
    assert not in_fake_mode()


def dynamic(layer):
    """The layer with packed weights; torch warns that it moves this elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(layer).eval(), {type(layer)})[0]


def test_packed_parameters_say_their_class():
    """By these names what can be unpacked is told from all else."""
    linear = dynamic(torch.nn.Linear(4, 3))._packed_params._packed_params
    assert script_class(linear) == "__torch__.torch.classes.quantized.LinearPackedParamsBase"
    cell = dynamic(torch.nn.GRU(4, 3))._all_weight_values[0].param
    assert script_class(cell) == "__torch__.torch.classes.rnn.CellParamsBase"
    assert script_class(torch.nn.Linear(4, 3)) is None


def test_a_packed_cell_gives_its_kind_and_both_packed_parameters():
    """That of the input first: (3 * 3, 4), then (3 * 3, 3)."""
    kind, parts = packed_of_cell(dynamic(torch.nn.GRU(4, 3))._all_weight_values[0].param)
    assert kind == "quantized_dynamic"
    assert [tuple(part.unpack()[0].shape) for part in parts] == [(9, 4), (9, 3)]


def test_packed_parameters_have_a_state():
    """Weight and bias of a linear layer, as a file has them."""
    weight, bias = script_state(dynamic(torch.nn.Linear(4, 3))._packed_params._packed_params)
    assert (weight.dtype, tuple(weight.shape), tuple(bias.shape)) == (torch.qint8, (3, 4), (3,))


def test_packed_parameters_unpack_where_modes_are_off():
    """A run on fake tensors leaves them real; its mode is on again afterwards."""
    packed_params = dynamic(torch.nn.Linear(4, 3))._packed_params._packed_params
    with FakeTensorMode() as fake, Seen() as seen:
        with modes_off():
            assert not in_fake_mode()
            weight, _ = packed_params.unpack()
        assert type(weight) is Tensor
        assert in_fake_mode()
        assert torch.ones(1).fake_mode is fake
    assert seen.names == ["aten.ones.default"]


def test_the_propagation_of_shardings_is_found_once_tensors_can_be_sharded():
    """Of each class one method at least; before DTensor is imported there are none, and it is not imported to look."""
    code = (
        "import sys, torch\n"
        "from torchatlas.capture.torch_private import sharding_propagation\n"
        "print(sharding_propagation(), 'torch.distributed.tensor' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[] False"
    pytest.importorskip("torch.distributed.tensor")
    found = sharding_propagation()
    assert {kind.__name__ for kind, _ in found} >= {"ShardingPropagator"}
    assert all(callable(getattr(kind, method)) for kind, method in found)


@pytest.mark.filterwarnings("ignore:.torch.jit.fork. is deprecated")
def test_a_future_has_what_its_work_returned():
    """Of what ``fork`` gives and of the public class; nothing while the work runs."""
    running = torch.futures.Future()
    assert finished(running) == finished("no future") == ()
    running.set_result(3)
    assert finished(running) == (3,)
    assert [one.tolist() for one in finished(torch.jit.fork(torch.ones, 2))] == [[1, 1]]


def test_operators_are_told_by_their_classes():
    """An ATen operator is a packet of overloads."""
    assert isinstance(torch.ops.aten.add, OpOverloadPacket)
    assert isinstance(torch.ops.aten.add.Tensor, OpOverload)


def test_quantized_tensors_are_made_without_numbers():
    """Of one scale, and of one for each channel."""
    assert empty_per_tensor((2, 3), scale=0.5, zero_point=1, dtype=torch.qint8).q_scale() == 0.5
    channels = {"scales": torch.ones(2), "zero_points": torch.zeros(2, dtype=torch.int64), "axis": 0}
    assert empty_per_channel((2, 3), **channels, dtype=torch.qint8).q_per_channel_axis() == 0


def test_structures_are_taken_apart_as_exporters_do():
    """Leaves, what puts them back, and how a class of one's own is made known."""
    leaves, spec = pytree.tree_flatten({"a": [1, 2]})
    assert pytree.tree_unflatten(leaves, spec) == {"a": [1, 2]}
    assert pytree.tree_map_only(int, lambda one: one + 1, [1, "b"]) == [2, "b"]
    assert dict in pytree.SUPPORTED_NODES
    assert pytree.MappingKey("a").key == "a"
    assert callable(pytree.register_pytree_node)
    assert callable(fx_pytree.register_pytree_flatten_spec)
