"""Packed weights in files: elements, bytes and dtype as stored, the original shape beside them."""

from __future__ import annotations

import json
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import torchatlas as ta
from capture.test_stored import CHANNELS, captured, dynamic, grouped
from torchatlas.capture.stored import packed_parameters
from torchatlas.core.measure.cost import total
from torchatlas.readers.pickled import Foreign, Global
from torchatlas.readers.weights.packed import unpacked
from torchatlas.readers.weights.stored import Stored


def test_a_subclass_in_a_file_counts_the_tensors_inside(tmp_path):
    """1,024 bytes and 64 scales of 2 bytes stand for (32, 64), as in the model itself."""
    torch.save(grouped().state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    (weight,) = graph.values
    assert (weight.shape, weight.dtype, weight.nbytes) == ((32, 64), "uint8", 1024 + 128)
    assert {(one.name, one.dtype, one.shape) for one in weight.inner} == {
        ("qdata", "uint8", (32, 32)),
        ("scale", "float16", (32, 2)),
    }
    assert (total(graph).parameters, total(graph).parameter_bytes) == (1024 + 64, 1024 + 128)


def test_packed_integers_in_a_file_say_the_shape_of_their_weight(tmp_path):
    """AWQ: eight numbers of 4 bits in each integer, along the outputs."""
    state = {
        "fc.qweight": torch.zeros(256, 8, dtype=torch.int32),
        "fc.qzeros": torch.zeros(2, 8, dtype=torch.int32),
        "fc.scales": torch.zeros(2, 64, dtype=torch.float16),
    }
    torch.save(state, tmp_path / "m.pth")
    atlas = ta.open(tmp_path / "m.pth")
    originals = {value.names[0]: value.original for value in atlas.graph.values}
    assert originals == {"fc.qweight": (64, 256), "fc.qzeros": None, "fc.scales": None}
    assert "[64, 256] as int32 [256, 8]" in str(atlas.summary())


def converted(layer, inputs, config):
    """A model of one layer between a quantizing and a dequantizing one; torch warns that it moves this elsewhere."""
    quantization = torch.ao.quantization
    model = nn.Sequential(quantization.QuantStub(), layer, quantization.DeQuantStub()).eval()
    model.qconfig = config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = quantization.prepare(model)
        prepared(inputs)
        return quantization.convert(prepared)


def embedding(kind):
    """An embedding of ten rows of four."""
    model = nn.Sequential(kind(10, 4)).eval()
    model.qconfig = torch.ao.quantization.float_qparams_weight_only_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.convert(torch.ao.quantization.prepare(model))


def default(engine):
    """How torch quantizes for an engine: x86 per channel, qnnpack per tensor."""
    return torch.ao.quantization.get_default_qconfig(engine)


ROWS, STEPS, IMAGE, SOUND = (2, 8), (3, 2, 8), (1, 3, 8, 8), (1, 3, 8)
QUANTIZED = {
    "linear": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), nn.Linear), ROWS),
    "linear without a bias": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4, bias=False)), nn.Linear), ROWS),
    "linear by channels": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear: CHANNELS}), ROWS),
    "linear of float16": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), nn.Linear, torch.float16), ROWS),
    "LSTM": (lambda: dynamic(nn.Sequential(nn.LSTM(8, 6, 2, bidirectional=True)), nn.LSTM), STEPS),
    "LSTM of float16": (lambda: dynamic(nn.Sequential(nn.LSTM(8, 6)), nn.LSTM, torch.float16), STEPS),
    "GRU": (lambda: dynamic(nn.Sequential(nn.GRU(8, 6)), nn.GRU), STEPS),
    "LSTM cell": (lambda: dynamic(nn.Sequential(nn.LSTMCell(8, 6)), nn.LSTMCell), ROWS),
    "GRU cell of float16": (lambda: dynamic(nn.Sequential(nn.GRUCell(8, 6)), nn.GRUCell, torch.float16), ROWS),
    "convolution": (lambda: converted(nn.Conv2d(3, 4, 3), torch.randn(IMAGE), default("x86")), IMAGE),
    "convolution without a bias": (
        lambda: converted(nn.Conv2d(3, 4, 3, bias=False), torch.randn(IMAGE), default("x86")),
        IMAGE,
    ),
    "convolution, one dimension": (lambda: converted(nn.Conv1d(3, 4, 3), torch.randn(SOUND), default("x86")), SOUND),
    "transposed, per tensor": (
        lambda: converted(nn.ConvTranspose2d(3, 4, 3), torch.randn(IMAGE), default("qnnpack")),
        IMAGE,
    ),
    "static linear": (lambda: converted(nn.Linear(8, 4), torch.randn(ROWS), default("x86")), ROWS),
    "a norm with a scale of its own": (
        lambda: converted(nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)), torch.randn(ROWS), default("x86")),
        ROWS,
    ),
    "embedding": (lambda: embedding(nn.Embedding), None),
    "bag of embeddings": (lambda: embedding(nn.EmbeddingBag), None),
}


