"""ONNX models built by hand: control flow, functions, names, and what is wrong with some files."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.measure.cost import total

F32 = TensorProto.FLOAT


def tensor(name, *shape, kind=F32):
    """A typed name."""
    return helper.make_tensor_value_info(name, kind, shape)


def opened(tmp_path, nodes, inputs, outputs, weights=(), **more):
    """The graph of a model of these nodes, well formed."""
    held = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    functions = more.pop("functions", [])
    graph = helper.make_graph(nodes, more.pop("name", "net"), inputs, outputs, held)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, functions=functions, opset_imports=opsets).SerializeToString())
    found = ta.open(path).graph
    check(found)
    return found


def names(graph, call):
    """The names of the calls inside one."""
    return [graph.calls[child].name for child in graph.children[call.id]]


def the(graph, name):
    """The one call of a name."""
    (found,) = [call for call in graph.calls if call.name == name]
    return found


def test_a_condition_holds_both_branches_and_where_they_meet(tmp_path):
    """What the branches read of outside is tied to it; the condition reaches where they meet."""
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["a"])], "t", [], [tensor("a", 2)])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["b"])], "e", [], [tensor("b", 2)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    graph = opened(tmp_path, [node], [tensor("c", kind=TensorProto.BOOL), tensor("x", 2)], [tensor("y", 2)])
    assert names(graph, the(graph, "If")) == ["then_branch", "else_branch", "merge"]
    c, x = graph.calls[0].inputs
    assert the(graph, "Relu").inputs == the(graph, "Neg").inputs == (x,)
    merge = the(graph, "merge")
    assert merge.inputs == (c, *the(graph, "Relu").outputs, *the(graph, "Neg").outputs)
    assert graph.values[graph.calls[0].outputs[0]].alias_of == merge.outputs[0]


def loop(tmp_path):
    """Three turns of x = relu(x + w); every turn is stacked too."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["x_in", "w"], ["s"]),
            helper.make_node("Relu", ["s"], ["x_out"]),
            helper.make_node("Identity", ["cond_in"], ["cond_out"]),
            helper.make_node("Identity", ["x_out"], ["turn"]),
        ],
        "body",
        [tensor("i", kind=TensorProto.INT64), tensor("cond_in", kind=TensorProto.BOOL), tensor("x_in", 2)],
        [tensor("cond_out", kind=TensorProto.BOOL), tensor("x_out", 2), tensor("turn", 2)],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y", "all"], body=body)
    weights = {"n": np.array(3), "w": np.ones(2, np.float32)}
    return opened(tmp_path, [node], [tensor("x", 2)], [tensor("y", 2), tensor("all", 3, 2)], weights)


def test_a_loop_holds_its_body_once(tmp_path):
    """What it carries is the value of outside, in the first turn; what it returns, that of the last."""
    graph = loop(tmp_path)
    assert names(graph, the(graph, "Loop")) == ["Add", "Relu", "Identity", "Identity"]
    carried = graph.values[the(graph, "Add").inputs[0]]
    assert carried.alias_of == graph.calls[0].inputs[0]
    last, stacked = (graph.values[value] for value in the(graph, "Loop").outputs)
    assert last.alias_of == the(graph, "Relu").outputs[0]
    assert (stacked.shape, graph.values[stacked.view_of].shape) == ((3, 2), (2,))
    assert any("one iteration of each loop" in note.text for note in graph.notes)


def test_a_picture_of_a_loop_is_one_frame_that_data_flows_through(tmp_path):
    """In, through the body, out."""
    svg = ta.Atlas(loop(tmp_path)).draw().svg
    assert all(word in svg for word in ("Loop", "Add", "Relu"))


def test_a_scan_reads_slices_of_what_it_runs_along(tmp_path):
    """Its states begin outside; a slice is part of the whole."""
    body = helper.make_graph(
        [helper.make_node("Add", ["state", "slice"], ["next"]), helper.make_node("Relu", ["next"], ["out"])],
        "body",
        [tensor("state", 2), tensor("slice", 2)],
        [tensor("next", 2), tensor("out", 2)],
    )
    node = helper.make_node("Scan", ["s", "x"], ["last", "all"], body=body, num_scan_inputs=1)
    graph = opened(tmp_path, [node], [tensor("s", 2), tensor("x", 5, 2)], [tensor("last", 2), tensor("all", 5, 2)])
    state, piece = (graph.values[value] for value in the(graph, "Add").inputs)
    assert (state.alias_of, piece.view_of) == graph.calls[0].inputs


