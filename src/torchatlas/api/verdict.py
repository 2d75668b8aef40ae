"""Whether a model takes weights: the model is asked where it is in hand, and told what stands in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchatlas.api.atlas import Atlas
from torchatlas.api.target import is_module
from torchatlas.core.comparing.fit import Rest, loading
from torchatlas.core.comparing.load_result import LoadResult, NotAsked
from torchatlas.core.comparing.renaming import renamed as after
from torchatlas.core.comparing.state import TensorSpec
from torchatlas.core.errors import AtlasError, InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from torchatlas.core.comparing.fit import Loading
    from torchatlas.core.graph import Graph
    from torchatlas.readers.weights.checkpoint import Checkpoint

NO_MODEL = "only a record of the model is at hand"
NO_WEIGHTS = "only a record of the weights is at hand"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file: its graph, and the weights that it was made of, if it holds nothing else."""

    graph: Graph
    checkpoint: Checkpoint | None


def opened(path: str | os.PathLike[str], key: str | None = None) -> Opened:
    """Read a file.

    Raises:
        AtlasError: as `torchatlas.open` does.
    """
    from torchatlas.readers import open as reading  # noqa: PLC0415  # the readers are loaded when asked for

    return Opened(*reading.opened(path, key))


@dataclass(frozen=True, slots=True)
class Weights:
    """A state that a model is asked to load.

    Attributes:
        state: as ``load_state_dict`` gets it.
        inside: the keys that lead to it, as Python writes them: ``['state_dict']``.
        flat: False where it holds dictionaries, whose tensors are shown under joined names.
    """

    state: Any
    inside: str = ""
    flat: bool = True


def verdict(model: Any, model_graph: Graph, weights: Any, weights_graph: Graph) -> Loading:
    """Say how weights fit a model, and which renaming mends most.

    Args:
        model: what was given as the model: a module, an atlas, a file, a function.
        model_graph: its graph.
        weights: what was given as the weights: a file that was `opened`, an atlas, a dictionary.
        weights_graph: their graph.
    """
    module, given = _module(model), _weights(weights, weights_graph)
    answer = _asked(module, given.state) if isinstance(given, Weights) else given
    if isinstance(given, NotAsked):
        return loading(model_graph, weights_graph, answer)
    found = replace(loading(model_graph, weights_graph, answer), inside=given.inside, joined=not given.flat)
    if isinstance(answer, NotAsked) or answer.taken or not isinstance(given.state, Mapping):
        return found
    renamed = _renamed(given, found)
    arrays = {key for key, item in renamed.items() if _is_array(item)}
    if not found.rules and not arrays and given.flat:
        return found
    made = {key: _tensor(item) if key in arrays else item for key, item in renamed.items()}
    return replace(found, rest=_rest(module, made), arrays=bool(arrays))


def _asked(module: Any, state: Any) -> LoadResult | NotAsked:
    if isinstance(module, NotAsked):
        return module
    from torchatlas.capture.loading.load_state import ask  # noqa: PLC0415  # torch is loaded when asked for

    return ask(module, state)


def _renamed(given: Weights, found: Loading) -> dict[Any, Any]:
    """The state after the code that is suggested."""
    state = dict(given.state if given.flat else _joined(given.state, ""))
    names = {key: next(iter(after({key: ()}, found.rules))) for key in state if isinstance(key, str)}
    return {names.get(key, key): item for key, item in state.items()}


def _is_array(item: Any) -> bool:
    return item.type == "ndarray" if isinstance(item, TensorSpec) else type(item).__name__ == "ndarray"


def _tensor(array: Any) -> Any:
    """What ``torch.as_tensor`` makes of an array."""
    if isinstance(array, TensorSpec):
        return replace(array, type="")
    import torch  # noqa: PLC0415  # torch is loaded when asked for

    return torch.as_tensor(array)


def _joined(state: Any, before: str) -> Iterator[tuple[str, Any]]:
    for key, item in state.items() if isinstance(state, Mapping) else enumerate(state):
        if isinstance(item, (Mapping, list, tuple)):
            yield from _joined(item, f"{before}{key}.")
        else:
            yield f"{before}{key}", item


def _rest(module: Any, state: dict[Any, Any]) -> Rest | None:
    """What is left to do for a state that was renamed; None where it cannot be loaded in part either."""
    first = _asked(module, state)
    if isinstance(first, NotAsked) or first.taken:
        return Rest()
    wrong = first.refused(state)
    left = {key: item for key, item in state.items() if key not in wrong}
    second = _asked(module, left) if wrong else first
    if isinstance(second, NotAsked) or second.unfit or second.errors:
        return None
    missing = tuple(key for key in second.missing if key not in wrong)
    return Rest(missing, first.unexpected, tuple(key for key in state if key in wrong), by_shape=not first.errors)


def _module(one: Any) -> Any:
    """The module that can be asked, or why there is none."""
    if isinstance(one, Atlas):
        one = one.origin and one.origin.model
    if is_module(one):
        return one
    return NotAsked("a function was given, which has no load_state_dict" if callable(one) else NO_MODEL)


def _weights(one: Any, graph: Graph) -> Weights | NotAsked:
    """What would be loaded, or why that is not in hand."""
    from torchatlas.readers.weights.state import state_of  # noqa: PLC0415  # the readers are loaded when asked for
    from torchatlas.readers.weights.whole import expression  # noqa: PLC0415  # as above

    if isinstance(one, Mapping):
        inside = _chosen(one).inside
        for key in inside:
            one = _item(one, key)
        flat = not isinstance(one, Mapping) or all(name in one for value in graph.values for name in value.names)
        return Weights(one, expression(inside), flat)
    read = _read(one)
    if read is None or read.checkpoint is None:
        return NotAsked(NO_WEIGHTS)
    checkpoint = read.checkpoint
    if checkpoint.empty:
        return NotAsked(checkpoint.empty)
    if _names(read.graph) != _names(graph):
        return NotAsked("the file has changed since it was opened")
    state, flat = state_of(checkpoint)
    return Weights(state, expression(checkpoint.inside), flat)


def _read(one: Any) -> Opened | None:
    """A file: as it was read, or, of an atlas, read again."""
    if isinstance(one, Opened):
        return one
    if not isinstance(one, Atlas) or one.opened is None:
        return None
    try:
        return opened(*one.opened)
    except AtlasError:
        return None


def _names(graph: Graph) -> set[str]:
    return {name for value in graph.values for name in value.names}


def _item(held: Any, wanted: str | int) -> Any:
    """What stands under a key, which the reader spells as text."""
    if not isinstance(held, Mapping):
        return held[wanted]
    return next(item for key, item in held.items() if str(key) == str(wanted))


def graph_of(state: Mapping[Any, Any]) -> Graph:
    """The graph of weights in memory.

    Raises:
        InputError: it holds no weights of a module.
    """
    from torchatlas.readers.weights.graph import graph_of as graph  # noqa: PLC0415  # loaded when asked for

    return graph(_chosen(state), Path("state_dict"))


def _chosen(state: Mapping[Any, Any]) -> Checkpoint:
    from torchatlas.capture.loading.described import described  # noqa: PLC0415  # torch is loaded when asked for
    from torchatlas.readers.weights.choice import choose  # noqa: PLC0415  # the readers are loaded when asked for
    from torchatlas.readers.weights.state import pickled  # noqa: PLC0415  # as above

    try:
        return choose(Path("the dictionary"), pickled(described(state)), "a dictionary")
    except AtlasError as error:
        raise InputError(str(error)) from None