def forms(graph):
    """What is said of each weight, by its first name."""
    return {
        value.names[0]: (value.shape, value.dtype, value.nbytes, value.kind, value.requires_grad, value.inner)
        for value in graph.values
        if value.kind in {"parameter", "buffer"}
    }


def sums(graph):
    """The numbers that say how much there is."""
    cost = total(graph)
    return cost.parameters, cost.trainable, cost.parameter_bytes, cost.buffers, cost.buffer_bytes


@pytest.mark.parametrize("whole", [False, True], ids=["state dict", "whole model"])
@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_layers_count_in_files_as_in_the_model(name, whole, tmp_path):
    """Names, shapes, types, bytes and sums are those of a capture of the model itself, and nothing is left out."""
    make, shape = QUANTIZED[name]
    model = make()
    live = captured(model, torch.zeros(2, 3, dtype=torch.long) if shape is None else torch.randn(shape)).graph
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model if whole else model.state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    assert sums(graph)[0] > 0
    assert sums(graph) == sums(live)
    own = {key: form for key, form in forms(live).items() if key not in {"0.scale", "0.zero_point"}}
    assert {key: form for key, form in forms(graph).items() if key in own or "weight" in key} == own
    assert not any("not shown" in note.text for note in graph.notes)
    halves = any("float32, with twice the bytes" in note.text for note in graph.notes)
    assert halves == ("float16" in name)


@pytest.mark.parametrize("name", [name for name in QUANTIZED if name[:5] not in {"stati", "convo", "trans", "a nor"}])
def test_runs_on_fake_tensors_count_packed_weights(name):
    """They stay real on such a run, and count the same; scales of channels too."""
    make, shape = QUANTIZED[name]
    model, inputs = make(), torch.zeros(2, 3, dtype=torch.long) if shape is None else torch.randn(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake = ta.capture(model, inputs, fake=True).graph
    assert sums(fake) == sums(captured(model, inputs).graph)
    assert sums(fake)[0] > 0


def test_statistics_of_half_precision_read_what_the_file_has(tmp_path):
    """Their numbers stand in the file in float32."""
    model = nn.Sequential(nn.Linear(4, 2))
    nn.init.constant_(model[0].weight, 3.0)
    torch.save(dynamic(model, nn.Linear, torch.float16).state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth", statistics=True).graph
    means = next(overlay for overlay in graph.overlays if overlay.name == "mean")
    bias = model[0].bias.mean().item()
    assert dict(means.paths)["0._packed_params"] == pytest.approx((8 * 3.0 + 2 * bias) / 10, rel=1e-4)


def test_names_alone_make_no_packed_weight(tmp_path):
    """A pair of tensors under another name, a tensor under such a one: both are what they are."""
    one = torch.zeros(2, 3)
    torch.save({"a._packed_weight": one, "a.b": one.clone(), "pair": (one, one)}, tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    assert [value.names for value in graph.values] == [("a._packed_weight",), ("a.b",)]
    assert any("2 more tensors under 'pair'" in note.text for note in graph.notes)


@pytest.mark.parametrize("whole", [False, True], ids=["state dict", "whole model"])
@pytest.mark.parametrize("name", QUANTIZED)
def test_the_skeleton_of_a_quantized_file_loads_it(name, whole, tmp_path):
    """Its code unpacks what the file packs, and every weight is that of the model."""
    model = QUANTIZED[name][0]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model if whole else model.state_dict(), tmp_path / "m.pth")
        space = {}
        exec(compile(ta.skeleton(tmp_path / "m.pth"), "skeleton", "exec"), space)  # noqa: S102 - what it is for
        loaded = space["load"](tmp_path / "m.pth").state_dict()
    graph = ta.open(tmp_path / "m.pth").graph
    assert set(loaded) == {name for value in graph.values for name in value.names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = {
            f"{path}.{weight}": tensor
            for path, module in model.named_modules()
            for weight, tensor, _ in packed_parameters(module)
        }
    assert own
    for key, tensor in own.items():
        assert torch.equal(loaded[key].detach(), tensor.detach()), key


def blob(**state):
    """What bitsandbytes puts beside a weight of four bits: JSON as bytes."""
    return torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)


def four_bits(*, nested):
    """A layer of (32, 64) of four bits: two in a byte, 32 blocks of 64."""
    state = {
        "fc.weight": torch.zeros(1024, 1, dtype=torch.uint8),
        "fc.bias": torch.zeros(32),
        "fc.weight.absmax": torch.zeros(32, dtype=torch.uint8 if nested else torch.float32),
        "fc.weight.quant_map": torch.zeros(16),
    }
    words = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [32, 64]}
    if nested:
        state |= {"fc.weight.nested_absmax": torch.zeros(1), "fc.weight.nested_quant_map": torch.zeros(256)}
        words |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.04}
    return state | {"fc.weight.quant_state.bitsandbytes__nf4": blob(**words)}


