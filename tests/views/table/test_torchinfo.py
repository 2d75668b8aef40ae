"""``style="torchinfo"`` against torchinfo itself, whole text, and where it differs on purpose."""

from __future__ import annotations

import re

import pytest
import torch
import torchinfo
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from torchatlas.views.table.summary import summarize
from torchvision_cpu import torchvision_models
from views.table import nets
from views.table.test_text_page import Screen

COLUMNS = {
    "input": "input_size",
    "output": "output_size",
    "params": "num_params",
    "share": "params_percent",
    "kernel": "kernel_size",
    "mult_adds": "mult_adds",
    "trainable": "trainable",
}
VISION = ["alexnet", "resnet18", "vgg11_bn", "squeezenet1_0", "mobilenet_v2", "shufflenet_v2_x0_5", "densenet121"]
# The tool writes the name of a class where it means a unit, under Python 3.11 and later.
UNITS = {"Units.TERABYTES": "T", "Units.GIGABYTES": "G", "Units.MEGABYTES": "M"}


def theirs(model, x=None, **options):
    """What torchinfo prints."""
    text = str(torchinfo.summary(model, input_data=x, verbose=0, **options))
    return re.sub("|".join(UNITS), lambda unit: UNITS[unit.group()], text)


def ours(model, x=None, **options):
    """What we print in its place."""
    atlas = ta.capture(model) if x is None else ta.capture(model, x)
    return atlas.summary(style="torchinfo", **options).text()


def changed(model, x, **options):
    """Lines of theirs that ours does not have, and the other way round; none of them in another place."""
    columns = options.pop("columns", ["output", "params"])
    one = theirs(model, x, col_names=[COLUMNS[name] for name in columns], **options).split("\n")
    other = ours(model, x, columns=columns, **options).split("\n")
    assert len(one) == len(other)
    return [(a.split(), b.split()) for a, b in zip(one, other, strict=True) if a != b]


@pytest.fixture(scope="module", params=VISION)
def vision(request):
    """A model of torchvision."""
    return getattr(torchvision_models(), request.param)().eval()


def test_convolutional_networks_print_the_same(vision):
    """Every character, with the columns and the depth of a plain call."""
    x = torch.rand(1, 3, 224, 224)
    assert ours(vision, x) == theirs(vision, x)


@pytest.mark.parametrize("depth", [1, 2, 9])
def test_all_columns_print_the_same_at_every_depth(vision, depth):
    """In the order that was asked for; on two images."""
    x = torch.rand(2, 3, 96, 96)
    assert ours(vision, x, depth=depth, columns=list(COLUMNS)) == theirs(
        vision, x, depth=depth, col_names=list(COLUMNS.values())
    )


def test_guides_can_be_ascii(vision):
    """For a terminal whose encoding has no others; as that tool draws them when it is asked to."""
    x = torch.rand(1, 3, 96, 96)
    screen = Screen("latin-1")
    ta.capture(vision, x).summary(style="torchinfo").print(screen)
    screen.flush()
    printed = "\n".join(line.rstrip() for line in screen.buffer.getvalue().decode("latin-1").splitlines())
    assert printed == theirs(vision, x, row_settings=("depth", "ascii_only"))


def test_a_structure_prints_the_same(vision):
    """Without a run."""
    assert ours(vision) == theirs(vision)


def test_known_totals_are_printed():
    """Those that everybody knows: ResNet-18, VGG-11 with batch norm, and the network of the MNIST tutorials."""
    models = torchvision_models()
    resnet = ours(models.resnet18(), torch.rand(1, 3, 224, 224))
    assert "Total params: 11,689,512\n" in resnet
    assert "Total mult-adds (G): 1.81\n" in resnet
    assert "Total params: 132,868,840\n" in ours(models.vgg11_bn())
    assert "Total params: 21,840\n" in ours(nets.Mnist(), torch.rand(1, 1, 28, 28))


class Stack(nn.Module):
    """Containers that are never called, a module used twice, frozen and partly frozen parts."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)}) for _ in range(2))
        self.twice = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
        self.layers[0]["a"].requires_grad_(requires_grad=False)
        self.layers[1]["b"].bias.requires_grad_(requires_grad=False)

    def forward(self, x):
        for layer in self.layers:
            x = layer["b"](layer["a"](x))
        return self.twice(self.twice(x))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_containers_and_repeated_modules_print_the_same(depth):
    """In what order, under which container, counted when. Mult-adds of uncalled containers are given beside."""
    columns = [name for name in COLUMNS if name != "mult_adds"]
    assert changed(Stack(), torch.rand(2, 4), depth=depth, columns=columns) == []
    assert ours(Stack()) == theirs(Stack())


def test_a_recurrent_layer_prints_the_same():
    """One layer, one direction: every weight once per sample and step."""
    columns = list(COLUMNS)
    assert changed(nn.LSTM(4, 5, batch_first=True), torch.rand(2, 3, 4), columns=columns) == []


def test_tied_weights_count_once():
    """There they count twice."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 4)
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, words):
            return self.head(self.embed(words)[:, 0])

    words = torch.zeros(1, 3, dtype=torch.long)
    assert "Total params: 80\n" in theirs(Tied(), words)
    text = ours(Tied(), words)
    assert "Total params: 40\n" in text
    assert re.search(r"Linear: 1-2 +\[1, 10\] +\(recursive\)\n", text)


def test_linear_layers_count_every_position():
    """There they count one: 7 positions of 2 samples make 14 products of 3 by 5, not 2."""
    difference = changed(nn.Linear(3, 5), torch.rand(2, 7, 3), columns=["mult_adds"])
    assert difference[0] == (["Linear", "40"], ["Linear", f"{14 * 15}"])


def test_attention_counts():
    """Projections and products of functions stand in the row around them, and in the total."""
    model, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.rand(1, 5, 8)
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    macs = 5 * 8 * 24 + 5 * 8 * 8 + 2 * 5 * 5 * 8
    with torch.no_grad():
        atlas = ta.capture(model, (x, x, x))
    row = atlas.summary(style="torchinfo", columns=["mult_adds"]).text().split("\n")[3]
    assert row.split() == ["MultiheadAttention", f"{macs:,}"]
    total = re.search(r"Total mult-adds \(M\): ([\d.]+)", ours(net, x)).group(1)
    assert float(total) == round((macs + 2 * 5 * 8 * 16) / 1e6, 2)


def test_own_parameters_of_containers_have_a_size():
    """There ``Params size`` leaves them out."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1000, 100))
            self.fc = nn.Linear(100, 100)

        def forward(self, x):
            return self.fc(x + self.token[0])

    (_, size), (_, total) = changed(Own(), torch.rand(1, 100))
    assert size == ["Params", "size", "(MB):", "0.44"]
    assert total[-1] == "0.44"


def test_a_function_has_no_such_table():
    """It lists modules; the message says what to do."""
    with pytest.raises(InputError, match="Leave style out"):
        ta.capture(torch.sin, torch.rand(2)).summary(style="torchinfo").text()


@pytest.mark.parametrize("graph", [nets.decoder, nets.unrolled, nets.failing])
def test_the_rows_add_up_to_the_total(graph):
    """A parameter stands in one row."""
    rows, totals = (
        summarize(graph(), style="torchinfo", depth=9, columns=["params"]).text().split("=\n", 2)[2].split("=\n", 1)
    )
    cells = [line.split()[-1].replace(",", "") for line in rows.split("\n")[:-1]]
    assert totals.startswith(f"Total params: {sum(int(cell) for cell in cells if cell.isdigit()):,}\n")