def test_a_function_of_the_model_is_a_call_with_its_body_inside(tmp_path):
    """Shapes are inferred inside it, attributes passed in, and operations counted."""
    product = helper.make_node("MatMul", ["a", "b"], ["p"])
    power = helper.make_node("LeakyRelu", ["p"], ["q"])
    power.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    function = helper.make_function(
        "own", "Layer", ["a", "b"], ["q"], [product, power], [helper.make_opsetid("", 20)], ["slope"]
    )
    nodes = [
        helper.make_node("Layer", ["x", "w"], ["h"], domain="own", slope=0.25),
        helper.make_node("Layer", ["h", "w"], ["y"], domain="own", slope=0.5),
    ]
    weights = {"w": np.ones((4, 4), np.float32)}
    graph = opened(tmp_path, nodes, [tensor("x", 2, 4)], [tensor("y", 2, 4)], weights, functions=[function])
    assert [call.name for call in graph.calls[1:]] == ["own.Layer", "MatMul", "LeakyRelu"] * 2
    assert total(graph).flops == 2 * 2 * 2 * 4 * 4
    slopes = [
        dict(zip(call.arguments.keys, call.arguments.items, strict=True))
        for call in graph.calls
        if call.name == "LeakyRelu"
    ]
    assert [told["alpha"] for told in slopes] == [0.25, 0.5]
    first, second = (call for call in graph.calls if call.name == "own.Layer")
    assert second.inputs[0] == first.outputs[0]


def test_attributes_of_a_function_reach_the_branches_inside_it(tmp_path):
    """A reference in a graph inside a node, or in a call of another function, is what the caller gave; shapes too."""
    path = tmp_path / "model.onnx"
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[2,4] x, bool c) => (float[2,4] y) { y = own.outer<alpha = 0.25>(x, c) }
        <domain: "own", opset_import: ["" : 17]>
        inner <alpha>(x) => (y) { y = LeakyRelu<alpha: float = @alpha>(x) }
        <domain: "own", opset_import: ["" : 17, "own" : 1]>
        outer <alpha>(x, c) => (y) {
            y = If (c) <
                then_branch = then () => (t) { t = Elu<alpha: float = @alpha>(x) },
                else_branch = otherwise () => (e) { e = own.inner<alpha: float = @alpha>(x) }
            >
        }
    """)
    path.write_bytes(model.SerializeToString())
    graph = ta.open(path).graph
    check(graph)
    for name in ("Elu", "LeakyRelu"):
        call = the(graph, name)
        assert call.arguments.items[call.arguments.keys.index("alpha")] == 0.25
        assert graph.values[call.outputs[0]].shape == (2, 4)


def test_weights_of_an_optimized_model_are_parameters(tmp_path):
    """Operators of ONNX Runtime hold the weights of whole layers, also as integers."""
    nodes = [
        helper.make_node("Attention", ["x", "qkv", "qkv_bias"], ["a"], domain="com.microsoft", num_heads=2),
        helper.make_node("QAttention", ["a", "int", "", "s", "s"], ["b"], domain="com.microsoft", num_heads=2),
        helper.make_node("BiasGelu", ["b", "bias"], ["y"], domain="com.microsoft"),
    ]
    weights = {
        "qkv": np.ones((8, 24), np.float32),
        "qkv_bias": np.ones(24, np.float32),
        "int": np.ones((8, 24), np.int8),
        "s": np.ones(1, np.float32),
        "bias": np.ones(8, np.float32),
    }
    graph = opened(tmp_path, nodes, [tensor("x", 1, 5, 8)], [tensor("y", 1, 5, 8)], weights)
    assert {value.names[0] for value in graph.values if value.kind == "parameter"} == {"qkv", "qkv_bias", "int", "bias"}


def test_names_with_slashes_are_modules(tmp_path):
    """As TensorFlow and Keras write them; weights belong to the module they are named after."""
    nodes = [
        helper.make_node("Conv", ["x", "model/conv/kernel"], ["a"], name="model/conv/Conv2D"),
        helper.make_node("Relu", ["a"], ["b"], name="model/act/Relu"),
        helper.make_node("MatMul", ["b", "model/dense/kernel"], ["y"], name="model/dense/MatMul"),
    ]
    weights = {
        "model/conv/kernel": np.ones((4, 3, 1, 1), np.float32),
        "model/dense/kernel": np.ones((8, 2), np.float32),
    }
    graph = opened(tmp_path, nodes, [tensor("x", 1, 3, 8, 8)], [tensor("y", 1, 4, 8, 2)], weights)
    assert [module.path for module in graph.modules] == ["", "model", "model.conv", "model.act", "model.dense"]
    assert graph.module_at["model.conv"].parameters[0][0] == "kernel"
    assert graph.module_at["model.dense"].name == "Linear"


def test_a_module_left_and_entered_again_is_one_call_unless_data_says_otherwise(tmp_path):
    """Operations of two branches may be listed in turns; but what reads its own result has run twice."""

    def node(op, given, made, scope):
        return helper.make_node(op, given, [made], name=f"{scope}/{made}")

    branches = [
        node("Relu", ["x"], "a1", "left"),
        node("Relu", ["x"], "b1", "right"),
        node("Neg", ["a1"], "a2", "left"),
        node("Neg", ["b1"], "b2", "right"),
        node("Add", ["a2", "b2"], "y", "sum"),
    ]
    graph = opened(tmp_path, branches, [tensor("x", 2)], [tensor("y", 2)])
    assert [call.path for call in graph.calls if call.path] == ["left", "right", "sum"]
    again = [
        node("Relu", ["x"], "a1", "left"),
        node("Relu", ["a1"], "b1", "right"),
        node("Neg", ["b1"], "y", "left"),
    ]
    graph = opened(tmp_path, again, [tensor("x", 2)], [tensor("y", 2)])
    assert [call.path for call in graph.calls if call.path] == ["left", "right", "left"]


def test_sizes_with_names_are_minus_one(tmp_path):
    """The names stand in a note; operations cannot be counted and are not said to be none."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = opened(
        tmp_path, [node], [tensor("x", "batch", 4)], [tensor("y", "batch", 3)], {"w": np.ones((4, 3), np.float32)}
    )
    assert graph.values[graph.calls[0].inputs[0]].shape == (-1, 4)
    assert any(note.text.endswith("dynamic: batch.") for note in graph.notes)
    assert (total(graph).flops, total(graph).unknown) == (0, 1)