def written(state, path, metadata=None):
    """A file of a state, by its suffix."""
    if path.suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path, metadata=metadata)
    return path


def test_weights_of_four_bits_in_an_archive_are_held_against_a_model(tmp_path):
    """What was unpacked to be read is closed by then; the file holds tables that the model does not."""
    file = written(four_bits(nested=False), tmp_path / "m.safetensors")
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "m.safetensors")
    model = nn.Module()
    model.fc = nn.Linear(64, 32)
    for weights in (tmp_path / "m.zip", ta.open(tmp_path / "m.zip")):
        loading = ta.compare(model, weights).loading
        assert loading.unfit == (("fc.weight", (32, 64), (1024, 1)),)
        assert len(loading.unexpected) == 3
    assert "Linear" in ta.skeleton(tmp_path / "m.zip")


@pytest.mark.parametrize("names", [["qdata"], ["qdata", "qdata"]])
def test_a_weight_of_a_class_of_one_tensor_stands_in_its_place(names, tmp_path):
    """Also where the metadata names the tensor twice."""
    how = {"_type": "Plain", "_tensor_data_names": names}
    metadata = {"tensor_names": '["weight"]', "weight": json.dumps(how)}
    state = {"_weight_qdata": torch.zeros(4, 4, dtype=torch.int8)}
    (value,) = ta.open(written(state, tmp_path / "m.safetensors", metadata)).graph.values
    assert (value.names, value.kind, value.nbytes) == (("weight",), "parameter", 16)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(("nested", "elements", "nbytes"), [(False, 48, 192), (True, 306, 32 + 4 * 274)])
def test_weights_of_four_bits_are_put_together_with_their_tables(nested, elements, nbytes, suffix, tmp_path):
    """Absolute maxima, levels, and nested ones with an offset; the shape stands in the JSON."""
    atlas = ta.open(written(four_bits(nested=nested), tmp_path / f"m{suffix}"))
    values = {value.names[0]: value for value in atlas.graph.values}
    assert values.keys() == {"fc.weight", "fc.bias"}
    weight = values["fc.weight"]
    assert (weight.shape, weight.original, weight.dtype, weight.kind) == ((1024, 1), (32, 64), "uint8", "parameter")
    assert (weight.numel, weight.nbytes, weight.requires_grad) == (1024 + elements, 1024 + nbytes, False)
    assert total(atlas.graph).parameters == 1024 + elements + 32
    assert (atlas.graph.module_at["fc"].name, atlas.graph.module_at["fc"].extra) == ("Linear4bit", "64, 32")
    assert "[32, 64] as uint8 [1024, 1]" in str(atlas.summary())


def test_a_weight_of_eight_bits_has_its_scales(tmp_path):
    """One for each row; the number beside it says how rows lie, and is no weight."""
    state = {
        "fc.weight": torch.zeros(8, 16, dtype=torch.int8),
        "fc.SCB": torch.zeros(8),
        "fc.weight_format": torch.tensor(0, dtype=torch.uint8),
    }
    graph = ta.open(written(state, tmp_path / "m.safetensors")).graph
    (weight,) = graph.values
    assert (weight.names, weight.shape, weight.numel, weight.nbytes) == (("fc.weight",), (8, 16), 136, 128 + 32)
    assert graph.module_at["fc"].name == "Linear8bitLt"


