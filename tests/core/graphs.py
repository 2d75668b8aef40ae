"""Graphs for tests: small ones written by hand, and big ones shaped as real models are.

``core.strategies`` draws arbitrary ones.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from math import prod
from random import Random
from typing import TYPE_CHECKING, get_args

from torchatlas.core.graph import (
    Arithmetic,
    Call,
    Graph,
    Module,
    Node,
    Provenance,
    Slot,
    Source,
    Tree,
    Value,
    ValueKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Recorder:
    """A graph in the making: leaves first, then calls in the order they begin."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[Value] = []
        self.calls: list[Call] = []
        self.modules: list[Module] = []
        self.running: list[int] = []

    def leaf(self, kind: ValueKind, name: str, shape: Sequence[int]) -> int:
        """Add a value that no call makes."""
        return self._value(kind, (name,), shape)

    def module(self, path: str, name: str, parameters: Iterable[int] = (), **settings: Tree) -> None:
        """Add a module that owns these parameters."""
        owned = tuple((self.values[value].names[0].rpartition(".")[2], value) for value in parameters)
        self.modules.append(Module(path, name, parameters=owned, settings=tuple(settings.items())))

    def begin(self, name: str, inputs: Sequence[int] = (), path: str | None = None, **details: object) -> int:
        """Begin a call inside the one that runs; ``details`` are fields of Call, ``constants`` further arguments."""
        constants: dict[str, Tree] = dict(details.pop("constants", {}))
        keys = (*(f"input{position}" for position in range(len(inputs))), *constants)
        arguments = Node("arguments", keys, (*map(Slot, range(len(inputs))), *constants.values()))
        call = Call(
            id=len(self.calls),
            kind="module" if path is not None else "aten" if name.startswith("aten.") else "function",
            name=name,
            path=path,
            parent=self.running[-1] if self.running else None,
            inputs=tuple(inputs),
            arguments=arguments,
            **details,
        )
        self.calls.append(call)
        self.running.append(call.id)
        return call.id

    def end(self, outputs: Sequence[int] = ()) -> None:
        """End the call that runs."""
        call = self.running.pop()
        slots = tuple(map(Slot, range(len(outputs))))
        returns = slots[0] if len(slots) == 1 else Node("tuple", (), slots) if slots else None
        self.calls[call] = replace(self.calls[call], outputs=tuple(outputs), returns=returns)

    def made(self, shape: Sequence[int], name: str = "", slot: int = 0) -> int:
        """Add a value that the running call makes."""
        return self._value("activation", (name,) if name else (), shape, producer=self.running[-1], slot=slot)

    def call(self, name: str, inputs: Sequence[int], shape: Sequence[int], **details: object) -> int:
        """Run a whole call that makes one value."""
        self.begin(name, inputs, **details)
        value = self.made(shape)
        self.end((value,))
        return value

    def graph(self) -> Graph:
        """Give what was recorded; what the root returned are outputs."""
        for value in self.calls[0].outputs if self.calls else ():
            if self.values[value].kind == "activation":
                self.values[value] = replace(self.values[value], kind="output")
        known = Provenance(torch="2.13.0", mode="eval")
        return Graph(self.name, tuple(self.calls), tuple(self.values), tuple(self.modules), provenance=known)

    def _value(self, kind: ValueKind, names: tuple[str, ...], shape: Sequence[int], **details: int) -> int:
        position = len(self.values)
        learned = kind == "parameter"
        nbytes = 4 * prod(shape)
        self.values.append(
            Value(position, kind, names, tuple(shape), "float32", "cpu", nbytes, learned, storage=position, **details)
        )
        return position


