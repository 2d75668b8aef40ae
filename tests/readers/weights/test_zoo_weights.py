"""Every model of the zoo, as weights alone: what is read, what is inferred, and the skeleton that loads them."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from models import MODELS
from torchatlas.capture.stored import packed_parameters
from torchatlas.core.check import check
from torchatlas.core.graph import Node
from torchatlas.readers.weights import read
from torchatlas.views.skeleton.skeleton import skeleton

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph, Module

SURE = 0.95
CODES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64",
}  # fmt: skip
SETTINGS = {
    *("in_channels", "out_channels", "kernel_size", "groups", "in_features", "out_features", "num_embeddings"),
    *("embedding_dim", "num_features", "input_size", "hidden_size", "num_layers", "bidirectional", "proj_size"),
    *("normalized_shape", "num_channels", "embed_dim"),
}
FAMILIES = {
    "RMSNorm": ("RMSNorm", "T5LayerNorm"),
    "Attention": ("Attention", "Attn", "MultiHead", "XCA", "MHSA", "Causal"),
    "LoRA": ("Lora",),
    "LayerScale": ("LayerScale",),
    "LayerNorm": ("LayerNorm",),
}
"""Words in the names of classes that are of this kind, and no subclass of torch's own, where torch has one."""


class Evidence(NamedTuple):
    """What came of one model.

    Attributes:
        answers: (said, how sure, right) of every module that was said to be something.
        kinds: of parameters and buffers, (said, is).
        differences: what the file's reading and torch's own have unlike, by format.
        refused: why the skeleton did not load, by format; empty where it did.
    """

    answers: dict[str, list[tuple[str, float, bool]]]
    kinds: list[tuple[str, str]]
    differences: dict[str, list[str]]
    refused: dict[str, str]


@cache
def evidence(name: str) -> Evidence | None:
    """Build a model, save it twice, and look at what is read; None for what has no weights."""
    with MODELS[name].ready() as built, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of quantized and typed storages, by torch itself
        model = built.model
        if not isinstance(model, nn.Module):
            return None
        state = model.state_dict()
        tensors = {key: tensor for key, tensor in state.items() if isinstance(tensor, Tensor) and not is_lazy(tensor)}
        if not tensors or any(is_lazy(thing) for thing in state.values()):
            return None
        with tempfile.TemporaryDirectory() as folder:
            return look(model, state, tensors, Path(folder))