@pytest.mark.parametrize(
    "change",
    [
        {"fc.weight.quant_state.bitsandbytes__nf4": torch.zeros(9, dtype=torch.uint8)},
        {"fc.weight.quant_state.bitsandbytes__nf4": blob(quant_type="nf4")},
        {"fc.weight.quant_state.bitsandbytes__nf4": blob(shape=[1 << 20, 1 << 20])},
        {"fc.weight.quant_state.bitsandbytes__nf4": blob(shape=["32", 64])},
    ],
    ids=["no JSON", "no shape", "a shape too large", "a shape of words"],
)
def test_a_damaged_state_leaves_the_tensors_apart(change, tmp_path):
    """What the file does not say is not guessed."""
    state = four_bits(nested=False) | change
    graph = ta.open(written(state, tmp_path / "m.pth")).graph
    assert {name for value in graph.values for name in value.names} == set(state)


PARTS = {"qdata": torch.zeros(32, 32, dtype=torch.int8), "scale": torch.zeros(2, 32), "zero_point": torch.zeros(2, 32)}


def described(kind, parts, **attributes):
    """The metadata of a file of torchao with one weight of a class."""
    weight = {"_type": kind, "_data": attributes, "_tensor_data_names": list(parts)}
    names = ["0.weight", "0.bias"]
    return {
        "0.weight": json.dumps(weight),
        "0.bias": json.dumps({"_type": "Tensor"}),
        "tensor_names": json.dumps(names),
    }


@pytest.mark.parametrize(
    ("kind", "data", "attributes", "shape"),
    [
        ("Int4Tensor", torch.zeros(32, 32, dtype=torch.int8), {"shape": [32, 64]}, (32, 64)),
        ("Int8Tensor", torch.zeros(32, 64, dtype=torch.int8), {}, (32, 64)),
        ("Float8Tensor", torch.zeros(32, 64, dtype=torch.float8_e4m3fn), {}, (32, 64)),
        ("NVFP4Tensor", torch.zeros(32, 32, dtype=torch.uint8), {}, (32, 64)),
    ],
)
def test_weights_of_torchao_are_put_together_as_the_metadata_says(kind, data, attributes, shape, tmp_path):
    """The class, the tensors inside, and the shape of the weight."""
    state = {"0._weight_qdata": data, "0._weight_scale": torch.zeros(32, 2), "0.bias": torch.zeros(32)}
    path = written(state, tmp_path / "m.safetensors", described(kind, ["qdata", "scale"], **attributes))
    graph = ta.open(path).graph
    values = {value.names[0]: value for value in graph.values}
    assert values.keys() == {"0.weight", "0.bias"}
    weight = values["0.weight"]
    assert (weight.shape, weight.type, weight.numel) == (shape, kind, data.numel() + 64)
    assert weight.nbytes == data.nbytes + 4 * 64
    assert [one.name for one in weight.inner] == ["qdata", "scale"]
    assert graph.module_at["0"].name == "Linear"


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"tensor_names": "0.weight"},
        {"tensor_names": json.dumps(["0.weight"])},
        {"tensor_names": json.dumps(["0.weight", 7]), "0.weight": "[1]"},
        described("Int4Tensor", ["qdata", "scale", "other"], shape=[32, 64]),
    ],
)
def test_tensors_that_no_metadata_joins_stay_apart(metadata, tmp_path):
    """Names alone join nothing."""
    state = {"0._weight_qdata": torch.zeros(32, 32, dtype=torch.int8), "0._weight_scale": torch.zeros(32, 2)}
    graph = ta.open(written(state, tmp_path / "m.safetensors", metadata)).graph
    assert {name for value in graph.values for name in value.names} == set(state)


@pytest.mark.parametrize("kind", ["bitsandbytes", "torchao"])
def test_the_skeleton_of_such_a_file_has_every_tensor_of_it(kind, tmp_path):
    """As load_state_dict gets them: what puts them together is the library that wrote them."""
    ao = {f"0._weight_{name}": part for name, part in PARTS.items()}
    state = four_bits(nested=True) if kind == "bitsandbytes" else ao
    metadata = described("Int4Tensor", PARTS, shape=[32, 64]) if kind == "torchao" else None
    path = written(state, tmp_path / "m.safetensors", metadata)
    space = {}
    exec(compile(ta.skeleton(path), "skeleton", "exec"), space)  # noqa: S102 - what it is for
    assert space["load"](path).state_dict().keys() == state.keys()


