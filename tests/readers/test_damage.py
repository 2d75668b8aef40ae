"""Damaged files of every kind: an error that is ours, or a graph that is well formed; soon, and with little memory."""

from __future__ import annotations

import io
import random
import resource
import time
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import torchatlas as ta
from readers.files import PICTURES, WORDS, Pictures, Turns, Words, made, write
from readers.test_onnx import loop
from torchatlas.core.check import check

KINDS = ("onnx", "old.onnx", "loop.onnx", "pt2", "traced", "scripted")
LONGEST = 10
"""Seconds of computing that no file of some kilobytes takes; a thousandth of it is usual."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    return {
        "onnx": write("onnx", made(Words()), WORDS, folder).read_bytes(),
        "old.onnx": write("old.onnx", made(Pictures()), PICTURES, folder).read_bytes(),
        "loop.onnx": _loop(folder / "loop"),
        "pt2": write("pt2", made(Words()), WORDS, folder).read_bytes(),
        "traced": write("traced", made(Words()), WORDS, folder).read_bytes(),
        "scripted": write("scripted", made(Turns()), (), folder).read_bytes(),
    }


def _loop(folder):
    folder.mkdir()
    loop(folder)
    return (folder / "model.onnx").read_bytes()


def holds(data, path):
    """Open what is left of a file; whatever else comes out than our errors is an error of ours."""
    path.write_bytes(data)
    began = time.process_time()
    try:
        check(ta.open(path).graph)
    except ta.AtlasError as error:
        said = str(error)
    else:
        said = str(path)
    assert str(path) in said
    assert time.process_time() - began < LONGEST


def damaged(data, rng):
    """Some bytes flipped, cut out, doubled, or put elsewhere."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(found)), rng.randint(1, 64)
        way = rng.randrange(4)
        if way == 0:
            found[at] ^= 1 << rng.randrange(8)
        elif way == 1 and len(found) > 2 * size:
            del found[at : at + size]
        elif way == 2:
            found[at:at] = found[at : at + size]
        else:
            other = rng.randrange(len(found))
            found[at : at + size] = found[other : other + size]
    return bytes(found) or b"x"


def inside(data, rng):
    """An archive that is whole, one of whose members is damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    told = [name for name in members if name.endswith((".json", ".pkl", ".py")) and members[name]]
    name = rng.choice(told)
    members[name] = damaged(members[name], rng)
    made_of = io.BytesIO()
    with zipfile.ZipFile(made_of, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return made_of.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_is_refused(files, tmp_path, kind):
    """At any length: an interrupted copy is the most common damage."""
    data = files[kind]
    for length in [*range(1, 64, 7), *range(64, len(data), max(len(data) // 40, 1)), len(data) - 1]:
        path = tmp_path / "file"
        holds(data[:length], path)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_gives_our_error_or_a_graph(files, tmp_path, kind, seed):
    """Bytes flipped, lost, doubled and spliced; in archives also inside members, where no checksum sees it."""
    rng = random.Random(seed)  # noqa: S311 - to damage a file with
    data = files[kind]
    broken = inside(data, rng) if not kind.endswith("onnx") and rng.random() < 0.8 else damaged(data, rng)
    holds(broken, tmp_path / "file")


def test_damage_takes_little_memory(files, tmp_path):
    """A length that claims gigabytes makes nobody reserve them."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = random.Random(0)  # noqa: S311 - to damage files with
    for kind in KINDS:
        for _ in range(20):
            holds(damaged(files[kind], rng), tmp_path / "file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


FORWARD = "  def forward(self, x: Tensor) -> Tensor:\n"
ENDLESS = {
    "deep": [f"    return {'torch.relu(' * 3000}x{')' * 3000}"],
    "recursive": ["    return (self).forward(x, )"],
    "multiplying": ["    return __torch__.f(x)"],
    "growing": [
        "    n = 9",
        *["    n = torch.pow(n, n)"] * 50,
        "    s = 'a'",
        *["    s = torch.add(s, s)"] * 60,
        "    l = [x]",
        *["    l = torch.add(l, l)"] * 60,
        "    return torch.stack(l)",
    ],
    "turning": ["    while True:", "      x = torch.relu(x)", "    return x"],
}
FUNCTION = "def f(x: Tensor) -> Tensor:\n  return __torch__.f(__torch__.f(x))\n"


@pytest.mark.parametrize("name", ENDLESS)
def test_code_that_never_ends_is_followed_to_an_end(files, tmp_path, name):
    """Deep, endless, doubling: what would hang or fill the memory of whoever runs it."""
    with zipfile.ZipFile(io.BytesIO(files["scripted"])) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    (module,) = [member for member in members if member.endswith("files.py")]
    code = FUNCTION + "class Turns(Module):\n" + FORWARD + "\n".join(ENDLESS[name])
    members[module] = code.replace("__torch__.f", "__torch__.readers.files.f").encode()
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    holds(path.read_bytes(), path)