def look(model: nn.Module, state: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> Evidence:
    """Save, read, compare, and load into the skeleton."""
    files = {"pth": folder / "weights.pth", "safetensors": folder / "weights.safetensors"}
    save(state, files["pth"])
    if all(is_plain(tensor) for tensor in tensors.values()):
        save_safetensors(tensors, files["safetensors"])
    answers, differences, refused, kinds = {}, {}, {}, []
    for kind, file in files.items():
        if not file.exists():
            continue
        graph = read(file)
        check(graph)
        given, own = unpacked(model, state, tensors) if kind == "pth" else (tensors, tensors)
        differences[kind] = [*unlike(graph, own, tied=kind == "pth")]
        answers[kind] = [*judged(graph, model)]
        refused[kind] = loads(skeleton(graph, file.name), given)
        parameters = dict(model.named_parameters(remove_duplicate=False))
        kinds = [(value.kind, "parameter" if value.names[0] in parameters else "buffer") for value in graph.values]
    return Evidence(answers, kinds, differences, refused)


def unpacked(
    model: nn.Module, state: dict[str, Any], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Weights of quantized layers by the names that they have in the model; scales of their outputs are settings."""
    found = {
        f"{path}.{name}": tensor.detach()
        for path, module in model.named_modules()
        for name, tensor, _ in packed_parameters(module)
    }
    if not found:
        return state, tensors
    layers = {name.rpartition(".")[0].removesuffix("._packed_params") for name in found}
    settings = {f"{layer}.{name}" for layer in layers for name in ("scale", "zero_point")}
    kept = {name: tensor for name, tensor in tensors.items() if name not in settings}
    plain = {name: thing for name, thing in state.items() if not name.rpartition(".")[2].startswith("_packed_")}
    return plain | found, kept | found


def is_plain(tensor: Tensor) -> bool:
    """Whether a safetensors file can hold it."""
    return type(tensor) is Tensor and tensor.layout == torch.strided and not tensor.is_nested and tensor.dtype in CODES


def save(state: dict[str, Any], path: Path) -> None:
    """As users do; of large models the file has holes where the data would be."""
    large = sum(tensor.numel() for tensor in state.values() if isinstance(tensor, Tensor) and is_plain(tensor)) > 10**6
    if large:
        with torch.serialization.skip_data():
            torch.save(state, path)
    else:
        torch.save(state, path)


def save_safetensors(tensors: dict[str, Tensor], path: Path) -> None:
    """The header, and a hole where the data would be; torch's own library must open it."""
    header, end = {}, 0
    for name, tensor in sorted(tensors.items()):
        size = tensor.numel() * tensor.element_size()
        offsets = [end, end := end + size]
        header[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    with safe_open(path, "pt") as opened:
        assert set(opened.keys()) == set(tensors)


def unlike(graph: Graph, tensors: dict[str, Tensor], *, tied: bool) -> list[str]:
    """What the graph says of the tensors, where torch says another thing."""
    values = {name: value for value in graph.values for name in value.names}
    found = [f"{name} is only on one side" for name in set(values) ^ set(tensors)]
    for name in set(values) & set(tensors):
        value, tensor = values[name], tensors[name]
        if not tensor.is_nested and value.shape != tuple(tensor.shape):
            found.append(f"{name} has the shape {value.shape}, not {tuple(tensor.shape)}")
        if f"torch.{value.dtype}" != str(tensor.dtype):
            found.append(f"{name} is {value.dtype}, not {tensor.dtype}")
        if is_plain(tensor) and value.nbytes != tensor.numel() * tensor.element_size():
            found.append(f"{name} takes {value.nbytes} bytes")
    groups: dict[Any, set[str]] = {}
    for name, tensor in tensors.items():
        own = not tied or not is_plain(tensor) or not tensor.numel()
        place = name if own else (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        groups.setdefault(place, set()).add(name)
    if {frozenset(group) for group in groups.values()} != {frozenset(value.names) for value in graph.values}:
        found.append("other names are tied")
    return found


def judged(graph: Graph, model: nn.Module) -> list[tuple[str, float, bool]]:
    """Every answer, with whether it is right: the class, and each setting that torch's module has too."""
    real = dict(model.named_modules(remove_duplicate=False))
    return [
        (module.name, module.confidence or 0, is_right(module, real[module.path]))
        for module in graph.modules
        if module.name != "Module" and module.path in real
    ]


def is_right(said: Module, real: nn.Module) -> bool:
    """Whether a module is what it was said to be."""
    classes = [each.__name__ for each in type(real).__mro__]
    if isinstance(real, torch.jit.ScriptModule):
        classes = [real.original_name]
    if said.name not in classes and not any(word in classes[0] for word in FAMILIES.get(said.name, ())):
        return False
    told = {name: tuple(tree.items) if isinstance(tree, Node) else tree for name, tree in said.settings}
    return all(equal(told[name], getattr(real, name)) for name in SETTINGS if name in told and hasattr(real, name))


def equal(said: Any, real: Any) -> bool:
    """Equal, a number standing for a tuple of it."""
    real = tuple(real) if isinstance(real, (tuple, list, torch.Size)) else real
    return said == real or (isinstance(real, tuple) and set(real) == {said})


def loads(source: str, state: dict[str, Any]) -> str:
    """Why a skeleton does not take a state dict strictly, or has other tensors than it; empty if all is well."""
    space: dict[str, Any] = {}
    exec(compile(source, "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    ordinary = all(is_plain(tensor) for tensor in state.values() if isinstance(tensor, Tensor))
    with torch.device("meta" if ordinary else "cpu"):
        model = space["Model"]()
    for name, own in model.state_dict().items():
        if own.dtype != state[name].dtype or (not own.is_nested and own.shape != state[name].shape):
            return f"{name} is {own.dtype} {own.shape}"
    try:
        model.load_state_dict(state, strict=True, assign=True)
        if ordinary and all(tensor.numel() < 10**5 for tensor in state.values() if isinstance(tensor, Tensor)):
            space["Model"]().load_state_dict(state, strict=True)
    except RuntimeError as error:
        return str(error)
    return ""


@pytest.fixture(params=MODELS)
def seen(request) -> Evidence:
    """What came of one model after the other."""
    found = evidence(request.param)
    if found is None:
        pytest.skip("it has no weights, or lazy ones, whose sizes are not known yet")
    return found


def test_what_is_read_is_what_was_saved(seen):
    """Names, shapes, dtypes, bytes and tied names are those of torch, in both formats."""
    assert not any(seen.differences.values()), seen.differences


def test_its_skeleton_loads_its_weights(seen):
    """``load_state_dict(strict=True)`` passes, with and without ``assign``, in both formats."""
    assert not any(seen.refused.values()), seen.refused


def answers(kind: str) -> list[tuple[str, float, bool]]:
    """All answers over the zoo."""
    every = [evidence(name) for name in MODELS]
    return [answer for seen in every if seen is not None for answer in seen.answers.get(kind, [])]


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_what_is_said_to_be_sure_is_right(kind):
    """Of what is said to be at least 95 % sure, at least 95 % are right in class and settings; so for each class."""
    sure = [(said, right) for said, certain, right in answers(kind) if certain >= SURE]
    assert len(sure) > 4000
    assert sum(right for _, right in sure) >= 0.98 * len(sure)
    count = Counter(said for said, _ in sure)
    wrong = Counter(said for said, right in sure if not right)
    assert not {said: (wrong[said], count[said]) for said in wrong if wrong[said] > 0.05 * count[said] + 1}


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_doubt_is_as_great_as_it_is_said_to_be(kind):
    """In each band of certainty below, about as many are right as is said: none is more than 0.1 too sure."""
    bands: dict[int, list[tuple[float, bool]]] = {}
    for _, certain, right in answers(kind):
        bands.setdefault(int(certain * 10), []).append((certain, right))
    for band in bands.values():
        if len(band) >= 20:
            said, real = (sum(column) / len(band) for column in zip(*band, strict=True))
            assert real > said - 0.1, (said, real, len(band))


def test_parameters_are_told_from_buffers():
    """Of all tensors, at least 99 % are said to be what they were."""
    kinds = [pair for name in MODELS if (seen := evidence(name)) for pair in seen.kinds]
    assert len(kinds) > 10_000
    assert sum(said == real for said, real in kinds) >= 0.99 * len(kinds)
