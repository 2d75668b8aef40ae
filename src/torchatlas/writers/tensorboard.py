"""A graph as a TensorBoard event file: a GraphDef, in which TensorBoard opens the modules as scopes.

The format is that of https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/graph.proto, in the
records of https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto. It needs the
``tensorboard`` package, and neither TensorFlow nor torch.
"""

from __future__ import annotations

import io
import os
import re
import socket
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError, MissingError
from torchatlas.files import atomic
from torchatlas.writers.facts import Facts, shaped
from torchatlas.writers.nodes import nodes_of

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.writers.nodes import Node, Nodes

MARK = "tfevents"
"""What the name of an event file holds, by which TensorBoard finds it."""

OPS = {
    "input": "Placeholder",
    "parameter": "Parameter",
    "buffer": "Buffer",
    "constant": "Const",
    "activation": "Tensor",
    "output": "Output",
}
FOREIGN = re.compile(r"[^A-Za-z0-9_.\-]")
NUMBERS = count()


def write(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write an event file into a folder, which is made if it is not there, or to a path whose name has ``tfevents``.

    Returns:
        The event file.

    Raises:
        InputError: the graph is not well formed.
        MissingError: ``tensorboard`` is not installed.
        FileError: it cannot be written.
    """
    data = events(graph)
    place = Path(path)
    if place.is_dir() or MARK not in place.name:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{place} cannot be made a folder: {error.strerror}. Give one for event files.") from error
        host = FOREIGN.sub("_", socket.gethostname())
        place /= f"events.out.{MARK}.{int(time.time()):010d}.{host}.{os.getpid()}.{next(NUMBERS)}"
    return atomic.write(place, data)


def events(graph: Graph) -> bytes:
    """The content of an event file.

    Raises:
        InputError: the graph is not well formed.
        MissingError: ``tensorboard`` is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - optional
        from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingError(
            "An event file needs tensorboard, which is not installed: pip install torchatlas[tensorboard]"
        ) from error
    now = time.time()
    held = graph_def(graph).SerializeToString()
    file = io.BytesIO()
    records = RecordWriter(file)
    for event in (Event(wall_time=now, file_version="brain.Event:2"), Event(wall_time=now, graph_def=held)):
        records.write(event.SerializeToString())
    return file.getvalue()


def graph_def(graph: Graph) -> Any:
    """The graph as a ``tensorboard.compat.proto.graph_pb2.GraphDef``."""
    from tensorboard.compat.proto.graph_pb2 import GraphDef  # noqa: PLC0415 - optional

    made = GraphDef()
    made.versions.producer = 22
    nodes = nodes_of(graph, _clean)
    facts = Facts(graph)
    for node in nodes.nodes:
        _put(made.node.add(), graph, nodes, node, facts)
    return made


def _clean(word: str) -> str:
    """What TensorFlow lets stand in a name; it begins with a letter, a digit or a dot."""
    cleaned = FOREIGN.sub("_", word)
    return cleaned if cleaned[:1].isalnum() else f".{cleaned}"


def _put(record: Any, graph: Graph, nodes: Nodes, node: Node, facts: Facts) -> None:
    """One NodeDef."""
    record.name = node.name
    record.op = _text(OPS.get(node.kind, graph.calls[node.at].name if node.kind == "call" else node.label))
    for edge in node.reads:
        name = nodes.nodes[edge.node].name
        record.input.append(f"{name}:{edge.slot}" if edge.slot else name)
    values = [graph.values[value] for value in node.makes]
    if values:
        record.device = _text(values[0].device)
        shapes = record.attr["_output_shapes"].list
        for value in values:
            shape = shapes.shape.add()
            for size in value.shape:
                shape.dim.add(size=min(size, 2**63 - 1))
        record.attr["outputs"].s = _text(", ".join(map(shaped, values))).encode()
    for key, fact in facts.of_node(node).items():
        record.attr[_text(key)].s = _text(fact).encode()


def _text(words: str) -> str:
    """Without halves of characters, which UTF-8 cannot write."""
    return words.encode(errors="replace").decode()
