r"""Whether weights fit a model: which keys ``load_state_dict`` takes, and which renaming would make more of them fit.

Weights that were saved from ``DataParallel(model)``:

    model      fc.weight (2, 3)           missing       fc.weight
    weights    module.fc.weight (2, 3)    unexpected    module.fc.weight
                                          rules         ^module\. -> nothing, after which 1 key fits

If the model is at hand, it is asked (`LoadResult`); if not, names and shapes decide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchatlas.core.comparing.load_result import LoadResult, NotAsked
from torchatlas.core.comparing.renaming import Rule, renamed, rules_for
from torchatlas.core.comparing.tied_keys import tied_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torchatlas.core.graph import Graph, Value

Shape = tuple[int, ...]

LISTED = 6
"""Keys that are listed in code; of more, a condition says which."""
BY_SHAPE = """\
def shape(held):
    return getattr(held, "shape", None)  # an extra state has none

state = {key: held for key, held in state.items() if key not in own or shape(held) == shape(own[key])}"""
NAMED = 3
"""Keys that are named in a comment of the code."""

COUNTER = "num_batches_tracked"
"""What ``BatchNorm`` itself puts into weights without a version, as files hold them that are no pickles of torch."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to do after a renaming, so that weights load as far as they go.

    Attributes:
        missing: keys of the model that the renamed weights lack.
        unexpected: renamed keys that the model lacks.
        unfit: renamed keys that cannot be loaded: of another shape, or no tensors.
        by_shape: all of these are tensors of another shape.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    by_shape: bool = True

    @property
    def empty(self) -> bool:
        """Whether ``load_state_dict(strict=True)`` takes the renamed weights."""
        return not (self.missing or self.unexpected or self.unfit)


@dataclass(frozen=True, slots=True)
class Loading:
    """How weights fit a model.

    Attributes:
        fitting: keys of the weights that are loaded; where the model was not asked, those of both in one shape.
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
        taken: how ``load_state_dict(strict=True)`` ended on a copy of the model; None where it was not asked.
        errors: what it says besides keys and shapes.
        unasked: why loading was not tried on the model; the record is then inferred from names and shapes.
        inside: where the weights stand in the file, as Python writes it: ``['state_dict']``.
        joined: the weights are dictionaries inside a dictionary, and are joined before they are renamed.
        arrays: some are arrays of NumPy, which are made tensors before they are renamed.
        rest: what is left to do after the renaming; None where they cannot be loaded then either.
    """

    fitting: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    unfit: tuple[tuple[str, Shape, Shape], ...]
    unsaved: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    mended: int = 0
    tied: tuple[tuple[str, str], ...] = ()
    taken: bool | None = None
    errors: tuple[str, ...] = ()
    unasked: str = ""
    inside: str = ""
    joined: bool = False
    arrays: bool = False
    rest: Rest | None = None

    @property
    def passes(self) -> bool:
        """Whether ``load_state_dict(strict=True)`` takes the weights: as the model says, or as names and shapes do."""
        return not (self.missing or self.unexpected or self.unfit) if self.taken is None else self.taken

    @property
    def text(self) -> str:
        """The renaming and what is left to do, as Python code that ends in a load; empty where there is none."""
        return code(self.rules, self.rest, joined=self.joined, arrays=self.arrays)


def loading(model: Graph, weights: Graph, result: LoadResult | NotAsked | None = None) -> Loading:
    """Say how weights fit a model.

    Args:
        model: with or without a run.
        weights: what a file, or another model, holds.
        result: how loading it into a copy of the model ended; without it, names and shapes decide.
    """
    if isinstance(result, LoadResult):
        return _tried(model, weights, result)
    why = "" if result is None else result.why
    wanted, given = tensors(model), tensors(weights)
    shapes = {key: value.shape for key, value in given.items()}
    targets = {key: value.shape for key, value in wanted.items()}
    fitting = tuple(key for key in targets if shapes.get(key) == targets[key])
    absent = [key for key in targets if key not in shapes]
    doubtful = {key for key in absent if _maybe_unsaved(key, wanted, given)}
    found = Loading(
        fitting=fitting,
        missing=tuple(key for key in absent if key not in doubtful),
        unexpected=tuple(key for key in shapes if key not in targets),
        unfit=tuple(
            (key, targets[key], shapes[key]) for key in targets if shapes.get(key, targets[key]) != targets[key]
        ),
        unsaved=tuple(key for key in absent if key in doubtful),
        unasked=why,
    )
    return _with_rules(found, wanted, targets, shapes, doubtful)


