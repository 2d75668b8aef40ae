"""What ``load_state_dict`` would say of weights and a model: which keys fit, and how renaming could mend others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.comparing.renaming import Rule, renamed, rules_for
from torchatlas.core.comparing.tied import tied

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchatlas.core.graph import Graph, Value

Shape = tuple[int, ...]

COUNTER = "num_batches_tracked"
"""What ``BatchNorm`` itself puts into weights without a version, as files hold them that are no pickles of torch."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How weights fit a model.

    Attributes:
        fitting: keys of both, in one shape.
        missing: keys of the model that the weights lack.
        unexpected: keys of the weights that the model lacks.
        unfit: (key, shape in the model, shape in the weights) where the two differ.
        unsaved: buffers of the model that the weights lack, and that ``load_state_dict`` may do without: those that
            may never be saved, which is known only of a model and not of its atlas; and counters of batches, which
            torch makes up for weights of before there were any.
        rules: how to rename keys of the weights so that more fit, to be applied in this order.
        mended: keys that fit only after that renaming.
        tied: of the missing keys, those whose tensor the weights have under another name, each with that name:
            ``load_state_dict(strict=False)`` fills them, since the model ties the two.
    """

    fitting: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    unfit: tuple[tuple[str, Shape, Shape], ...]
    unsaved: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    mended: int = 0
    tied: tuple[tuple[str, str], ...] = ()

    @property
    def passes(self) -> bool:
        """Whether ``load_state_dict(strict=True)`` takes the weights, as far as is known."""
        return not (self.missing or self.unexpected or self.unfit)

    @property
    def text(self) -> str:
        """The renaming as Python code, to be put before ``load_state_dict``; empty where there is none."""
        return code(self.rules)


def loading(model: Graph, weights: Graph, saved: Collection[str] | None = None) -> Loading:
    """Hold the keys of weights against those of a model.

    Args:
        model: with or without a run.
        weights: what a file, or another model, holds.
        saved: the keys of the model's ``state_dict()``, where they are known; they settle which buffers are saved.
    """
    wanted, given = tensors(model), tensors(weights)
    if saved is not None:
        wanted = {key: value for key, value in wanted.items() if key in saved}
    shapes = {key: value.shape for key, value in given.items()}
    targets = {key: value.shape for key, value in wanted.items()}
    fitting = tuple(key for key in targets if shapes.get(key) == targets[key])
    absent = [key for key in targets if key not in shapes]
    doubtful = {key for key in absent if _maybe_unsaved(key, wanted, given, saved)}
    rules = rules_for(targets, shapes)
    after = renamed(shapes, rules)
    mended = sum(after.get(key) == shape for key, shape in targets.items()) - len(fitting)
    return Loading(
        fitting=fitting,
        missing=tuple(key for key in absent if key not in doubtful),
        unexpected=tuple(key for key in shapes if key not in targets),
        unfit=tuple(
            (key, targets[key], shapes[key]) for key in targets if shapes.get(key, targets[key]) != targets[key]
        ),
        unsaved=tuple(key for key in absent if key in doubtful),
        rules=rules if mended > 0 else (),
        mended=max(mended, 0),
        tied=tied([key for key in absent if key not in doubtful], wanted, after.keys() | shapes.keys()),
    )


def _maybe_unsaved(
    key: str, wanted: Mapping[str, Value], given: Mapping[str, Value], saved: Collection[str] | None
) -> bool:
    """A buffer that the weights hold nowhere, by its last name."""
    last = key.rpartition(".")[2]
    if wanted[key].kind != "buffer" or (saved is not None and last != COUNTER):
        return False
    return not any(other.rpartition(".")[2] == last for other in given)


def tensors(graph: Graph) -> dict[str, Value]:
    """Parameters and buffers by every name they have, in the order of the modules."""
    found: dict[str, Value] = {}
    for module in graph.modules:
        for name, value in (*module.parameters, *module.buffers):
            for path in (module.path, *module.aliases):
                found[f"{path}.{name}" if path else name] = graph.values[value]
    for held in graph.values:
        if held.kind in {"parameter", "buffer"}:
            found |= {name: held for name in held.names if name not in found}
    return found


def code(rules: Collection[Rule]) -> str:
    """Rules as Python."""
    if not rules:
        return ""
    listed = "".join(
        f"    ({_quoted(rule.pattern)}, {_quoted(rule.replacement)}),  # {_told(rule)}\n" for rule in rules
    )
    return (
        "import re\n\n"
        f"for old, new in [\n{listed}]:\n"
        "    state = {re.sub(old, new, key): tensor for key, tensor in state.items()}\n"
        "model.load_state_dict(state)\n"
    )


def _told(rule: Rule) -> str:
    keys = "1 key" if rule.keys == 1 else f"{rule.keys:,} keys"
    return keys if rule.sure else f"{keys}, by shape: check"


def _quoted(text: str) -> str:
    """As a Python string; where that can be, as a raw one, which is how patterns are read best."""
    raw = "\\" in text and '"' not in text and text.isprintable() and not text.endswith("\\")
    return f'r"{text}"' if raw else json.dumps(text)
