"""What a capture says of the awkward cases: not only that it survives them, but that the record is right."""

from __future__ import annotations

import threading

import torch
from torch import Tensor, nn

import torchatlas as ta
from find import argument, calls, capture, graph_of, names, only
from torchatlas.core.graph import Node, Text
from torchatlas.core.measure.cost import total


def test_keyword_arguments_keep_their_names():
    """A forward with keywords alone: the run's arguments and inputs are named by them, numbers are kept."""
    graph = graph_of("structures/keywords_only")
    assert graph.calls[0].arguments.keys == ("query", "key", "scale")
    assert argument(graph.calls[0], "scale") == 0.5
    assert names(graph, "input") == {"query", "key"}


def test_dictionaries_keep_their_keys():
    """Keys of a dictionary are kept in arguments and results, and name the inputs."""
    graph = graph_of("structures/dictionary")
    batch = argument(graph.calls[0], "batch")
    assert batch.keys == ("left", "right")
    assert graph.calls[0].returns.keys == ("left", "right", "both", "unchanged")
    assert names(graph, "input") == {"batch.left", "batch.right"}


def test_an_input_that_is_returned_is_passed_through():
    """The dictionary's ``unchanged`` result is a value of its own, the same as the input."""
    graph = graph_of("structures/dictionary")
    returned = graph.values[graph.calls[0].outputs[graph.calls[0].returns.items[3].index]]
    assert returned.kind == "output"
    assert graph.values[returned.alias_of].names == ("batch.left",)


def test_dataclasses_keep_their_fields():
    """Fields of a dataclass, in arguments and results, with plain values beside tensors."""
    graph = graph_of("structures/dataclass")
    batch = argument(graph.calls[0], "batch")
    assert (batch.type, batch.keys) == ("Batch", ("image", "label", "weight", "extra"))
    assert batch.items[2] == 2.0
    assert graph.calls[0].returns.type == "Outcome"
    assert graph.calls[0].returns.keys == ("loss", "logits", "note")
    assert names(graph, "input") == {"batch.image", "batch.label", "batch.extra.bias"}


def test_model_outputs_keep_their_fields():
    """An output class of transformers is a container with its fields, those that are set."""
    graph = graph_of("structures/model_output")
    assert graph.calls[0].returns.type == "BaseModelOutput"
    assert graph.calls[0].returns.keys[:2] == ("last_hidden_state", "hidden_states")


def test_things_that_are_no_tensors_are_printed():
    """Strings and numbers are kept, None too, an object of the user's class is text with its type."""
    root = graph_of("structures/not_tensors").calls[0]
    assert argument(root, "text") == "to be or not"
    assert isinstance(argument(root, "vocabulary"), (Text, Node))
    assert "Vocabulary" in repr(argument(root, "vocabulary"))
    assert argument(root, "scale") == 0.5


def test_tensors_in_the_users_own_objects_are_inputs_and_outputs():
    """An object with tensors as attributes is looked into, on both sides."""
    graph = graph_of("structures/object")
    assert {value.shape for value in graph.values if value.kind == "input"} == {(2, 3)}
    assert names(graph, "input") == {"state.position", "state.velocity"}
    assert len(graph.calls[0].outputs) == 2


def test_the_same_tensor_twice_is_one_value():
    """Given as two arguments, and returned as two results; a returned input is the same as the input."""
    graph = graph_of("structures/same_twice")
    first, second, third = graph.calls[0].outputs
    assert first == second != third
    assert {graph.values[third].alias_of} == set(graph.calls[0].inputs)


def test_a_function_has_no_modules_but_a_record():
    """A loss function, a partial, a bound method: the first call is a function, named as the user names it."""
    assert graph_of("structures/loss_function").calls[0].kind == "function"
    assert graph_of("structures/loss_function").name == "focal_loss"
    assert "focal_loss" in graph_of("structures/partial").name
    assert graph_of("structures/bound_method").name.endswith("step")


