"""The command line: what it prints, writes and refuses, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from torchatlas.cli import app
from torchatlas.cli.run import waiting
from torchatlas.cli.typed_inputs import read_input, read_inputs
from torchatlas.core.errors import InputError

MODELS = """
import sys
import time

import torch
from torch import nn

print("a word from the user's code")

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(width, 2)
    def forward(self, x, *, scale=1):
        print("another word")
        return self.layer(x) * scale

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 3)
    def forward(self, ids, weight):
        return self.embed(ids) * weight

class Bad(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.second = nn.Linear(4, 2)
    def forward(self, x):
        return self.second(self.first(x))

class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
    def forward(self, batch, xs):
        rows = self.layer(batch.x)[batch["edge_index"][0]]
        return rows + xs[0] * xs[1]

class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(3)
        self.embed = nn.Embedding(10, 3)
    def forward(self, x):
        return self.norm(self.embed(x))

class Picture(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))

class Stopped(Net):
    def forward(self, x):
        raise KeyboardInterrupt

class Slow(Net):
    def forward(self, x):
        print("waiting", file=sys.stderr, flush=True)
        time.sleep(60)

class Deep(nn.Sequential):
    def __init__(self):
        super().__init__(*(nn.Linear(1, 1) for _ in range(3000)))
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    """Work in a folder that holds ``net.py``, and leave Python's import state as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(MODELS)
    yield
    sys.modules.pop("net", None)


def run(*args: str):
    """What the command line does with these arguments, in this process."""
    return CliRunner().invoke(app, args, prog_name="torchatlas")


def start(*args: str, **options):
    """The command line as a process of its own."""
    command = [sys.executable, "-m", "torchatlas", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_summary_prints_the_table_of_a_model_in_a_file():
    """Ten parameters: a weight of 2 x 4 and a bias of 2."""
    result = run("summary", "net.py:Net", "--input", "3,4")
    assert result.exit_code == 0, result.output
    assert "Linear" in result.stdout
    assert "10" in result.stdout


def test_what_the_users_code_prints_is_no_part_of_the_table():
    """Words printed on import and in forward go to stderr, so that JSON stays JSON."""
    result = run("summary", "net.py:Net", "--input", "3,4", "--format", "json")
    assert json.loads(result.stdout)
    assert "a word from the user's code\nanother word" in result.stderr


@pytest.mark.parametrize("form", ["text", "html", "csv", "json"])
def test_each_format_is_written_as_it_is_printed(tmp_path, form):
    """-o takes the format from the suffix, and leaves nothing else in the folder."""
    suffix = "txt" if form == "text" else form
    args = ("summary", "net.py:Net", "-i", "3,4", "--width", "90")
    printed = run(*args, "--format", form)
    written = run(*args, "-o", f"table.{suffix}")
    assert printed.exit_code == written.exit_code == 0, written.output
    assert written.stdout == ""
    assert (tmp_path / f"table.{suffix}").read_text().strip() == printed.stdout.strip()
    assert {path.name for path in tmp_path.iterdir()} == {"net.py", f"table.{suffix}"}


def test_csv_and_json_hold_the_same_rows():
    """Two formats of one table."""
    args = ("summary", "net.py:Net", "-i", "3,4")
    rows = list(csv.DictReader(io.StringIO(run(*args, "--format", "csv").stdout)))
    data = json.loads(run(*args, "--format", "json").stdout)
    assert len(rows) == len(data["rows"]) == 2


def test_options_choose_model_and_run():
    """Arguments of the class, keyword arguments of forward, columns and rows all reach their place."""
    result = run(
        *("summary", "net.py:Net", "-i", "x=3,6", "--arguments", '{"width": 6}', "--kwargs", '{"scale": 2}'),
        *("--columns", "name,params", "--rows", "ops", "--no-fold", "--depth", "3", "--fake", "--mode", "train"),
        *("--level", "aten", "--format", "csv"),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].count(",") == 1
    assert any(line.endswith(",14") for line in lines)


@pytest.mark.parametrize("style", ["torchinfo", "torchsummary"])
def test_styles_print_the_tables_of_others(style):
    """Both say the total in the words of the tool they look like."""
    result = run("summary", "net.py:Net", "-i", "3,4", "--style", style)
    assert result.exit_code == 0, result.output
    assert "Total params: 10" in result.stdout


def test_named_inputs_with_their_types():
    """An embedding wants whole numbers; the other input stays what the model is made of."""
    result = run("summary", "net.py:Words", "-i", "ids=1,7:int64", "-i", "weight=1,7,3")
    assert result.exit_code == 0, result.output
    assert "30" in result.stdout


def test_a_shape_without_the_batch_is_run_with_a_batch_of_one():
    """Typed as a shape always was; the note stands under the table."""
    result = run("summary", "net.py:Picture", "--input", "1,4,4")
    assert result.exit_code == 0, result.output
    assert "[1, 1, 4, 4]" in result.stdout
    assert "A batch of one was added: input [1, 4, 4] runs as [1, 1, 4, 4]." in " ".join(result.stdout.split())


def test_the_other_dtype_is_tried_and_said_as_it_is_typed():
    """``weight`` was to be whole numbers no more than ``ids`` floating point."""
    result = run("summary", "net.py:Words", "--input", "ids=2,3", "--input", "weight=2,3,3")
    assert "guessed" not in result.stdout
    result = run("summary", "net.py:Table", "--input", "x=2,3")
    assert result.exit_code == 0, result.output
    assert (
        "The dtype of x was guessed: int64, after the first guess failed. To choose it, write --input x=…:int64."
        in " ".join(result.stdout.split())
    )


def test_a_model_without_inputs_is_shown_as_it_is_built():
    """No --input: the modules and their parameters alone."""
    result = run("summary", "net.py:Net")
    assert result.exit_code == 0, result.output
    assert "Linear" in result.stdout


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1,3,224,224", ("", (1, 3, 224, 224), "")),
        ("x=1,3", ("x", (1, 3), "")),
        ("ids=1,128:int64", ("ids", (1, 128), "int64")),
        ("5:bfloat16", ("", (5,), "bfloat16")),
        ("(1, 3)", ("", (1, 3), "")),
        ("t=()", ("t", (), "")),
        ("0,4", ("", (0, 4), "")),
    ],
)
def test_an_input_is_read_as_name_shape_and_type(text, wanted):
    """Both name and type may be absent."""
    assert read_input(text) == wanted


@pytest.mark.parametrize("text", ["", "x=", "1,a", "1x3", "-1,3", "x=1,3=4", ":int64"])
def test_an_input_of_another_form_is_refused(text):
    """The message repeats it and shows the form."""
    with pytest.raises(InputError, match=rf"--input {text}: wanted \[NAME=\]SHAPE"):
        read_input(text)


@pytest.mark.parametrize(
    ("inputs", "dtypes", "wanted"),
    [
        ([], [], (None, None)),
        (["1,2"], [], ([(1, 2)], None)),
        (["1,2", "3:bool"], [], ([(1, 2), (3,)], [None, "bool"])),
        (["1,2", "3"], ["int64"], ([(1, 2), (3,)], ["int64", "int64"])),
        (["1,2", "3:bool"], ["int64"], ([(1, 2), (3,)], ["int64", "bool"])),
        (["1", "2"], ["int64", "bool"], ([(1,), (2,)], ["int64", "bool"])),
        (["a=1", "b=2:bool"], [], ({"a": (1,), "b": (2,)}, {"b": "bool"})),
        (["a.x=1", "b=2", "a.y=3:bool"], [], ({"a": {"x": (1,), "y": (3,)}, "b": (2,)}, {"a": {"y": "bool"}})),
        (["a.1=1:int64", "a.0=2"], [], ({"a": [(2,), (1,)]}, {"a": [None, "int64"]})),
        (["a.x.0.y=1", "a.x.1=2", "a.z=()"], [], ({"a": {"x": [{"y": (1,)}, (2,)], "z": ()}}, {})),
        (["a.x=1", "a.y=2"], ["int8"], ({"a": {"x": (1,), "y": (2,)}}, {"a": {"x": "int8", "y": "int8"}})),
    ],
)
def test_inputs_and_types_are_put_together(inputs, dtypes, wanted):
    """One --dtype is for all, an input's own type is stronger, names make dictionaries, numbers after dots lists."""
    assert read_inputs(inputs, dtypes) == wanted


