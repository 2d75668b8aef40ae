"""`.atlas` files: what goes in comes out, and nothing but FileError comes out of anything else."""

from __future__ import annotations

import gc
import io
import json
import math
import pickle
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from base64 import b85decode
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.graphs import build, irregular, llama_like
from core.strategies import graphs
from torchatlas.core.check import DEEPEST, check
from torchatlas.core.errors import FileError, InputError
from torchatlas.core.graph import Call, Graph, Node, Note, Slot
from torchatlas.files import codec, records

FULL = Path("/dev/full")
slowly = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SMALL = build("""
    input x 2,3
    parameter fc.weight 4,3
    Net x -> y
      Linear @fc x -> h
        F.linear x fc.weight !48 -> h 2,4
      F.dropout h p=0.5 train=False -> y 2,4
""")


def seal(columns: bytes, version: int = records.FORMAT, size: int | None = None) -> bytes:
    """Put any columns into a file whose checksums are right, as someone who means harm would."""
    packed = zlib.compress(columns, 1)
    formatted = struct.pack("<8sI", codec.MAGIC, version)
    lengths = struct.pack("<QQ", len(packed), len(columns) if size is None else size)
    sums = struct.pack("<I", zlib.crc32(formatted)), struct.pack("<I", zlib.crc32(lengths + packed))
    return formatted + sums[0] + lengths + sums[1] + packed


EQUALS = (1, True, 1.0, 0.0, 0, False)


def columns_of(data: bytes) -> bytes:
    """Take the columns out of a file."""
    return zlib.decompress(data[codec.BODY :])


def holding(*items) -> Graph:
    """Make a graph of one call whose arguments are these."""
    return Graph("f", calls=(Call(0, "function", "f", arguments=Node("arguments", (), items)),))


# What goes in comes out.


@slowly
@given(graphs())
def test_any_graph_comes_back_equal(graph):
    """Equal to Python, and also printed alike: True is not 1, 0.0 is not -0.0, and None is not missing."""
    again = codec.decode(codec.encode(graph))
    assert again == graph
    assert repr(again) == repr(graph)


@slowly
@given(graphs())
def test_what_was_read_is_written_as_it_was(graph):
    """Reading and writing again gives the same bytes, so that files can be compared."""
    data = codec.encode(graph)
    assert codec.encode(codec.decode(data)) == data


@pytest.mark.parametrize("graph", [llama_like(6, 9), irregular(300), Graph(""), SMALL], ids=lambda graph: graph.name)
def test_real_shapes_come_back_equal(graph):
    """Graphs shaped as models are, and the empty graph."""
    assert codec.decode(codec.encode(graph)) == graph


@pytest.mark.parametrize(
    "item",
    [True, 1, 1.0, False, 0, 0.0, -0.0, math.inf, -math.inf, 5e-324, 2**63, -(2**63) - 1, 10**6000, "", "\ud800\udc00"],
    ids=lambda item: repr(item)[:20] if not isinstance(item, int) or abs(item) < 2**64 else "huge",
)
def test_a_constant_keeps_its_type_and_value(item):
    """Beside its equals of other types, which must not be taken for it."""
    kept = codec.decode(codec.encode(holding(item, *EQUALS))).calls[0].arguments.items[0]
    assert (type(kept), kept) == (type(item), item)
    assert not isinstance(kept, float) or math.copysign(1, kept) == math.copysign(1, item)


def test_every_nan_is_read_as_the_one_of_math():
    """A NaN equals nothing, but Python's containers hold an object equal to itself: one object keeps graphs equal."""
    graph = codec.decode(codec.encode(holding(float("nan"), -float("nan"))))
    assert {id(item) for item in graph.calls[0].arguments.items} == {id(math.nan)}
    assert codec.decode(codec.encode(graph)) == graph


def test_equal_trees_are_shared_after_reading():
    """A thousand equal argument lists take the memory of one."""
    graph = codec.decode(codec.encode(llama_like(5, 4)))
    arguments = [call.arguments for call in graph.calls if call.name == "torch.flatten"]
    assert len(arguments) == 5
    assert all(tree is arguments[0] for tree in arguments)


def test_every_field_has_a_column_in_order():
    """A field that is added to the model and not to the file would be lost without a word."""
    for rows in (
        records.GRAPH,
        records.CALL,
        records.VALUE,
        records.INNER,
        records.MODULE,
        records.SOURCE,
        records.OVERLAY,
        records.NOTE,
    ):
        assert list(rows.columns) == [field.name for field in fields(rows.record)]