def test_operators_of_other_domains_have_a_prefix_and_unknown_arithmetic(tmp_path):
    """What an operator of somebody else computes is not known."""
    node = helper.make_node("Attention", ["x"], ["y"], domain="com.microsoft")
    graph = opened(tmp_path, [node], [tensor("x", 2)], [tensor("y", 2)])
    assert (the(graph, "com.microsoft.Attention").arithmetic, total(graph).unknown) == ("unknown", 1)


def test_nodes_out_of_order_are_sorted_and_said(tmp_path):
    """Some writers do not keep to the order that the format asks for."""
    nodes = [helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Neg", ["x"], ["a"])]
    graph = opened(tmp_path, nodes, [tensor("x", 2)], [tensor("y", 2)])
    assert [call.name for call in graph.calls[1:]] == ["Neg", "Relu"]
    assert any("sorted" in note.text for note in graph.notes)


def test_nodes_in_a_circle_are_refused(tmp_path):
    """There is no order in which they could run."""
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="first"), helper.make_node("Neg", ["a"], ["b"])]
    with pytest.raises(ta.FileError, match="circle, of which 'first'"):
        opened(tmp_path, nodes, [tensor("x", 2)], [tensor("b", 2)])


def test_functions_that_call_themselves_are_refused(tmp_path):
    """Also through one another, before anything follows them."""
    opset = [helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", one, ["a"], ["b"], [helper.make_node(other, ["a"], ["b"], domain="own")], opset)
        for one, other in (("F", "G"), ("G", "F"))
    ]
    with pytest.raises(ta.FileError, match="calls itself"):
        opened(
            tmp_path,
            [helper.make_node("F", ["x"], ["y"], domain="own")],
            [tensor("x", 2)],
            [tensor("y", 2)],
            functions=functions,
        )


