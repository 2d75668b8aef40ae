"""Groups in the table: rows of their own, with sums, and what is in them below."""

from __future__ import annotations

import torch
from torch import nn

import torchatlas as ta
from torchatlas.views.table.rows import rows_of


def layers(count):
    """Convolutions with their norms, one after the other, and a last layer that uses the first weights again."""
    made = [nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(count)]
    return ta.capture(nn.Sequential(*made), torch.zeros(2, 4, 8, 8))


def told(atlas, **options):
    """Label, type and count of every row."""
    return [(row.label, row.type, row.count) for row in rows_of(atlas.graph, **options)]


def test_a_group_has_a_row():
    """Of the type ``group``, with the modules in it below, under their names as seen from the module around."""
    assert told(layers(1).fold("BatchNorm > Relu", "Normed"))[2:] == [
        ("0", "Conv2d", 1),
        ("Normed", "group", 1),
        ("1", "BatchNorm2d", 1),
        ("2", "ReLU", 1),
    ]


def test_repeats_are_one_row_whether_put_together_or_not():
    """The group that only holds repeats is not said twice."""
    atlas = layers(4).fold("Conv > BatchNorm > Relu", "Layer")
    assert told(atlas)[1] == ("Layer", "group", 4)
    assert told(atlas.fold_repeats()) == told(atlas)
    whole = rows_of(atlas.fold_repeats().graph, fold=False)[1]
    assert (whole.label, whole.type, whole.repeats, whole.count) == ("Layer", "group", 4, 1)


def test_a_group_has_the_sum_of_what_is_in_it():
    """Of parameters and of operations, over all its repeats."""
    atlas = layers(4).fold("Conv > BatchNorm > Relu", "Layer")
    summed = [row for row in atlas.summary(columns=["name", "params", "mult_adds"]).rows if row.label == "Layer"]
    assert [len(row.calls) for row in summed] == [4]
    text = str(atlas.summary(columns=["name", "params", "mult_adds"]))
    assert f"{4 * (20 + 8)}" in next(line for line in text.splitlines() if "Layer x4" in line)


def test_shared_weights_count_once_in_a_group():
    """Also where the same group runs again."""
    shared = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    atlas = ta.capture(nn.Sequential(shared, shared, shared), torch.zeros(2, 4, 8, 8))
    text = str(atlas.fold("Conv > BatchNorm > Relu", "Layer").summary(columns=["name", "params"]))
    assert next(line for line in text.splitlines() if "Layer" in line).split()[-1] == "28"


def test_tables_of_others_list_the_modules_inside():
    """Groups are no modules: these tables are as they were."""
    atlas = layers(3)
    made = atlas.fold("Conv > BatchNorm > Relu", "Layer").fold_repeats()
    for style in ("torchinfo", "torchsummary"):
        assert str(made.summary(style=style)) == str(atlas.summary(style=style))


def test_the_table_of_groups_is_golden(golden):
    """Names, types, shapes and sums."""
    atlas = layers(3).fold("Conv > BatchNorm > Relu", "Layer").fold_repeats()
    golden("groups.txt", atlas.summary().text(100))