def _tried(model: Graph, weights: Graph, result: LoadResult) -> Loading:
    """The record of a load that was tried: the keys are those that the model listed."""
    shapes = {key: value.shape for key, value in tensors(weights).items()}
    targets = {key: shape for key, shape in result.saved if shape is not None}
    wrong = {*result.missing, *result.unexpected, *result.refused(shapes)}
    saved = {key for key, _ in result.saved}  # of any shape: a lazy layer takes the file's
    found = Loading(
        fitting=tuple(key for key in shapes if key not in wrong and (result.taken or key in saved)) if saved else (),
        missing=result.missing,
        unexpected=result.unexpected,
        unfit=result.unfit,
        unsaved=tuple(
            key for key in targets if result.taken and key not in shapes and key.rpartition(".")[2] == COUNTER
        ),
        taken=result.taken,
        errors=result.errors,
    )
    return _with_rules(found, tensors(model), targets, shapes, set())


def _with_rules(
    found: Loading,
    wanted: Mapping[str, Value],
    targets: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    spared: Collection[str],
) -> Loading:
    """With the renaming that mends most, what is left after it by names and shapes, and which of it is tied."""
    if found.passes:
        return found
    rules = rules_for(targets, shapes)
    after = renamed(shapes, rules)
    fitting = sum(shapes.get(key) == shape for key, shape in targets.items())
    mended = sum(after.get(key) == shape for key, shape in targets.items()) - fitting
    missing = [key for key in found.missing if key in wanted]
    found = replace(found, tied=tied_keys(missing, wanted, after.keys() | shapes.keys()))
    if mended <= 0:
        return found
    rest = Rest(
        tuple(key for key in targets if key not in after and key not in spared),
        tuple(key for key in after if key not in targets),
        tuple(key for key, shape in after.items() if targets.get(key, shape) != shape),
    )
    return replace(found, rules=rules, mended=mended, rest=rest)


def _maybe_unsaved(key: str, wanted: Mapping[str, Value], given: Mapping[str, Value]) -> bool:
    """A buffer that the weights hold nowhere, by its last name."""
    last = key.rpartition(".")[2]
    if wanted[key].kind != "buffer":
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
        if held.is_weight:
            found |= {name: held for name in held.names if name not in found}
    return found


JOINING = """\
def joined(parts, before=""):
    for key, held in parts.items() if hasattr(parts, "items") else enumerate(parts):
        if hasattr(held, "items") or isinstance(held, (list, tuple)):
            yield from joined(held, f"{before}{key}.")
        else:
            yield f"{before}{key}", held

state = dict(joined(state))
"""


ARRAYS = """\
state = {key: torch.as_tensor(held) if type(held).__name__ == "ndarray" else held for key, held in state.items()}
"""


def code(rules: Collection[Rule], rest: Rest | None, *, joined: bool = False, arrays: bool = False) -> str:
    """Rules as Python, and the load that they lead to."""
    first = (f"{JOINING}\n" if joined else "") + (ARRAYS if arrays else "")
    if not rules:
        alone = arrays or (joined and rest is not None)  # what else there is to do
        return ("import torch\n\n" if arrays else "") + first + _load(rest) if alone else ""
    listed = "".join(
        f"    ({_quoted(rule.pattern)}, {_quoted(rule.replacement)}),  # {_rule_comment(rule)}\n" for rule in rules
    )
    return (
        "import re\n\n"
        + ("import torch\n\n" if arrays else "")
        + first
        + f"for old, new in [\n{listed}]:\n"
        + "    state = {re.sub(old, new, key): tensor for key, tensor in state.items()}\n"
        + _load(rest)
    )


def _load(rest: Rest | None) -> str:
    """The last lines: a strict load, or one that leaves out what does not fit and says so."""
    if rest is None:
        return "# load_state_dict does not take what comes of this, in part either\n"
    if rest.empty:
        return "model.load_state_dict(state)\n"
    lines = []
    if rest.by_shape and len(rest.unfit) > LISTED:
        lines += [f"own = model.state_dict()  # {len(rest.unfit):,} are of another shape", BY_SHAPE]
    elif rest.unfit:
        lines += [f"for key in ({', '.join(map(json.dumps, rest.unfit))},):  # they do not fit", "    del state[key]"]
    counts = [(rest.missing, "stay as they are in the model"), (rest.unexpected, "of the weights are not used")]
    comments = [f"{len(keys):,} {words}: {_some(keys)}" for keys, words in counts if keys]
    lines += [f"# {each}" for each in comments]
    lines += ["print(model.load_state_dict(state, strict=False))"]
    return "\n".join(lines) + "\n"


def _some(keys: Sequence[str]) -> str:
    more = ", …" if len(keys) > NAMED else ""
    return ", ".join(json.dumps(key) for key in keys[:NAMED]) + more


def _rule_comment(rule: Rule) -> str:
    keys = "1 key" if rule.keys == 1 else f"{rule.keys:,} keys"
    return keys if rule.sure else f"{keys}, by shape: check"


def _quoted(text: str) -> str:
    """As a Python string; where that can be, as a raw one, which is how patterns are read best."""
    raw = "\\" in text and '"' not in text and text.isprintable() and not text.endswith("\\")
    return f'r"{text}"' if raw else json.dumps(text)
