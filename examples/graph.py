"""A graph network in plain torch: nodes exchange messages along edges, two rounds of it.

Source: Gilmer et al., "Neural Message Passing for Quantum Chemistry", 2017.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Round(nn.Module):
    """Every node takes up what the nodes with an edge to it send."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.send = nn.Linear(width, out)
        self.keep = nn.Linear(width, out)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        received = torch.zeros(len(x), self.send.out_features)
        received.index_add_(0, target, self.send(x)[source])
        return self.keep(x) + received


class GraphNet(nn.Module):
    """Features of the nodes of a graph, from a batch with ``x`` (nodes, width) and ``edge_index`` (2, edges)."""

    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.first = Round(width, 16)
        self.second = Round(16, classes)

    def forward(self, batch: Any) -> Tensor:
        h = self.first(batch.x, batch.edge_index).relu()
        return self.second(h, batch.edge_index)