def test_a_module_within_a_function_is_recorded():
    """The network that a trainer's method calls appears with its layers, as children of the method."""
    graph = graph_of("structures/bound_method")
    assert [call.name for call in graph.calls if call.kind == "module"] == ["Sequential", "Linear", "ReLU", "Linear"]


def test_a_module_under_two_names_has_both():
    """One record with an alias; each of its calls stands under the first path; a tied weight has both names."""
    graph = graph_of("modules/shared")
    assert graph.module_at["first"] is graph.module_at["second"]
    assert graph.module_at["first"].aliases == ("second",)
    assert len(graph.calls_of["first"]) == 2
    (tied,) = [value for value in graph.values if "embed.weight" in value.names]
    assert tied.names == ("embed.weight", "head.weight")


def test_a_module_that_calls_itself_is_nested_in_itself():
    """Each level of the recursion is the child of the level above."""
    graph = graph_of("modules/calls_itself")
    levels = [call for call in graph.calls if call.kind == "module" and call.path == ""]
    assert [call.parent for call in levels] == [None, *[call.id for call in levels[:-1]]]
    assert len(levels) == 4


def test_modules_that_never_ran_are_known():
    """They are in the structure and have no calls; the one that ran five times has five."""
    graph = graph_of("modules/some_never")
    assert {"unused", "unused.0", "unused.1"} <= set(graph.module_at) - set(graph.calls_of)
    assert len(graph.calls_of["often"]) == 5


def test_a_module_that_is_not_registered_is_recorded_too():
    """Held in a plain list: its call is there, by where it is, and it is known not to be the model's."""
    graph = graph_of("modules/some_never")
    last = [call for call in graph.calls if call.kind == "module"][-1]
    assert (last.name, graph.module_at[last.path].registered) == ("Linear", False)


def test_reads_of_data_are_marked():
    """``.item()``, ``bool``, ``float``, ``tolist``, an index by a tensor: whatever hands content to Python."""
    for name in ("modules/routed", "tensors/reads_data"):
        assert any(call.reads_data for call in graph_of(name).calls)
    read = {call.name for call in graph_of("tensors/reads_data").calls if call.reads_data}
    assert {"Tensor.item", "Tensor.__bool__", "Tensor.__float__", "Tensor.tolist"} <= read
    assert not any(call.reads_data for call in graph_of("counted/linear").calls)


def test_hooks_that_replace_are_seen():
    """A module's call returns what its hooks make of its output, and the hook's operation is inside it."""
    graph = graph_of("modules/hooked")
    relu = graph.calls[graph.calls_of["1"][0]]
    assert [graph.calls[child].name for child in graph.children[relu.id]] == ["F.relu", "Tensor.mul"]
    assert graph.values[relu.outputs[0]].producer == graph.children[relu.id][1]
    assert graph.calls[0].returns.keys == ("out",)


def test_checkpointed_blocks_are_recorded_once():
    """Forward alone: each block ran once, with the gradient's way open, for both kinds of checkpoint."""
    for name in ("modules/checkpoint", "modules/checkpoint_reentrant"):
        graph = graph_of(name)
        assert {path: len(made) for path, made in graph.calls_of.items() if path.startswith("blocks.")} == {
            path: 1 for path in graph.module_at if path.startswith("blocks.")
        }


def test_scripted_modules_are_opaque():
    """Their inside is not recorded; their parameters are; calls and flops are theirs."""
    graph = graph_of("modules/scripted")
    assert graph.module_at["scripted"].opaque
    assert not graph.module_at["head"].opaque
    assert not graph.children[graph.calls_of["scripted"][0]]
    assert {"scripted.0.weight", "traced.weight"} <= names(graph, "parameter")
    assert graph.calls[graph.calls_of["scripted"][0]].flops == 2 * 2 * 4 * 4


def test_compiled_models_run_eagerly():
    """A compiled model gives the calls of the model inside, with its paths."""
    graph = graph_of("modules/compiled")
    assert [call.name for call in graph.calls if call.kind == "module"][-2:] == ["Linear", "ReLU"]
    inner = [call.name for call in graph_of("modules/part_compiled").calls if call.kind == "module"]
    assert inner[-3:] == ["Linear", "ReLU", "Linear"]