def build(text: str) -> Graph:
    """Write a small graph by hand, one leaf or call a line, indented under the call it runs inside.

        input x 2,3
        parameter fc.weight 4,3
        Net x -> y
          Linear @fc x -> h
            F.linear x fc.weight !48 -> h 2,4
          F.dropout h p=0.5 -> y 2,4

    A leaf line is its kind, name and shape. A call line is its name, ``@path`` of a module, what it reads,
    ``constant=value``, ``!flops``, and after ``->`` what it returns. A shape stands where a value is made: a returned
    value belongs to the innermost call that returns it with a shape. The first call is the root module.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    kinds = set(get_args(ValueKind))
    recorder = Recorder("Net")
    values: dict[str, int] = {}
    waiting: list[tuple[int, list[str]]] = []
    for line in lines:
        indent, words = len(line) - len(line.lstrip()), line.split()
        if words[0] in kinds:
            values[words[1]] = recorder.leaf(words[0], words[1], _shape(words[2]))
            continue
        while waiting and waiting[-1][0] >= indent:
            recorder.end([values[name] for name in waiting.pop()[1]])
        arrow = words.index("->") if "->" in words else len(words)
        _begin(recorder, words[:arrow], values)
        waiting.append((indent, _returned(recorder, words[arrow + 1 :], values)))
    while waiting:
        recorder.end([values[name] for name in waiting.pop()[1]])
    if recorder.calls:
        recorder.name = recorder.calls[0].name
    _own_modules(recorder)
    return recorder.graph()


def _shape(word: str) -> tuple[int, ...]:
    return tuple(map(int, word.split(","))) if word != "-" else ()


def _begin(recorder: Recorder, words: list[str], values: dict[str, int]) -> None:
    path = "" if not recorder.calls else None
    inputs, constants, flops = [], {}, 0
    for word in words[1:]:
        key, equals, constant = word.partition("=")
        if word[0] == "@":
            path = word[1:]
        elif word[0] == "!":
            flops = int(word[1:])
        elif equals:
            constants[key] = _constant(constant)
        else:
            inputs.append(values[word])
    arithmetic: Arithmetic = "counted" if flops else "movement"
    recorder.begin(words[0], inputs, path, constants=constants, flops=flops, arithmetic=arithmetic)


def _constant(word: str) -> Tree:
    try:
        return ast.literal_eval(word)
    except ValueError:
        return word


def _returned(recorder: Recorder, words: list[str], values: dict[str, int]) -> list[str]:
    names: list[str] = []
    for word in words:
        if word[0].isdigit() or word == "-":
            values[names[-1]] = recorder.made(_shape(word), names[-1], slot=len(names) - 1)
        else:
            names.append(word)
    return names


def _own_modules(recorder: Recorder) -> None:
    for call in recorder.calls:
        if call.path is not None and all(module.path != call.path for module in recorder.modules):
            prefix = f"{call.path}." if call.path else ""
            owned = [
                value.id
                for value in recorder.values
                if value.kind == "parameter" and value.names[0].rpartition(".")[0] == prefix[:-1]
            ]
            recorder.module(call.path, call.name, owned)


def llama_like(layers: int, ops_per_layer: int) -> Graph:
    """Make a decoder: equal layers of submodules, each of four operations, with residual connections.

    It has ``1 + layers * (1 + submodules + ops_per_layer)`` calls, where ``submodules = ceil(ops_per_layer / 4)``.
    """
    recorder = Recorder("LlamaForCausalLM")
    blocks = -(-ops_per_layer // 4)
    recorder.module("", recorder.name)
    weights = [
        [recorder.leaf("parameter", f"model.layers.{layer}.block{block}.weight", (64, 64)) for block in range(blocks)]
        for layer in range(layers)
    ]
    stream = recorder.leaf("input", "hidden_states", (1, 16, 64))
    recorder.begin(recorder.name, (stream,), path="")
    for layer in range(layers):
        stream = _decoder_layer(recorder, f"model.layers.{layer}", stream, weights[layer], ops_per_layer)
    recorder.end((stream,))
    return recorder.graph()


def decode_like(steps: int, layers: int) -> Graph:
    """Make a run of ``generate``: steps of one token each, in which every layer makes its cache one token longer.

    It has ``1 + 2 * layers + steps * (5 + 22 * layers)`` calls.
    """
    recorder = Recorder("generate")
    vocabulary = recorder.leaf("parameter", "embed.weight", (100, 32))
    names = ("query", "key", "value", "out", "up", "down")
    weights = [[recorder.leaf("parameter", f"layers.{at}.{name}", (32, 32)) for name in names] for at in range(layers)]
    token = recorder.leaf("input", "token", (1, 1))
    recorder.begin("generate", (token,), "")
    caches = [[recorder.call("torch.zeros", (), (1, 3, 32)) for _ in range(2)] for _ in range(layers)]
    for step in range(steps):
        recorder.begin("Decoder", (token, *(value for cache in caches for value in cache)), "decoder")
        stream = recorder.call("F.embedding", (token, vocabulary), (1, 1, 32))
        for at in range(layers):
            stream, caches[at] = _decode_layer(recorder, f"decoder.layers.{at}", stream, weights[at], caches[at], step)
        logits = recorder.call("F.linear", (stream, vocabulary), (1, 1, 100))
        recorder.end((logits, *(value for cache in caches for value in cache)))
        token = recorder.call("torch.argmax", (logits,), (1, 1))
        token = recorder.call("Tensor.clone", (token,), (1, 1))
    recorder.end((token,))
    return recorder.graph()


def _decode_layer(
    recorder: Recorder, path: str, stream: int, weights: list[int], cache: list[int], step: int
) -> tuple[int, list[int]]:
    flat, length = (1, 1, 32), 4 + step
    recorder.begin("Layer", (stream, *cache), path)
    recorder.begin("Attention", (stream, *cache), f"{path}.attention")
    made = []
    for weight in weights[:3]:
        made.append(recorder.call("F.linear", (stream, weight), flat))
        made.append(recorder.call("Tensor.mul", (made.pop(),), flat))
        made.append(recorder.call("Tensor.contiguous", (made.pop(),), flat))
    grown = [
        recorder.call("torch.cat", pair, (1, length, 32), constants={"dim": 1})
        for pair in zip(cache, made[1:], strict=True)
    ]
    attended = recorder.call("F.scaled_dot_product_attention", (made[0], *grown), flat)
    attended = recorder.call("F.linear", (attended, weights[3]), flat)
    recorder.end((attended, *grown))
    stream = recorder.call("torch.add", (stream, attended), flat)
    recorder.begin("Gated", (stream,), f"{path}.gated")
    hidden = stream
    for name, *weight in (("F.linear", weights[4]), ("F.silu",), ("F.linear", weights[5]), ("F.dropout",)):
        hidden = recorder.call(name, (hidden, *weight), flat)
    recorder.end((hidden,))
    stream = recorder.call("torch.add", (stream, hidden), flat)
    recorder.end((stream, *grown))
    return stream, grown


def _decoder_layer(recorder: Recorder, path: str, stream: int, weights: list[int], ops: int) -> int:
    recorder.module(path, "LlamaDecoderLayer")
    recorder.begin("LlamaDecoderLayer", (stream,), path)
    for block, weight in enumerate(weights):
        inner = f"{path}.block{block}"
        recorder.module(inner, "LlamaBlock", (weight,), hidden_size=64, eps=1e-6, bias=False)
        recorder.begin("LlamaBlock", (stream,), inner)
        hidden = stream
        for name, inputs, shape, details in _block_ops(weight, stream)[: ops - 4 * block]:
            source = Source("/site-packages/llama/modeling_llama.py", 200 + 7 * block, 8, None, len(name))
            hidden = recorder.call(name, (hidden, *inputs), shape, source=source, **details)
        recorder.end((hidden,))
        stream = hidden
    recorder.end((stream,))
    return stream


def _block_ops(weight: int, stream: int) -> list[tuple[str, tuple[int, ...], tuple[int, ...], dict]]:
    """Give name, inputs beside the running one, shape and details of the operations of one submodule."""
    flat, heads = (1, 16, 64), (1, 16, 4, 16)
    return [
        ("F.linear", (weight,), flat, {"flops": 2 * 16 * 64 * 64, "arithmetic": "counted"}),
        ("torch.Tensor.view", (), heads, {"constants": {"size": Node("tuple", (), heads)}}),
        ("torch.flatten", (), flat, {"constants": {"start_dim": 2, "end_dim": -1}}),
        ("torch.add", (stream,), flat, {"constants": {"alpha": 1.0}, "arithmetic": "elementwise"}),
    ]


def irregular(calls: int, seed: int = 0) -> Graph:
    """Make a program without repeats: random operations, nesting, wiring, shapes, constants and sources."""
    random = Random(seed)  # noqa: S311 - the same graph every time, no secret
    recorder = Recorder("Program")
    recorder.module("", recorder.name)
    recent = [recorder.leaf("parameter", f"layer{number}.weight", (number, 3)) for number in range(calls // 50)][-20:]
    recent.append(recorder.leaf("input", "x", (8, 3)))
    recorder.begin(recorder.name, recent[-1:], path="")
    while len(recorder.calls) < calls:
        if len(recorder.running) > 1 and random.random() < 0.1:
            recorder.end(recent[-1:])
        recent = [*recent[-30:], *_random_call(recorder, random, recent)]
    while recorder.running:
        recorder.end(recent[-1:])
    return recorder.graph()


def _random_call(recorder: Recorder, random: Random, recent: list[int]) -> list[int]:
    inputs = random.choices(recent, k=random.randint(1, 3))
    constants: dict[str, Tree] = {"scale": random.random(), "dim": random.randint(-4, 4)}
    source = Source(f"/home/user/model{random.randint(0, 20)}.py", random.randint(1, 2000), 4 * random.randint(1, 9))
    recorder.begin(
        f"torch.op{random.randint(0, 60)}",
        inputs,
        constants=dict(random.sample(list(constants.items()), random.randint(0, 2))),
        flops=random.randint(0, 10**9),
        arithmetic="counted",
        source=source,
    )
    if random.random() < 0.1:
        return []
    shapes = [random.choices(range(1, 512), k=random.randint(1, 4)) for _ in range(random.randint(1, 2))]
    outputs = [recorder.made(shape, slot=slot) for slot, shape in enumerate(shapes)]
    recorder.end(outputs)
    return outputs
