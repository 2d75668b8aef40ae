"""Every promise of a capture, over every model of the zoo, each against something computed another way."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import count
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import torchatlas as ta
from models import MODELS, Built, Case
from state import content, differences, fingerprint, tensors_reached
from torchatlas.core.check import check
from torchatlas.core.measure import cost
from torchatlas.core.measure.numbers import short, size
from torchatlas.files import codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.api.atlas import Atlas
    from torchatlas.core.graph import Graph

SEED = 7


@dataclass(frozen=True)
class Evidence:
    """What was seen of one model in one capture, and in plain runs without any.

    Attributes:
        atlas: captured at op level, with replay.
        trace: what the capture changed.
        outputs: shapes and bits of the tensors that a plain run returns.
        parameters: elements of its parameters; None if it is no module.
        flops: as ``FlopCounterMode`` counts a plain run; None where it does not run.
    """

    atlas: Atlas
    trace: list[str]
    outputs: set[Any]
    parameters: int | None
    flops: int | None


@pytest.fixture(scope="module", params=MODELS)
def name(request) -> str:
    """One model after the other: all tests of one, then all of the next."""
    return request.param


def captured(case: Case, built: Built, **options: Any) -> Atlas:
    """A capture as the case wants it."""
    torch.manual_seed(SEED)
    return ta.capture(built.model, built.args, dict(built.kwargs), mode=case.mode, **options)


@lru_cache(maxsize=1)
def evidence(name: str) -> Evidence:
    """Build a model and look at it from every side, once for all tests of it."""
    case = MODELS[name]
    with case.ready() as built:
        torch.manual_seed(SEED)
        before = fingerprint(*built)
        atlas = captured(case, built, replay=True)
        torch.manual_seed(SEED)
        trace = differences(before, fingerprint(*built))
    with case.ready() as built:
        outputs = plain_outputs(case, built)
        parameters = own_parameters(built.model) if isinstance(built.model, nn.Module) else None
    return Evidence(atlas, trace, outputs, parameters, plain_flops(case))


def own_parameters(model: nn.Module) -> int:
    """Elements of all parameters, each object once, after a run has made those that wait for one.

    Quantized layers of torch give theirs by methods: they pack them.
    """
    unique = {id(parameter): parameter for parameter in model.parameters()}
    packing = [module for module in model.modules() if isinstance(getattr(module, "weight", None), MethodType)]
    packed = [tensor for module in packing for tensor in (module.weight(), module.bias()) if tensor is not None]
    return sum(parameter.numel() for parameter in (*unique.values(), *packed))


def plain_outputs(case: Case, built: Built) -> set[Any]:
    """Shapes and bits that the model returns when nobody watches."""
    torch.manual_seed(SEED)
    with case.grad():
        return {bits(tensor) for tensor in tensors_reached(built.run())}


def bits(tensor: Tensor) -> Any:
    """Shape and content, comparable."""
    return tuple(tensor.shape) if not tensor.is_nested else (), content(tensor.detach())


class Unplaced:
    """Stands in for the counter's module tracker, whose hooks some models do not bear."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@contextmanager
def every_product() -> Iterator[FlopCounterMode]:
    """A counter, with the fused kernels that it does not know taken apart."""
    onednn, fast = torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled()
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Unplaced()
    torch._C._set_mkldnn_enabled(False)  # noqa: FBT003  torch takes it by position
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with sdpa_kernel(SDPBackend.MATH), counter:
            yield counter
    finally:
        torch._C._set_mkldnn_enabled(onednn)
        torch.backends.mha.set_fastpath_enabled(value=fast)


def plain_flops(case: Case) -> int | None:
    """What torch's counter counts in a plain run."""
    if case.hand is not None or not case.counter:
        return None
    with case.ready() as built, case.grad():
        torch.manual_seed(SEED)
        with every_product() as counter:
            built.run()
        return counter.get_total_flops()


@lru_cache(maxsize=1)
def aten(name: str) -> Graph:
    """The graph with ATen operations."""
    case = MODELS[name]
    with case.ready() as built:
        return captured(case, built, level="aten").graph


def test_its_graph_is_well_formed(name):
    """Ids, wiring and structures are what the data model promises, at both levels."""
    check(evidence(name).atlas.graph)
    check(aten(name))


def test_it_leaves_no_trace(name):
    """Model, arguments and shared state are as before the capture."""
    assert not evidence(name).trace


def test_it_replays_bit_for_bit(name):
    """The recorded calls alone give every output again; where they cannot, the error says why."""
    atlas = evidence(name).atlas
    if not MODELS[name].replayable:
        with pytest.raises(ta.ReplayError, match="cannot be replayed"):
            atlas.replay()
        return
    replay = atlas.replay()
    assert replay.equal, replay.differences
    assert len(replay.outputs) == len(atlas.graph.calls[0].outputs)


def test_the_captured_run_is_the_plain_run(name):
    """What the captured run returned is, bit for bit, what a run without capture returns."""
    seen = evidence(name)
    if not MODELS[name].replayable or any(note.code == "fused path" for note in seen.atlas.graph.notes):
        pytest.skip("its outputs are not kept, or another kernel computed them, as a note says")
    assert {bits(tensor) for tensor in seen.atlas.replay().outputs} == seen.outputs