GRAPH = ("-i", "batch.x=5,4", "-i", "batch.edge_index=2,8:int64", "-i", "xs.0=8,2", "-i", "xs.1=2")


@pytest.mark.parametrize(
    "command",
    [
        ("summary", "net.py:Graph"),
        ("draw", "net.py:Graph", "-o", "out.svg"),
        ("show", "net.py:Graph", "-o", "out.html"),
        ("save", "net.py:Graph", "-o", "out.atlas"),
        ("profile", "net.py:Graph", "--repeats", "1"),
        ("compare", "net.py:Graph", "net.py:Graph"),
    ],
)
def test_every_command_makes_dictionaries_and_lists(command):
    """By attribute and by key, and by place: the model runs, and the names are those of its tensors."""
    result = run(*command, *GRAPH)
    assert result.exit_code == 0, result.output
    if command[0] == "save":
        graph = ta.load("out.atlas").graph
        named = {value.names[0]: (value.shape, value.dtype) for value in graph.values if value.kind == "input"}
        assert named == {
            "batch.x": ((5, 4), "float32"),
            "batch.edge_index": ((2, 8), "int64"),
            "xs[0]": ((8, 2), "float32"),
            "xs[1]": ((2,), "float32"),
        }
    if command[0] == "draw":
        picture = Path("out.svg").read_text()
        assert all(f">{name}<" in picture for name in ("batch.x", "batch.edge_index", "xs[0]", "xs[1]"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a=1", "a=2"], "--input a was given twice"),
        (["a.x=1", "a.x=2"], r"--input a\.x was given twice"),
        (["a=1", "a.x=2"], r"--input a\.x: a has a shape of its own"),
        (["a.x=1", "a=2"], r"--input a: a\.x was given too"),
        (["a.x=1", "a.x.y=2"], r"a\.x has a shape of its own"),
        (["a.0=1", "a.x=2"], r"--input a\.0 and a\.x: numbers are places in a list"),
        (["a.0=1", "a.2=2"], r"a\.1 is missing; places count from 0"),
        (["a.b.1=1"], r"a\.b\.0 is missing"),
        (["a.0=1", "a.00=1"], r"a\.1 is missing"),
        (["a.x=1", "3"], r"only a\.x has a name"),
        (["a..x=1"], "wanted"),
        (["0=1"], "wanted"),
        (["a.x-y=1"], "wanted"),
    ],
)
def test_names_that_do_not_fit_together_are_refused(inputs, message):
    """A name twice, a tensor with items, a list with names or gaps: nothing is left out in silence."""
    with pytest.raises(InputError, match=message):
        read_inputs(inputs, [])


