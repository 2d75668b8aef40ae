"""A run on what the user gave; where that were shapes, and the run shows that a guess was wrong, a second one.

Two things are guessed of a shape: the dtype of its tensor, and that the shape holds the batch.

- A run that fails on a dtype is tried with the other one for the guessed tensor that the failing call read.
- Convolutions take ``(C, H, W)`` for one sample without a batch. A model that hands its input to one in that form, or
  that fails, is run with a batch of one. Where that fails too, the shape stays as it was given.

A run leaves the model as it was, so that each starts from the same state. Notes say what was done and how to say the
other thing. Tensors that the user gave are never changed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from torchatlas.capture.inputs.arguments import inputs_of
from torchatlas.capture.inputs.made_inputs import FIRST_GUESS, Guess
from torchatlas.capture.run import Run, add_note
from torchatlas.capture.stored import dtype_name
from torchatlas.capture.torch_private import FAKE_LOG
from torchatlas.core.errors import AtlasError
from torchatlas.core.graph import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchatlas.capture.inputs.arguments import Given
    from torchatlas.capture.inputs.made_inputs import MadeInputs
    from torchatlas.capture.options import Options
    from torchatlas.core.graph import Graph

# What torch says where a dtype is wrong, whichever operator says it.
_DTYPE = re.compile(
    r"dtype|data ?type|scalar type|not implemented for '|not implemented on|LongTensor|long tensor|long, int"
    r"|integer|floating point|boolean|\((?:long )?(?:int|float|double)\)",
    re.IGNORECASE,
)
# What models raise where shapes or types do not fit, and what of that has other reasons.
_OF_INPUTS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ZeroDivisionError)
_NOT_OF_INPUTS = (AtlasError, torch.OutOfMemoryError)
# Calls that take one sample without a batch, and the dimensions of that.
_SAMPLES = {
    name: dimensions
    for size, dimensions in ((1, 2), (2, 3), (3, 4))
    for name in (f"conv{size}d", f"conv_transpose{size}d", f"InstanceNorm{size}d")
}


class Attempt(NamedTuple):
    """A run that was made, and how it ended.

    Attributes:
        run: with the graph, up to the failing call where it failed.
        error: what the model raised; None after success.
        made: the tensors that were made from shapes for it; None where none was.
    """

    run: Run
    error: BaseException | None
    made: MadeInputs | None


def run_given(model: Callable[..., Any], options: Options, given: Given) -> Attempt:
    """Run a model on what was given.

    Raises:
        InputError: what was given does not fit the model.
    """
    first = _with_dtypes(model, options, given, FIRST_GUESS)
    if first.made is None or not any(first.made.shapes.values()) or _ends_it(first.error):
        return first
    sample = first.run.graph is not None and takes_one_sample(first.run.graph)
    if first.error is None and not sample:
        return first
    second = _with_dtypes(model, options, given, Guess(batch=True))
    # Of two that fail, the one to show is the one that a layer has asked for.
    asked_for = sample and first.error is not None
    return second if second.error is None or _ends_it(second.error) or asked_for else first


def _with_dtypes(model: Callable[..., Any], options: Options, given: Given, guess: Guess) -> Attempt:
    """One run, and more where it fails on dtypes that were guessed; the first where none succeeds."""
    first = attempt = _attempt(model, options, given, guess)
    while attempt.error is not None:
        for other in _other_dtypes(attempt, guess.other):
            tried = Guess(guess.batch, guess.other | other)
            after = _attempt(model, options, given, tried)
            if _ends_it(after.error):
                return after
            if after.error is None or _failed_at(after) > _failed_at(attempt):
                attempt, guess = after, tried
                break
        else:
            return first
    return attempt


def _failed_at(attempt: Attempt) -> int:
    """The call that failed; a run that gets further fails at a later one."""
    graph = attempt.run.graph
    return -1 if graph is None or graph.error is None else graph.error


def _attempt(model: Callable[..., Any], options: Options, given: Given, guess: Guess) -> Attempt:
    run = Run(model, options, given.caller)
    inputs = inputs_of(run.root, given, guess)
    made = inputs.made if inputs is not None else None
    notes = list(_notes(given, guess, made)) if made is not None else []
    logged, FAKE_LOG.disabled = FAKE_LOG.disabled, True  # the exception says the same, if it is not mended
    try:
        run.go(inputs, notes)
    except BaseException as error:  # noqa: BLE001 - it is raised again, once it is clear which run is shown
        advice = inputs.advice if inputs is not None and isinstance(error, TypeError) else ""
        with suppress(AttributeError):  # a class that takes no attribute
            for text in (*(note.text for note in notes), *filter(None, [advice])):
                add_note(error, f"torchatlas: {text}")
        return Attempt(run, error, made)
    finally:
        FAKE_LOG.disabled = logged
    return Attempt(run, None, made)


def _ends_it(error: BaseException | None) -> bool:
    """Whether no other inputs are to be tried: the user or a clock has stopped it, memory is full, or we refuse it."""
    return error is not None and (not isinstance(error, _OF_INPUTS) or isinstance(error, _NOT_OF_INPUTS))


def takes_one_sample(graph: Graph) -> bool:
    """Whether a convolution was handed an input of the run as one sample, without a batch."""
    for call in graph.calls:
        dimensions = _SAMPLES.get(call.name.rpartition(".")[2])
        if dimensions is not None and call.inputs and _is_given(graph, call.inputs[0], dimensions):
            return True
    return False


def _is_given(graph: Graph, value: int, dimensions: int) -> bool:
    """Whether a tensor of so many dimensions is an input of the run, or made from one by what keeps that number."""
    seen, waiting = set(), [value]
    while waiting:
        value = waiting.pop()
        at = graph.values[value]
        if value in seen or len(at.shape) != dimensions:
            continue
        if at.kind == "input":
            return True
        seen.add(value)
        waiting += graph.calls[at.producer].inputs if at.producer is not None else ()
    return False


def _other_dtypes(attempt: Attempt, already: frozenset[str]) -> Iterator[frozenset[str]]:
    """The guessed tensors to try in the other dtype: what the failing call read, each alone, the last first; then all.

    The last, since an index stands behind what it is an index of.
    """
    error, graph, made = attempt.error, attempt.run.graph, attempt.made
    if made is None or graph is None or _ends_it(error) or not _DTYPE.search(str(error)):
        return
    guessed = [name for name in made.guessed if name not in already]
    near = next((names & set(guessed) for names in _before(graph) if names & set(guessed)), None)
    if near is None:
        near = set(guessed) if len(guessed) == 1 else set()
    yield from (frozenset({name}) for name in reversed(guessed) if name in near)
    if len(near) > 1:
        yield frozenset(near)


def _before(graph: Graph) -> Iterator[set[str]]:
    """The names of the inputs that the failing call read, then those of the calls before, and so on."""
    if graph.error is None:
        return
    seen: set[int] = set()
    values = set(graph.calls[graph.error].inputs)
    while values:
        yield {name for value in values if graph.values[value].kind == "input" for name in graph.values[value].names}
        seen |= values
        makers = {graph.values[value].producer for value in values} - {None}
        values = {value for maker in makers if maker is not None for value in graph.calls[maker].inputs} - seen


def _notes(given: Given, guess: Guess, made: MadeInputs) -> Iterator[Note]:
    """What was done otherwise than at first, and how to say the other thing."""
    if guess.batch:
        shapes = {name: shape for name, shape in made.shapes.items() if shape}
        runs = ", ".join(f"{name} {list(shape)} runs as {list(guess.shape(shape))}" for name, shape in shapes.items())
        yield Note(f"A batch of one was added: {runs}. To run another batch, give its size too, or give a tensor.")
    for name in sorted(guess.other):
        kind = dtype_name(made.guessed[name])
        choice = given.caller.dtype_option(name, kind)
        guessed = f"The dtype of {name} was guessed: {kind}, after the first guess failed."
        yield Note(f"{guessed} To choose it, write {choice}.")