def test_shards_are_put_together_over_their_files(tmp_path):
    """A weight and its tables may stand in two files of one index."""
    state = four_bits(nested=True)
    names = list(state)
    where = {}
    for at, own in enumerate((names[:2], names[2:])):
        file = f"model-0000{at + 1}-of-00002.safetensors"
        save_file({name: state[name] for name in own}, tmp_path / file)
        where |= dict.fromkeys(own, file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    graph = ta.open(tmp_path).graph
    assert {value.names[0]: value.original for value in graph.values} == {"fc.weight": (32, 64), "fc.bias": None}


def test_a_model_is_asked_with_all_that_a_packed_file_holds(tmp_path):
    """The tables are keys to load_state_dict, and unexpected ones to a plain layer."""
    path = written(four_bits(nested=False), tmp_path / "m.safetensors")
    answer = str(ta.compare(nn.ModuleDict({"fc": nn.Linear(64, 32)}), path).verdict)
    assert answer == "load_state_dict(strict=True) would fail: 1 keys fit, 3 unexpected, 1 of another shape"


def test_the_skeleton_of_a_subclass_says_that_loading_is_not_known(tmp_path):
    """Only the library of the class can make such a tensor: its names and shapes are there."""
    torch.save(grouped().state_dict(), tmp_path / "m.pth")
    code = ta.skeleton(tmp_path / "m.pth")
    assert "how the file itself is loaded is not known" in code
    compile(code, "skeleton", "exec")


def test_quantized_layers_are_told_by_what_they_pack(tmp_path):
    """A linear layer has integers with a sign, an embedding those without."""
    found = {}
    for name in ("linear", "linear of float16", "static linear", "embedding", "convolution"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(QUANTIZED[name][0]().state_dict(), tmp_path / "m.pth")
        graph = ta.open(tmp_path / "m.pth").graph
        layer = graph.module_at["1" if name in {"static linear", "convolution"} else "0"]
        found[name] = (layer.name, layer.extra)
    assert found == {
        "linear": ("Linear", "8, 4, quantized"),
        "linear of float16": ("Linear", "8, 4, quantized"),
        "static linear": ("Linear", "8, 4, quantized"),
        "embedding": ("Embedding", "10, 4, quantized"),
        "convolution": ("Conv2d", "3, 4, 3x3"),
    }


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_sparse_weights_in_a_file_count_indices_and_values(layout, tmp_path):
    """As in the model: three values of twelve, with their indices."""
    layer = nn.Linear(3, 4, bias=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer.weight = nn.Parameter(torch.eye(4, 3).to_sparse(layout=layout))
        torch.save(layer.state_dict(), tmp_path / "m.pth")
        live = ta.capture(layer).graph
    graph = ta.open(tmp_path / "m.pth").graph
    assert forms(graph) == forms(live)
    assert sums(graph) == sums(live)
    assert graph.values[0].numel < 12


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_model_takes_its_own_weights(name, tmp_path):
    """As torch does, in memory and from a file: the same names and the same numbers."""
    model = QUANTIZED[name][0]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model.state_dict(), tmp_path / "m.pth")
        model.load_state_dict(model.state_dict())
        compared = [ta.compare(model, weights) for weights in (model.state_dict(), tmp_path / "m.pth")]
    assert all(str(one.verdict).startswith("load_state_dict(strict=True) takes the weights") for one in compared)
    memory, file = (one.b for one in compared)
    assert sums(memory)[0] == sums(file)[0] > 0
    assert sums(memory)[2:] == sums(file)[2:]


def test_a_list_that_stands_in_many_places_is_looked_into_once():
    """A file of some bytes can say a list of a thousand lists that are one, and so on."""
    inner = [Stored((4, 2), "qint8", type="quantized")]
    layer = Foreign(Global("torch", "ScriptObject"), (), ([inner, inner], "quantized.LinearPackedParamsBase"))
    assert list(unpacked("_packed_params", layer)) == ["weight"]
