"""`capture` runs a model and returns an `Atlas`; `summary`, `draw` and `show` do that and show it at once."""

from __future__ import annotations

from contextlib import suppress
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from torchatlas.api.atlas import Atlas
from torchatlas.capture.inputs.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from torchatlas.capture.run import Run
    from torchatlas.views.drawing.drawing import Drawing
    from torchatlas.views.page.page import Page
    from torchatlas.views.table.summary import Summary

ATTACHED = "torchatlas: the run up to here is attached to this exception as .atlas"


def capture(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Literal["eval", "train", "same"] = "eval",
    fake: bool = False,
    level: Literal["op", "aten"] = "op",
    source: bool = True,
    replay: bool = False,
    grad: bool = False,
    **named: Any,
) -> Atlas:
    """Run a model once and record everything that happens.

    The model is left as it was: weights, buffers, flags, hooks, gradients, attributes and random state, also after an
    exception. What stands behind other objects (queues, loaders, trainers) is left as the run and others left it.

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call; a single tensor may stand for ``(tensor,)``. Whole numbers alone are
            shapes, as in ``input_size``: ``(1, 3, 224, 224)``, ``[(1, 3), (1, 8)]``.
        kwargs: keyword arguments of the call, handed on as they are: numbers stay numbers.
        input_size: instead of ``args``: one shape, several, or a mapping from argument names to shapes. A mapping or a
            list in the place of a shape makes a dict, whose items are attributes too, or a list:
            ``{"batch": {"x": (2, 4), "edge_index": (2, 8)}}``. A shape without the batch is run with a batch of one
            where the model needs it, and a note says so.
        dtypes: of the tensors made from shapes: one for all, several, or by name (``"int64"``), structured as the
            shapes are.
        device: of the tensors made from shapes; by default where the model's parameters are.
        mode: ``eval`` (evaluation flags, no gradients), ``train`` (training flags, gradients), ``same`` (as it is).
        fake: run on fake tensors, without memory or arithmetic; the graph is the same.
        level: ``op``: what the code calls; ``aten``: also the ATen operations inside.
        source: record the line of the user's code that made each call.
        replay: keep what `Atlas.replay` needs (copies of parameters and inputs).
        grad: run with gradients, whatever ``mode`` says of them, and keep the result with its autograd graph as
            `Atlas.outputs`, for `torchatlas.backward`.
        **named: more arguments of the call by name, as in ``kwargs``, which also takes names that are options here.

    Returns:
        The atlas. Without any input for a model that needs one, its modules and parameters alone.

    Raises:
        InputError: the arguments do not fit the model; names what was given, what is wanted, and an example.
        Exception: the model's own, unchanged, with the atlas up to the failing call attached as ``error.atlas``.
    """
    given = {"input_size": input_size, "dtypes": dtypes, "device": device}
    options = {"mode": mode, "fake": fake, "level": level, "source": source, "replay": replay, "grad": grad}
    return captured("ta.capture", model, args, kwargs, given, options, named)


def captured(
    caller: str | Caller,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    named: Mapping[str, Any] | None = None,
) -> Atlas:
    """What `capture` does, for the function that was called.

    Args:
        caller: what messages name: ``ta.summary``.
        model: as `capture` takes it.
        args: likewise.
        kwargs: likewise.
        given: of its options those that say which tensors are made.
        options: the others.
        named: arguments of the call that were given by name, in the place of options.

    Raises:
        TypeError: the model takes no argument of such a name.
    """
    run = ran(caller, model, args, kwargs, given, options, named)
    assert run.graph is not None  # noqa: S101  # a run that ended well has one
    return Atlas(run.graph, run.tape, run.origin, run.kept)


def ran(
    caller: str | Caller,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    named: Mapping[str, Any] | None = None,
) -> Run:
    """Run a model as `captured` does; what it raises is raised, with the atlas up to there."""
    from torchatlas.capture.attempts import run_given  # noqa: PLC0415  # torch is loaded when asked for
    from torchatlas.capture.inputs.arguments import Given, with_named  # noqa: PLC0415  # as above
    from torchatlas.capture.run import Options, add_note  # noqa: PLC0415  # as above

    asked = Caller(caller) if isinstance(caller, str) else caller
    if named:
        known = (*given, *options, *signature(Atlas.summary).parameters, *signature(Atlas.draw).parameters)
        kwargs = with_named(model, kwargs, named, asked.function, known)
    run, error, _ = run_given(model, Options(**options), Given(args, kwargs, **given, caller=asked))
    if error is None:
        return run
    try:
        if run.graph is not None:
            with suppress(AttributeError):  # a class with slots takes nothing more
                error.atlas = Atlas(run.graph)  # type: ignore[attr-defined]  # the user's exception, one thing richer
                add_note(error, ATTACHED)
        raise error
    finally:
        del error  # it holds this frame, which would hold it


def summary(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Literal["eval", "train", "same"] = "eval",
    fake: bool = False,
    **more: Any,
) -> Summary:
    """Capture a model and show its table: `capture`, then `Atlas.summary` with the options that it has.

    What else is given by name are arguments of the model's call, as in ``kwargs``.

    Returns:
        The summary: print it, or leave it as the last line of a notebook cell.
    """
    given = {"input_size": input_size, "dtypes": dtypes, "device": device}
    table, named = _parted(Atlas.summary, more)
    options = {"mode": mode, "fake": fake}
    return captured("ta.summary", model, args, kwargs, given, options, named).summary(**table)


def draw(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Literal["eval", "train", "same"] = "eval",
    fake: bool = False,
    **more: Any,
) -> Drawing:
    """Capture a model and draw it: `capture`, then `Atlas.draw` with the options that it has.

    With ``level="aten"`` the ATen operators are captured too. What else is given by name are arguments of the model's
    call, as in ``kwargs``.

    Returns:
        The drawing: leave it as the last line of a notebook cell, or ``save`` it as SVG, PNG, PDF or DOT.
    """
    given = {"input_size": input_size, "dtypes": dtypes, "device": device}
    drawing, named = _parted(Atlas.draw, more)
    options = {"mode": mode, "fake": fake, "level": drawing.get("level") or "op"}
    return captured("ta.draw", model, args, kwargs, given, options, named).draw(**drawing)


def show(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Literal["eval", "train", "same"] = "eval",
    fake: bool = False,
    **more: Any,
) -> Page:
    """Capture a model and show it as a page: `capture`, then `Atlas.show` with the options that it has.

    With ``level="aten"`` the ATen operators are captured too. What else is given by name are arguments of the model's
    call, as in ``kwargs``.

    Returns:
        The page: leave it as the last line of a notebook cell, or ``save`` it; from a script, the browser shows it.
    """
    given = {"input_size": input_size, "dtypes": dtypes, "device": device}
    page, named = _parted(Atlas.show, more)
    options = {"mode": mode, "fake": fake, "level": page.get("level") or "op"}
    return captured("ta.show", model, args, kwargs, given, options, named).show(**page)


def _parted(view: Callable[..., Any], more: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that a view has, and what else was given by name: arguments of the model's call."""
    known = signature(view).parameters
    options = {name: value for name, value in more.items() if name in known}
    return options, {name: value for name, value in more.items() if name not in known}