REFUSED = [
    (("summary", "net.py:Nothing"), "has no 'Nothing'"),
    (("summary", "net.py"), "does not name an attribute"),
    (("summary", "nowhere.py:Net"), "no file 'nowhere.py'"),
    (("summary", "net.py:Net", "-i", "1,a"), "--input 1,a: wanted"),
    (("summary", "net.py:Net", "-i", "3,4", "-i", "x=1"), "Name all of them or none"),
    (("summary", "net.py:Net", "-i", "3,4", "--dtype", "int8", "--dtype", "int8"), "2 --dtype for 1 --input"),
    (("summary", "net.py:Net", "--dtype", "int8"), "--dtype int8 without --input"),
    (("summary", "net.py:Net", "-i", "3,4", "--dtype", "flot32"), "'flot32' is not a dtype"),
    (("summary", "net.py:Net", "-i", "y=3,4"), '"y" is not an argument.\n  given:   net.py:Net --input y=3,4\n'),
    (("summary", "net.py:Net", "-i", "3,4", "--kwargs", "{scale: 2}"), "--kwargs {scale: 2}: not JSON"),
    (("summary", "net.py:Net", "-i", "3,4", "--kwargs", "[2]"), "--kwargs [2]: wanted an object"),
    (("summary", "net.py:Net", "--arguments", "2"), "--arguments 2: wanted an object {…} or a list […]"),
    (("summary", "net.py:Net", "-i", "3,4", "--device", "abacus"), "--device abacus cannot be used here"),
    (("summary", "net.py:Net", "-i", "3,4", "--columns", "name,colour"), "colour"),
    (("summary", "net.py:Net", "-i", "3,4", "-o", "missing/table.txt"), "there is no folder 'missing'"),
    (("summary", "net.py:Net", "-i", "3,4", "-o", "table.png"), "give a name that ends in .txt, .html"),
    (("summary", "net.py:Net", "-i", "3,4", "-o", "net.atlas"), "use torchatlas save"),
    (("save", "net.py:Net", "-i", "3,4", "-o", "net.txt"), "ends in .atlas, .html"),
    (("save", "net.py:Net"), "--output"),
    (("draw", "net.py:Net", "-i", "3,4", "-o", "net.jpg"), "a drawing is written as .svg, .png, .pdf, .dot"),
    (("draw", "net.py:Net", "-i", "3,4", "-o", "missing/net.svg"), "there is no folder 'missing'"),
    (("draw", "net.py:Net", "-i", "3,4", "-o", "net.svg", "--expand", "lair"), "Near: 'layer'"),
    (("draw", "net.py:Net", "-i", "3,4", "-o", "net.svg", "--labels", "size"), "labels='size' is unknown"),
    (("draw", "net.py:Net", "-o", "net.svg", "--color-by", "flops"), "was not run"),
    (("draw", "net.py:Net"), "--output"),
    (("summary", "nowhere.atlas"), "nowhere.atlas"),
    (("summary", "net.py:Net", "--format", "pdf"), "'pdf'"),
    (("summary",), "TARGET"),
    (("sumary", "net.py:Net"), "sumary"),
]


