"""DTensor in files of torch.save: whole shapes, placements, the part of one rank; as in the model itself."""

from __future__ import annotations

import pickle

import pytest

import torchatlas as ta
from capture.test_sharded import run
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.sharding import per_rank
from torchatlas.readers.pickled import Foreign, Global, Mapping
from torchatlas.readers.weights.dtensor import placed
from torchatlas.readers.weights.stored import Stored

pytest.importorskip("torch.distributed.tensor")

MODEL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        line, square = init_device_mesh("cpu", (4,)), init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
        self.embed, self.out = nn.Embedding(10, 6), nn.Linear(6, 10)
        self.embed.weight = nn.Parameter(distribute_tensor(torch.randn(10, 6), line, [Shard(0)]))
        self.out.weight = self.embed.weight
        self.out.bias = nn.Parameter(distribute_tensor(torch.randn(10), line, [Replicate()]))
        self.both = nn.Linear(6, 8, bias=False)
        self.both.weight = nn.Parameter(distribute_tensor(torch.randn(8, 6), square, [Replicate(), Shard(1)]))

    def forward(self):
        return 0

import pickle
model = Model()
graph = ta.capture(model).graph
"""
WEIGHTS = {
    "embed.weight": ((10, 6), ("Shard(0)",), (4,), (3, 6)),
    "out.bias": ((10,), ("Replicate",), (4,), (10,)),
    "both.weight": ((8, 6), ("Replicate", "Shard(1)"), (2, 2), (8, 3)),
}


@pytest.mark.parametrize("what", ["model.state_dict()", "list(model.named_parameters())"])
def test_sharded_weights_in_a_file_are_those_of_the_model(what, tmp_path):
    """Ten rows on four ranks are three here; a tied weight counts once; all ranks have 10 * 6 + 10 + 8 * 6."""
    run(
        MODEL
        + f"torch.save(dict({what}), {str(tmp_path / 'm.pth')!r})\n"
        + f"ta.capture(model).save({str(tmp_path / 'm.atlas')!r})"
    )
    graph, live = ta.open(tmp_path / "m.pth").graph, ta.open(tmp_path / "m.atlas").graph
    found = {v.names[0]: (v.shape, v.placements, v.mesh, v.inner[0].shape) for v in graph.values}
    assert found == WEIGHTS
    assert {v.names[0]: (v.shape, v.placements, v.mesh, v.inner[0].shape) for v in live.values if v.mesh} == WEIGHTS
    assert total(graph).parameters == total(live).parameters == 10 * 6 + 10 + 8 * 6
    assert total(graph).parameter_bytes == total(live).parameter_bytes == 4 * (10 * 6 + 10 + 8 * 6)
    assert per_rank(graph) == per_rank(live)
    assert per_rank(graph).parameters == 3 * 6 + 10 + 8 * 3
    text = str(ta.open(tmp_path / "m.pth").summary())
    assert "[10, 6] Shard(0), here [3, 6]" in text
    assert "sharded over 4 ranks (DTensor), and the file has the part of one" in text


def test_a_model_takes_its_own_sharded_file(tmp_path):
    """As torch does, and refuses what torch refuses; a plain model cannot be asked about sharded weights."""
    path = str(tmp_path / "m.pth")
    out = run(
        MODEL
        + f"torch.save(model.state_dict(), {path!r})\n"
        + "model.load_state_dict(model.state_dict())\n"
        + f"print(ta.compare(model, {path!r}).verdict)\n"
        + "model.both = nn.Linear(6, 8)\n"
        + "mesh = init_device_mesh('cpu', (4,))\n"
        + "model.both.weight = nn.Parameter(distribute_tensor(torch.randn(9, 6), mesh, [Shard(0)]))\n"
        + f"print(ta.compare(model, {path!r}).verdict)\n"
        + "model.both = nn.Linear(6, 8, bias=False)\n"
        + f"print(ta.compare(model, {path!r}).verdict)\n"
    )
    own, other, plain = out.strip().splitlines()
    assert own.startswith("load_state_dict(strict=True) takes the weights")
    assert other.startswith("load_state_dict(strict=True) would fail")
    assert "1 missing" in other
    assert "1 of another shape" in other
    assert plain == "load_state_dict(strict=True) takes the weights, as far as names and shapes tell: 4 keys fit"


def test_the_skeleton_of_a_sharded_file_says_what_it_can(tmp_path):
    """Names and whole shapes, and that the file has the part of one rank."""
    path = tmp_path / "m.pth"
    run(MODEL + f"torch.save(model.state_dict(), {str(path)!r})\n")
    code = ta.skeleton(path)
    assert "the file has the" in code
    assert "how the file itself is loaded is not known" in code
    compile(code, "skeleton", "exec")


def instance(name, **attributes):
    """An object of a pickle, with attributes."""
    state = Mapping()
    state.update(attributes)
    return Foreign(Global("torch.distributed", name), (), state)


WHOLE, LOCAL = Stored((10, 6), "float32", nbytes=240, type="DTensor"), Stored((3, 6), "float32", nbytes=72)
RANKS = Stored((2, 2), "int64")
PLACEMENTS = (instance("Shard", dim=0), instance("Replicate"))


def state(mesh, placements=PLACEMENTS):
    """The attributes of a DTensor."""
    found = Mapping()
    found.update({"_local_tensor": LOCAL, "_spec": instance("DTensorSpec", mesh=mesh, placements=placements)})
    return found


@pytest.mark.parametrize(
    "mesh",
    [
        instance("DeviceMesh", mesh=RANKS),
        instance("DeviceMesh", _layout=instance("_MeshLayout", shape=(2, 2), stride=(2, 1))),
        instance("DeviceMesh", _layout=instance("_MeshLayout", axes=(instance("_FlatLayout", shape=(2,)),) * 2)),
    ],
    ids=["ranks", "layout", "axes"],
)
def test_meshes_of_several_torch_versions_say_their_sizes(mesh):
    """A tensor of ranks in older ones, a layout in newer ones."""
    found = placed(WHOLE, state(mesh))
    assert (found.placements, found.mesh, found.inner[0].shape) == (("Shard(0)", "Replicate"), (2, 2), (3, 6))


@pytest.mark.parametrize(
    "given",
    [
        None,
        Mapping(),
        state(instance("DeviceMesh")),
        state(instance("DeviceMesh", mesh=RANKS), ()),
        state(instance("DeviceMesh", mesh=RANKS), (instance("Shard", dim="0"), instance("Replicate"))),
        state(instance("DeviceMesh", mesh=RANKS), (instance("Shard", dim=0),)),
        state(instance("DeviceMesh", _layout=instance("_MeshLayout", shape=(2, -2))), PLACEMENTS),
        state(instance("DeviceMesh", _layout=instance("_MeshLayout", shape=pickle)), PLACEMENTS),
    ],
)
def test_what_the_pickle_does_not_say_is_not_guessed(given):
    """The tensor is shown whole then."""
    assert placed(WHOLE, given) == WHOLE


def test_other_placements_are_named_as_torch_prints_them():
    """Sums that are not reduced yet, and shards of two dimensions of a mesh."""
    placements = (instance("Partial", reduce_op="sum"), instance("_StridedShard", dim=1, split_factor=2))
    found = placed(WHOLE, state(instance("DeviceMesh", mesh=RANKS), placements))
    assert found.placements == ("Partial(sum)", "_StridedShard(1, sf=2)")
