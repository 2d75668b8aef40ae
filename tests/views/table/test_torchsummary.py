"""``style="torchsummary"`` against torchsummary itself, whole text, and where it differs on purpose."""

from __future__ import annotations

import re

import pytest
import torch
import torchsummary
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from torchvision_cpu import torchvision_models
from views.table import nets

VISION = ["alexnet", "resnet18", "vgg11_bn", "squeezenet1_0", "mobilenet_v2", "shufflenet_v2_x0_5", "efficientnet_b0"]


def ours(model, *inputs):
    """What we print."""
    return ta.capture(model, inputs).summary(style="torchsummary").text()


@pytest.fixture
def theirs(capsys):
    """What torchsummary prints for a model and the shape of a sample."""

    def printed(model, shape):
        torchsummary.summary(model.eval(), shape, device="cpu")
        return capsys.readouterr().out.rstrip("\n")

    return printed


@pytest.mark.parametrize("name", VISION)
def test_convolutional_networks_print_the_same(theirs, name):
    """Every character, whatever the batch."""
    model = getattr(torchvision_models(), name)()
    assert ours(model, torch.rand(1, 3, 224, 224)) == theirs(model, (3, 224, 224))
    assert ours(model, torch.rand(3, 3, 64, 64)) == theirs(model, (3, 64, 64))


def test_the_network_of_the_tutorials_prints_the_same(theirs):
    """With 21,840 parameters."""
    text = ours(nets.Mnist(), torch.rand(1, 1, 28, 28))
    assert text == theirs(nets.Mnist(), (1, 28, 28))
    assert "Total params: 21,840\n" in text


def test_all_parameters_count(theirs):
    """There a recurrent layer has none, since none is called ``weight``."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRUCell(4, 5)
            self.out = nn.Linear(5, 1)

        def forward(self, x):
            return self.out(self.rnn(x))

    count = sum(parameter.numel() for parameter in Net().parameters())
    assert "Total params: 6\n" in theirs(Net(), (4,))
    assert f"Total params: {count}\n" in ours(Net(), torch.rand(2, 4))


def test_a_module_used_twice_counts_once(theirs):
    """There its parameters count for every call."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return self.fc(self.fc(x))

    assert "Total params: 40\n" in theirs(Net(), (4,))
    text = ours(Net(), torch.rand(2, 4))
    assert "Total params: 20\n" in text
    assert re.findall(r"Linear-\d +\[-1, 4\] +(\d+)", text) == ["20", "0"]


def test_several_results_are_listed():
    """And each counts: 2 x (3 x 5 + 5 + 5) numbers of four bytes a sample."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(4, 5, batch_first=True)

        def forward(self, x):
            return self.rnn(x)[0]

    text = ours(Net(), torch.rand(1, 3, 4))
    assert "LSTM-1  [[-1, 3, 5], [-1, 1, 5], [-1, 1, 5]]" in text


def test_only_runs_of_modules_have_such_a_table():
    """Each message says what to do."""
    with pytest.raises(InputError, match="Give an input"):
        ta.capture(nets.Mnist()).summary(style="torchsummary").text()
    with pytest.raises(InputError, match="Leave style out"):
        ta.capture(torch.sin, torch.rand(2)).summary(style="torchsummary").text()