@pytest.mark.parametrize(("args", "words"), REFUSED)
def test_what_cannot_be_done_is_said_in_one_line_with_exit_code_2(args, words):
    """No traceback, and stdout stays empty for whoever reads it."""
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_place_that_cannot_be_written_is_refused_before_the_model_runs(tmp_path):
    """A long run is not lost to a misspelt folder."""
    (tmp_path / "net.py").write_text("raise RuntimeError")
    assert "there is no folder" in run("summary", "net.py:Net", "-o", "missing/table.txt").stderr


def test_a_forward_that_fails_prints_the_table_so_far_and_the_users_own_line():
    """Exit code 1; stdout has the table up to the failing call, stderr the user's exception without our frames."""
    result = run("summary", "net.py:Bad", "-i", "3,4")
    assert result.exit_code == 1
    assert "second" in result.stdout
    assert "return self.second(self.first(x))" in result.stderr
    assert result.stderr.endswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x5 and 4x2)\n")
    assert "torchatlas/" not in result.stderr.replace(os.sep, "/")


def test_draw_writes_every_file_it_is_asked_for(tmp_path):
    """One run, several formats; what was left closed is said beside them."""
    files = [f"net.{suffix}" for suffix in ("svg", "png", "pdf", "dot", "html")]
    result = run("draw", "net.py:Net", "-i", "3,4", *(part for name in files for part in ("-o", name)))
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"net.py", *files}
    assert [line.partition(":")[0] for line in result.stderr.splitlines()[-5:]] == files
    assert "net.svg" in run("draw", "net.py:Net", "-i", "3,4", "-o", "net.svg", "--depth", "1").stderr
    assert run("draw", "net.py:Net", "-i", "3,4", "-o", "page.html", "--color-by", "flops").exit_code == 0


def test_draw_takes_the_options_of_a_drawing(tmp_path):
    """The same picture as from Python."""
    assert run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    options = ("--depth", "2", "--direction", "LR", "--theme", "dark", "--labels", "flops", "--no-fold", "--constants")
    options += ("--color-by", "params")
    assert run("draw", "net.atlas", "-o", "net.svg", *options).exit_code == 0
    drawing = ta.load(tmp_path / "net.atlas").draw(
        2, direction="LR", theme="dark", labels=("flops",), fold=False, constants=True, color_by="params"
    )
    assert (tmp_path / "net.svg").read_text() == drawing.svg


def test_a_forward_that_fails_is_drawn_up_to_there(tmp_path):
    """Exit code 1, and the picture has the message."""
    result = run("draw", "net.py:Bad", "-i", "3,4", "-o", "bad.svg")
    assert result.exit_code == 1
    assert "the picture goes up to the failing call" in result.stderr
    assert "RuntimeError" in (tmp_path / "bad.svg").read_text()