def test_its_parameters_are_counted_once(name):
    """The total is the number of elements of its parameters, each counted once."""
    seen = evidence(name)
    if seen.parameters is not None:
        assert cost.total(seen.atlas.graph).parameters == seen.parameters


def test_its_flops_are_counted(name):
    """The total is that of the hand formula, or of torch's own counter with fused kernels taken apart."""
    case, seen = MODELS[name], evidence(name)
    expected = seen.flops if case.hand is None else case.hand
    total = cost.total(seen.atlas.graph)
    assert total.exact == case.counter, "what cannot be counted must be said to be unknown, and nothing else"
    assert total.flops == expected


def test_its_totals_are_the_numbers_under_its_table(name):
    """What a program reads is what people read, digit by digit."""
    atlas = evidence(name).atlas
    found, table = atlas.totals, atlas.summary().text(width=200)
    if atlas.modules:
        split = f"trainable {found.trainable:,}, frozen {found.frozen:,}"
        assert re.search(rf"^parameters +{found.parameters:,}  {split}$", table, re.MULTILINE)
        assert re.search(rf"^weights +{size(found.bytes)}  ", table, re.MULTILINE)
    assert re.findall(r"^buffers +(.*)$", table, re.MULTILINE) == ([f"{found.buffers:,}"] if found.buffers else [])
    bound = "" if cost.total(atlas.graph).exact else ">="
    flops = rf"{bound}{short(found.mult_adds)}  {found.mult_adds:,}; {bound}{short(found.flops)} FLOPs"
    assert re.search(rf"^mult-adds +{flops}$", table, re.MULTILINE)
    elementwise = re.findall(r"^elementwise +(\S+(?: [kMGTPE])?)  ", table, re.MULTILINE)
    assert elementwise == ([short(found.elementwise)] if found.elementwise else [])
    assert bound == "" or not found.exact


def test_its_flops_are_the_same_at_both_levels(name):
    """Formulas of functions and formulas of ATen operations agree."""
    op, operations = cost.total(evidence(name).atlas.graph), cost.total(aten(name))
    if op.exact and operations.exact:
        assert op.flops == operations.flops


def test_both_levels_record_the_same_calls(name):
    """Without its ATen operations, the second graph has the calls of the first."""
    assert calls_of(evidence(name).atlas.graph) == calls_of(aten(name))


def test_it_survives_a_file(name):
    """Written and read, the graph equals itself, at both levels."""
    for graph in (evidence(name).atlas.graph, aten(name)):
        assert codec.decode(codec.encode(graph)) == graph


def test_its_table_has_the_same_totals_at_every_depth(name):
    """However deep it is shown, by modules or by operations, the model's row and the totals are those of the graph."""
    atlas = evidence(name).atlas
    total = asdict(cost.total(atlas.graph))
    for mode in ("modules", "ops"):
        shown = 0
        for depth in count():
            summary = atlas.summary(depth=depth, rows=mode)
            document = json.loads(summary.json())
            assert total.items() <= document["totals"].items()
            assert document["rows"][0]["flops"] == total["flops"]
            assert len(document["rows"]) == len(summary.rows) >= shown
            assert document["model"] == atlas.graph.name
            assert len(summary.text(width=100).splitlines()) > len(summary.rows)
            assert max(row.depth for row in summary.rows) <= depth
            if len(summary.rows) == shown or depth == 12:
                break
            shown = len(summary.rows)


def test_fake_tensors_give_the_same_calls(name):
    """Without memory or arithmetic: the same calls, shapes, parameters and operations."""
    case = MODELS[name]
    if not case.fake:
        pytest.skip(case.because)
    with case.ready() as built:
        before = fingerprint(*built)
        graph = captured(case, built, fake=True).graph
        torch.manual_seed(SEED)
        after = fingerprint(*built)
    check(graph)
    real = evidence(name).atlas.graph
    assert calls_of(graph) == calls_of(real)
    assert cost.total(graph).flops == cost.total(real).flops
    assert cost.total(graph).parameters == cost.total(real).parameters
    assert not [line for line in differences(before, after) if not line.startswith("shared torch generator")]


def calls_of(graph: Graph) -> list[Any]:
    """Calls of modules and functions, with the shapes that they return.

    ATen operations are left out: a tape of function transforms holds them at op level too.
    """
    return [
        (call.kind, call.name, call.path, [graph.values[value].shape for value in call.outputs])
        for call in graph.calls
        if call.kind != "aten"
    ]


def test_the_zoo_is_large_and_diverse():
    """At least sixty models of libraries, and twenty-five awkward ones; twelve counted by hand."""
    families = [case.family for case in MODELS.values()]
    assert families.count("torchvision") >= 10
    assert families.count("timm") >= 15
    assert families.count("transformers") >= 18
    assert sum(families.count(kind) for kind in ("structures", "modules", "sequences", "tensors", "transforms")) >= 25
    assert sum(case.hand is not None for case in MODELS.values()) >= 12
    assert all(case.because for case in MODELS.values() if not (case.counter and case.replayable and case.fake))