def test_lazy_modules_have_the_shapes_of_the_run():
    """Weights as the run made them, though afterwards the model is as lazy as before."""
    graph = graph_of("modules/lazy")
    (weight,) = [value for value in graph.values if value.kind == "parameter" and "0.weight" in value.names]
    assert weight.shape == (4, 3, 3, 3)


def test_settings_are_those_before_the_run():
    """Plain attributes, the training flag, and ``extra_repr``."""
    graph = ta.capture(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2)), torch.ones(1, 3, 8, 8)).graph
    conv = graph.module_at["0"]
    assert dict(conv.settings)["stride"].items == (2, 2)
    assert conv.extra == "3, 4, kernel_size=(3, 3), stride=(2, 2)"
    assert conv.training


def test_subclasses_are_named():
    """The type of a tensor subclass is kept; a plain tensor has none."""
    graph = graph_of("tensors/subclass")
    assert {value.type for value in graph.values} == {"", "Labelled"}


def test_a_custom_function_is_one_call_with_its_inside():
    """``Function.apply`` is recorded by its name, with its results and the operations of its forward."""
    graph = graph_of("tensors/custom_function")
    call = only(graph, "Straight")
    assert call.kind == "autograd_function"
    assert len(call.outputs) == 2
    assert {"Tensor.sign", "Tensor.round"} <= {graph.calls[child].name for child in graph.children[call.id]}


def test_types_under_autocast_are_what_they_were():
    """bfloat16 inside, float32 around."""
    graph = graph_of("tensors/autocast")
    assert [graph.values[call.outputs[0]].dtype for call in calls(graph, "F.linear")] == ["bfloat16"] * 2
    assert graph.values[graph.calls[0].outputs[0]].dtype == "float32"


def test_a_generator_is_not_read_and_said_so():
    """What it does when somebody reads it is no part of the run."""

    class Stepwise(nn.Module):
        def forward(self, x):
            yield x + 1

    graph = ta.capture(Stepwise(), torch.ones(1)).graph
    assert [call.name for call in graph.calls] == ["Stepwise"]
    assert any("returned a generator, which does its work only when it is read" in note.text for note in graph.notes)


def test_threads_hang_below_the_module_that_started_them():
    """Branches run in a pool: their calls have a thread of their own, and the model as their parent."""
    graph = graph_of("transforms/threads")
    branches = [call for call in graph.calls if call.path in {"branches.0", "branches.1"}]
    assert len(branches) == 2
    assert all(call.thread and call.parent == 0 for call in branches)
    assert graph.calls[0].thread == 0


def test_a_thread_without_a_capture_is_never_recorded():
    """A thread that runs functions, and no module of the model, leaves no calls."""

    def program(x: Tensor) -> Tensor:
        thread = threading.Thread(target=lambda: torch.ones(3).exp())
        thread.start()
        thread.join()
        return x + 1

    assert [call.name for call in capture(program, torch.ones(2)).calls[1:]] == ["Tensor.add"]


def test_control_flow_of_torch_runs_and_is_counted():
    """``torch.cond`` and ``while_loop`` are no operators of ATen: what they call is seen and counted."""

    class Chosen(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            x = torch.cond(x.sum() > 0, self.layer, torch.sin, (x,))
            carried = torch.zeros((), dtype=torch.int64), x
            return torch._higher_order_ops.while_loop(
                lambda turn, _: turn < 2, lambda turn, x: (turn + 1, self.layer(x)), carried
            )[1]

    model = Chosen()
    x = torch.ones(1, 2)
    for grad in (torch.no_grad, torch.enable_grad):
        with grad():
            graph = ta.capture(model, x).graph
        assert {"cond", "while_loop"} <= {call.name for call in graph.calls}
        assert len(graph.calls_of["layer"]) == 3
        assert total(graph).unknown == 0
        assert total(graph).flops == 3 * 2 * 2 * 2