def test_format_4_is_what_it_was():
    """These bytes were written by this version; whoever changes the format must raise its number."""
    assert f"{zlib.crc32(columns_of(codec.encode(SMALL))):08x}" == "ffa3db14"


FIRST = (
    "iD7hXVRH=%0RR91J&Q-(S^)q600000F9QGo00000yTO10c${@pU2el548}lcvJ>oaCy3Ja0DIfhv^$`bw2=~s7<Aihcax6)G?nHD2OHzh{_Ftx"
    "5C$klQGnI6I@w7KR`zC85}Xfcz9p<~T>See1=nxwl)fje7G(_}z=Y&jXCXZF-ie*%?VHos9Z;~nkQ;*Cip^>YHAM6G)jt8qw++{4I}2$(y=#TR"
    "1eg=3M!8ti-RXTiFGllG`Z_`|LKxA?W3!T*h4Ro^dO1O=AgV$W>O3*1*!6B!SK+Jcm6b-E0Im5p0&C7K-U><!-&OO(LK6$ud=^G%?xu3(elm{m"
    "C2>x-xf_7*p>My$c)pm+&vq;rWB-C+8YWXH*bS57=6KlD0;FGTFvuOmbN7;_nmjmc31n`Hik)T#OVUhc*pEUXVP&&m6AW2L2aA2(??%FUWVF=q"
    "kNdHrgyZ|Es8PDVxPL(aqlb2XY&&t~(;o(WP{a"
)


def test_format_1_is_read():
    """The first version wrote these bytes; what it did not know takes its default."""
    assert codec.decode(b85decode(FIRST)) == SMALL


SECOND = (
    "iD7hXVRH=%0ssI2(<JiGfB^si00000zytsQ00000RKCCfc$}3}QF4PI5M=>TdxC!U1dd4#(7%3ldI!c};*5f0F>P<#o1}n>!J0JXW8GcXeQzHt"
    "kT;=$Vl*6JNu&0CEy`XNx>6EM4(Rljup~A0uay+Md&%nYx$jh~dJPCLAyci15H1Uw#3r)w*;s5G<YIfs89_W_vxGtdL-_q{KLMEDro21!jgb1?"
    "re+vSfSChPCEH%-"
    "7j`rFt?qawEe}_W5Johz*v$84jvkt+dk;nigYhz<+zNwyoWzYf3Cpffz0_h4Xzmvrn0tnJixl;uN9hA|leE0!jnJaw=4wvdUXM||9fhYMKnn0#"
    "7TJfW4o7|b3hxGEY`-9wy6f>e#AU6x-"
    "faUyK#I0^0l9#9%%8@q9W&Ui3QPidGmJaQ=$lT8x+U>C66V(nf?}BLkYK}HmkTmtEoJo_uB4ZYJf58>qFQyu(fkqu7~N)@U6zXzuY+Y7=UeN)j"
    "&z&PeWY)~{Tp`Gy^b9u*316(@0#-$@-p=UHmp%i"
)


def test_format_2_is_read():
    """The second version wrote these bytes."""
    assert codec.decode(b85decode(SECOND)) == SMALL


THIRD = (
    "iD7hXVRH=%0{{R3wnI*LmjM6(00000fCT^m00000PqDY4c$}3}QF4PI5M=?0_5}Ux2^^Cgpnv`9^bU-{#F;3L#k9R`Z;}Ekip8Ym19z8Y-{b8H<V"
    "`4`81)NST**Us7DZR*s+2Y87|`*QusG5AuVpQG`;wlA@1d2A>=Yotgp9e`L%7II5Npr)SG{9xAnTh&t_U_0Hj635(7WHy<_f@gn(+46Riak!CN#l"
    "d0!%N6%DU-PHruzo-KdtAwc%lt5yFT@2AjFs%+f;>b!WlApx>NKC^Nz!=f|5$UW8$n%dS@90BEY`EtqQhc#9BqqDRRCvoC3Q%PXNo%XMom+_Xol-"
    "VDN1A0PqvEb{b2l*f}gefhn?7@HdeQ`;V=!=^Y(uJ${R5Rkm-tV3oHkJ;1E+987NsK6+Y+xq8@GP<J3$5@Cl+?<Q{OQX;MpcNn6VRZc>%#AU4q+q"
    "&Z0<70>K8Q2a0OPsig_kcMQ!JWMFQQ7e`APqN0vO$;+kKje3qO1LgO(wTFxqWSe<OYq?%%LMa~(T$bg%B}m;_Q+pzqs%C=z(hGV}wG3sHL"
)