def test_functions_that_multiply_stay_closed(tmp_path):
    """Thirty of them, each calling the one before twice, would be a billion nodes."""
    opset = [helper.make_opsetid("own", 1), helper.make_opsetid("", 20)]
    functions = [helper.make_function("own", "F0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opset)]
    for at in range(1, 30):
        twice = [helper.make_node(f"F{at - 1}", [one], [two], domain="own") for one, two in (("a", "c"), ("c", "b"))]
        functions.append(helper.make_function("own", f"F{at}", ["a"], ["b"], twice, opset))
    graph = opened(
        tmp_path,
        [helper.make_node("F29", ["x"], ["y"], domain="own")],
        [tensor("x", 2)],
        [tensor("y", 2)],
        functions=functions,
    )
    assert [call.name for call in graph.calls[1:]] == ["own.F29"]
    assert any("are shown closed" in note.text for note in graph.notes)


def test_what_nothing_makes_and_what_two_make_is_said(tmp_path):
    """Such files exist; the picture of one must not look as if it were whole."""
    nodes = [helper.make_node("Relu", ["nowhere"], ["a"]), helper.make_node("Neg", ["x"], ["a"])]
    graph = opened(tmp_path, nodes, [tensor("x", 2)], [tensor("a", 2), tensor("lost", 2)])
    said = " ".join(note.text for note in graph.notes)
    assert all(word in said for word in ("'nowhere'", "'lost'", "Two nodes produce"))


def test_weights_beside_the_file_are_not_looked_for(tmp_path):
    """A model of 40 GB whose data file is absent opens from its graph alone."""
    weight = TensorProto(name="w", data_type=F32, dims=[100_000, 100_000], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="absent.bin")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "net", [tensor("x", 1, 100_000)], [tensor("y", 1, 100_000)], [weight])
    path = tmp_path / "big.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert total(ta.open(path).graph).parameter_bytes == 40_000_000_000


def field(number, length):
    """The key of a field of bytes, and its length."""
    found = bytearray()
    for given in (number << 3 | 2, length):
        rest = given
        while rest > 0x7F:
            found.append(rest & 0x7F | 0x80)
            rest >>= 7
        found.append(rest)
    return bytes(found)


def test_weights_in_the_file_are_skipped(tmp_path):
    """A gigabyte of them in a file with holes is read in the time of its graph."""
    weight = TensorProto(name="w", data_type=F32, dims=[16_384, 16_384])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "net", [tensor("x", 1, 16_384)], [tensor("y", 1, 16_384)]
    )
    head = helper.make_model(graph).SerializeToString()
    size = 16_384 * 16_384 * 4

    told = weight.SerializeToString() + field(9, size)
    held = field(5, len(told) + size) + told
    path = tmp_path / "big.onnx"
    with path.open("wb") as file:
        file.write(head + field(7, len(held) + size) + held)
        file.truncate(file.tell() + size)
    assert path.stat().st_blocks * 512 < 1_000_000
    assert total(ta.open(path).graph).parameters == 16_384**2


def in_modules(op, read, made, *paths):
    """A node with the metadata of PyTorch's exporter; without paths, as its optimizer leaves one."""
    node = helper.make_node(op, [read], [made])
    if paths:
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=str(["", *paths, op.lower()]))
    return node


def test_a_node_that_an_optimizer_made_is_in_the_modules_of_its_neighbours(tmp_path):
    """It does not end the call of a module; between two modules it is in neither. torch.export makes such ones too."""
    nodes = [
        in_modules("Relu", "x", "a", "stage", "stage.0"),
        in_modules("Neg", "a", "b"),
        in_modules("Sin", "b", "e", "_empty_nn_module_stack_from_metadata_hook"),
        in_modules("Relu", "e", "c", "stage", "stage.1"),
        in_modules("Abs", "c", "d"),
        in_modules("Relu", "d", "y", "head"),
    ]
    graph = opened(tmp_path, nodes, [tensor("x", 2)], [tensor("y", 2)])
    around = {call.name: graph.calls[call.parent].path for call in graph.calls if call.name in {"Neg", "Sin", "Abs"}}
    assert around == {"Neg": "stage", "Sin": "stage", "Abs": ""}
    assert {module.path for module in graph.modules} == {"", "stage", "stage.0", "stage.1", "head"}
    assert {path: len(calls) for path, calls in graph.calls_of.items()}["stage"] == 1
