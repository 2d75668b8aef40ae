"""A graph as the JSON that Model Explorer opens: https://github.com/google-ai-edge/model-explorer.

One collection of graphs; a backward pass comes with the run that it belongs to. The records are those of its Python
package's ``graph_builder``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchatlas.files import atomic
from torchatlas.writers.facts import Facts, shaped
from torchatlas.writers.nodes import nodes_of

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from torchatlas.core.graph import Graph
    from torchatlas.writers.nodes import Node, Nodes

SLASH = "\N{DIVISION SLASH}"
"""Stands for a slash inside a name, which would begin another scope."""


def write(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write a ``.json`` file for Model Explorer; what stood there is replaced only when all is written.

    Raises:
        InputError: the graph is not well formed.
        FileError: it cannot be written.
    """
    return atomic.write(path, to_json(graph).encode())


def to_json(graph: Graph) -> str:
    """The text of the file, of ASCII alone; the same graph always gives the same.

    Raises:
        InputError: the graph is not well formed.
    """
    graphs = [_graph(graph, graph.name)]
    if graph.forward is not None:
        graphs.append(_graph(graph.forward, f"{graph.forward.name} (forward)"))
    return json.dumps({"label": graph.name, "graphs": graphs}, separators=(",", ":"))


def _graph(graph: Graph, name: str) -> dict[str, Any]:
    nodes = nodes_of(graph, lambda word: word.replace("/", SLASH) or "_")
    facts = Facts(graph)
    scopes = dict.fromkeys((*nodes.modules, *nodes.calls))
    attributes = {scope: facts.of_scope(nodes.calls.get(scope), nodes.modules.get(scope)) for scope in scopes}
    attributes.setdefault("", {})
    for at, note in enumerate(graph.notes):
        attributes[""][f"note {at + 1}"] = note.text
    return {
        "id": name or "graph",
        "nodes": [_node(graph, nodes, node, facts) for node in nodes.nodes],
        "groupNodeAttributes": attributes,
    }


def _node(graph: Graph, nodes: Nodes, node: Node, facts: Facts) -> dict[str, Any]:
    read = [graph.values[edge.value] for edge in node.reads]
    made = [graph.values[value] for value in node.makes]
    call = graph.calls[node.at] if node.kind == "call" else None
    words = facts.tensors(call) if call is not None and len(call.inputs) == len(read) else [""] * len(read)
    return {
        "id": node.name,
        "label": node.label or node.kind,
        "namespace": node.scope,
        "attrs": _pairs(facts.of_node(node)),
        "incomingEdges": [
            {
                "sourceNodeId": nodes.nodes[edge.node].name,
                "sourceNodeOutputId": str(edge.slot),
                "targetNodeInputId": str(at),
            }
            for at, edge in enumerate(node.reads)
        ],
        "inputsMetadata": [
            {"id": str(at), "attrs": _pairs({"__tensor_tag": word, "tensor_shape": shaped(value)})}
            for at, (value, word) in enumerate(zip(read, words, strict=True))
        ],
        "outputsMetadata": [
            {"id": str(at), "attrs": _pairs({"tensor_shape": shaped(value), "device": value.device})}
            for at, value in enumerate(made)
        ],
    }


def _pairs(facts: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": fact} for key, fact in facts.items() if fact]