def test_format_3_is_read():
    """The third version wrote these bytes."""
    assert codec.decode(b85decode(THIRD)) == SMALL


def test_the_deepest_tree_comes_back_equal():
    """Nesting up to the limit is read and written without recursion."""
    tree = Node("list", (), ())
    for _ in range(DEEPEST - 2):
        tree = Node("list", (), (tree,))
    graph = holding(tree)
    assert codec.decode(codec.encode(graph)) == graph


def test_a_tree_deeper_than_python_recurses_is_refused():
    """It is named, with the limit, instead of a RecursionError."""
    tree = Node("list", (), ())
    for _ in range(20_000):
        tree = Node("list", (), (tree,))
    with pytest.raises(InputError, match=r"call 0 \(f\) has arguments nested deeper than 100"):
        codec.encode(holding(tree))


def test_a_graph_that_is_not_well_formed_is_not_written(tmp_path):
    """What could not be read back is refused before a file is touched."""
    with pytest.raises(InputError, match=r"call 0 \(f\) has arguments that name slot 3, of 0"):
        codec.write(holding(Slot(3)), tmp_path / "a.atlas")
    assert list(tmp_path.iterdir()) == []


def test_the_collector_is_as_it_was():
    """Reading and writing pause the cycle collector, also when they fail."""
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            data = codec.encode(SMALL)
            codec.decode(data)
            with pytest.raises(FileError):
                codec.decode(seal(b"\x07"))
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


# Size and speed.


@pytest.mark.parametrize("graph", [llama_like(126, 634), irregular(100_000)], ids=["llama", "irregular"])
def test_100_000_calls_take_less_than_3_megabytes(graph):
    """Both what repeats and what does not."""
    assert len(graph.calls) >= 100_000
    data = codec.encode(graph)
    assert len(data) < 3_000_000
    assert len(codec.decode(data).calls) == len(graph.calls)


def test_repeats_cost_almost_nothing():
    """Twice the layers, less than 2.2 times the bytes, and under three bytes a call."""
    single, double = (len(codec.encode(llama_like(layers, 100))) for layers in (50, 100))
    assert double < 2.2 * single
    assert double < 3 * 100 * 126


# Files.


def test_a_file_comes_back_equal(tmp_path):
    """Written and read by path, as text or as a Path."""
    path = tmp_path / "net.atlas"
    codec.write(SMALL, str(path))
    assert codec.read(path) == SMALL


def test_reading_needs_neither_torch_nor_numpy(tmp_path):
    """A file is shown on a machine that has none of them."""
    codec.write(SMALL, tmp_path / "net.atlas")
    code = """
        import sys
        sys.modules.update(torch=None, numpy=None)
        from torchatlas.files.codec import read
        print(read(sys.argv[1]).name)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "net.atlas")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "Net\n"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_an_interrupted_write_loses_nothing(tmp_path, monkeypatch, step, error):
    """The file that stood there is untouched, and nothing is left beside it."""
    path = tmp_path / "net.atlas"
    codec.write(SMALL, path)

    def fail(*_):
        raise error

    monkeypatch.setattr(f"os.{step}", fail)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt):
        codec.write(Graph("other"), path)
    monkeypatch.undo()
    assert codec.read(path) == SMALL
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_is_named():
    """The system's words, the path, and how much room is needed."""
    with pytest.raises(FileError, match=r"/dev/full cannot be written: No space left on device\. The \d+ bytes"):
        codec.write(SMALL, FULL)
    assert stat.S_ISCHR(FULL.stat().st_mode)


def test_a_missing_folder_is_named(tmp_path):
    """Writing makes no folders by itself."""
    with pytest.raises(FileError, match=r"none.net\.atlas cannot be written: No such file or directory"):
        codec.write(SMALL, tmp_path / "none" / "net.atlas")


def test_writing_through_a_link_keeps_the_link_and_the_mode(tmp_path):
    """The file it points to is replaced, with the permissions it had."""
    path, link = tmp_path / "net.atlas", tmp_path / "latest.atlas"
    codec.write(Graph("old"), path)
    path.chmod(0o640)
    link.symlink_to(path)
    codec.write(SMALL, link)
    assert link.is_symlink()
    assert codec.read(path) == SMALL
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# What is no such file.