def test_a_saved_run_is_drawn_without_torch():
    """Whoever was sent a file needs no torch to see it."""
    assert run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    code = (
        "import sys; from torchatlas.cli import app\n"
        "try: app(['draw', 'net.atlas', '-o', 'net.svg', '-o', 'net.pdf', '-o', 'net.png'])\n"
        "except SystemExit as done: print(done.code, 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown == "0 False\n"


def test_a_forward_that_fails_is_saved_up_to_there(tmp_path):
    """The file can be looked at later; the exit code says that the model failed."""
    result = run("save", "net.py:Bad", "-i", "3,4", "-o", "bad.atlas")
    assert result.exit_code == 1
    assert ta.load(tmp_path / "bad.atlas").graph.error is not None


def test_a_saved_run_prints_the_same_table(tmp_path):
    """The file holds everything that the table shows."""
    assert run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    again = run("summary", "net.atlas", "--width", "90")
    assert again.exit_code == 0, again.output
    assert again.stdout == run("summary", "net.py:Net", "-i", "3,4", "--width", "90").stdout


def test_a_saved_run_is_shown_without_torch():
    """Neither torch nor numpy is imported on the way from the file to the table."""
    run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas")
    code = """
import sys
from torchatlas.cli import main
sys.argv = ["torchatlas", "summary", "net.atlas"]
try:
    main()
except SystemExit as end:
    sys.exit(str([name for name in ("torch", "numpy", "pandas") if name in sys.modules]) if not end.code else end.code)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.stderr.strip() == "[]"
    assert "Linear" in shown.stdout


def test_a_file_that_holds_a_run_takes_no_options_of_one():
    """--input could not change what already ran."""
    run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas")
    result = run("summary", "net.atlas", "-i", "3,4", "--fake")
    assert result.exit_code == 2
    assert "is a file and is not run, so --input, --fake would have no effect" in result.stderr


def test_a_damaged_file_is_refused(tmp_path):
    """A text with the wrong name is not an atlas."""
    (tmp_path / "net.atlas").write_text("no atlas")
    result = run("summary", "net.atlas")
    assert result.exit_code == 2
    assert "net.atlas" in result.stderr


def test_an_interrupt_from_inside_ends_in_one_line():
    """130 is what a shell says of a command ended by Ctrl-C."""
    result = run("summary", "net.py:Stopped", "-i", "3,4")
    assert result.exit_code == 130
    assert result.stderr.endswith("Interrupted.\n")
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_a_long_run_in_one_line():
    """A real signal, while the model runs."""
    process = start("summary", "net.py:Slow", "-i", "3,4")
    for line in process.stderr:
        if line == "waiting\n":
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (130, "Interrupted.\n")


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    """``torchatlas summary … | head -1`` ends without a word about a broken pipe."""
    assert run("save", "net.py:Deep", "-i", "1,1", "-o", "deep.atlas").exit_code == 0
    process = start("summary", "deep.atlas", "--no-fold", "--depth", "2")
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=20) == 0


def test_what_programs_read_is_utf8_whatever_the_terminal_shows():
    """As in a file; the table has other signs for letters that cannot be shown."""
    net = nn.Sequential()
    net.add_module("層", nn.Linear(1, 1))
    ta.capture(net, torch.ones(1, 1)).save("net.atlas")
    told = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for form in ("csv", "html", "text"):
        process = start("summary", "net.atlas", "--format", form, env=told, encoding="utf-8")
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert ("\\u5c64" if form == "text" else "層") in out


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes it")
def test_without_a_standard_output_a_file_is_still_written(tmp_path):
    """Whoever starts a program may have closed it."""
    assert run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    line = f"{shlex.quote(sys.executable)} -m torchatlas draw net.atlas -o net.dot >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", line], check=False).returncode == 0
    assert (tmp_path / "net.dot").exists()


def test_version_is_the_packages():
    """For a bug report."""
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"torchatlas {ta.__version__}\n")


@pytest.mark.parametrize("command", ["summary", "draw", "save"])
def test_help_gives_examples_and_exit_codes(command):
    """Lines stay lines, each on its own."""
    shown = run(command, "--help").stdout
    assert f"\n    torchatlas {command} torchvision.models:resnet18 --input 1,3,224,224" in shown
    assert "\n    1    the model failed" in shown


def test_completion_can_be_installed():
    """Shells complete commands and options."""
    assert "--install-completion" in run("--help").stdout
    process = start(
        env={**os.environ, "_TORCHATLAS_COMPLETE": "complete_bash", "COMP_WORDS": "torchatlas s", "COMP_CWORD": "1"}
    )
    assert set(process.communicate(timeout=20)[0].split()) == {"summary", "show", "save", "skeleton"}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_a_wait_at_a_terminal_is_shown_and_wiped(monkeypatch):
    """After a moment a line names what runs and for how long."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with waiting("Running net.py:Net", after=0):
        time.sleep(0.2)
    assert "Running net.py:Net" in sys.stderr.getvalue()
    assert "0:00:00" in sys.stderr.getvalue()


def test_a_short_wait_shows_nothing(monkeypatch):
    """Nothing flickers for a small model."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with waiting("Running net.py:Net"):
        pass
    assert sys.stderr.getvalue() == ""