def zipped() -> bytes:
    """Make a small zip archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("data.pkl", b"")
    return memory.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (zipped(), "looks like a zip archive"),
        (pickle.dumps([1]), "looks like a pickle"),
        (b"\x89PNG\r\n\x1a\n", "looks like a PNG image"),
        (b"Hello, world of text", "looks like text \\('Hello, world of text'…\\)"),
        (b"caf\xc3\xa9" + b"a" * 506 + b"\xc3\xa9", "looks like text"),
        (json.dumps({"a": 1}).encode(), "looks like JSON"),
        (b"<!doctype html>", "looks like HTML"),
        (struct.pack("<Q", 300) + b'{"weight": {}}', "looks like a safetensors file"),
        (b"\x00\x01\x02\xff", "looks like unknown binary data"),
        (b"\x89atlas\n\x01\x00\x00\x00", "first bytes were changed"),
        (codec.MAGIC, "is cut short after 8 bytes"),
        (codec.encode(SMALL)[:20], "is cut short after 20 bytes"),
        (codec.encode(SMALL)[:-1], r"is cut short after \d+ of \d+ bytes"),
        (codec.encode(SMALL) + b"\n", "is damaged: its content does not match"),
        (seal(b"", version=7), r"newer torchatlas \(format 7, this one reads up to 4\): upgrade"),
        (seal(b"", version=0), "is damaged: there is no format 0"),
        (seal(b"\x00" * 10, size=codec.LARGEST + 1), "unpacks to 536,870,913 bytes; at most 536,870,912"),
        (seal(b"\x00" * 10**7, size=10), "is damaged: it does not unpack to the 10 bytes it names"),
        (seal(columns_of(codec.encode(SMALL)) + b"\x00"), "is damaged: 1 bytes are left over"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_file_that_is_none_is_named(tmp_path, data, words):
    """The message begins with the path, says what the file looks like, and ends with what to do."""
    path = tmp_path / "some.atlas"
    path.write_bytes(data)
    with pytest.raises(FileError, match=f"^{path} .*{words}") as caught:
        codec.read(path)
    assert any(hint in str(caught.value) for hint in (codec.WANTED, codec.AGAIN, "pip install --upgrade"))


def test_what_is_no_file_at_all_is_named(tmp_path):
    """Nothing, or a folder."""
    with pytest.raises(FileError, match=r"none\.atlas does not exist\. Give an \.atlas file"):
        codec.read(tmp_path / "none.atlas")
    with pytest.raises(FileError, match=r"is a folder\. Give an \.atlas file"):
        codec.read(tmp_path)


def test_a_file_cut_anywhere_is_refused():
    """At each of its bytes."""
    data = codec.encode(SMALL)
    for length in range(len(data)):
        with pytest.raises(FileError):
            codec.decode(data[:length])


def test_a_file_with_any_bit_flipped_is_refused():
    """Each of its bits."""
    data = codec.encode(SMALL)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FileError):
            codec.decode(bytes(flipped))


@slowly
@given(graphs(), st.data())
def test_forged_columns_give_a_well_formed_graph_or_file_error(graph, data):
    """Checksums do not stop who means harm: the content itself is checked, and no other exception escapes."""
    columns = bytearray(columns_of(codec.encode(graph)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(columns) - 1))
        columns[position] = data.draw(st.sampled_from([0, 1, 2, 4, 8, 127, 128, 255]) | st.integers(0, 255))
    del columns[data.draw(st.just(len(columns)) | st.integers(0, len(columns))) :]
    try:
        forged = codec.decode(seal(bytes(columns)))
    except FileError:
        return
    check(forged)


@slowly
@given(st.binary(max_size=400))
def test_random_columns_give_a_well_formed_graph_or_file_error(columns):
    """As above, from nothing."""
    try:
        check(codec.decode(seal(columns)))
    except FileError:
        return


def test_shared_nodes_cannot_stand_for_billions():
    """Thirty Nodes, each twice in the next, are a tree of 2**30 items to whoever walks it."""
    tree = Node("list", (), ())
    for _ in range(30):
        tree = Node("list", (), (tree, tree))
    with pytest.raises(InputError, match="trees have more than 50000000 items"):
        codec.encode(holding(tree))


def test_a_file_that_says_too_much_takes_no_memory():
    """A few bytes that announce 2**60 strings are refused before anything is made of them."""
    columns = b"\x08" + struct.pack("<Q", 2**60)
    with pytest.raises(FileError, match="is damaged"):
        codec.decode(seal(columns))


def test_a_note_about_no_call_is_refused():
    """What is read is as well formed as what is captured."""
    with pytest.raises(InputError, match="the note 'odd' is about call 3, which is not there"):
        codec.encode(replace(SMALL, calls=SMALL.calls[:3], values=SMALL.values[:3], notes=(Note("odd", 3),)))
