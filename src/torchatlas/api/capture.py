"""`capture` runs a model and returns an `Atlas`; `summary`, `draw` and `show` do that and show it at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, overload

from torchatlas.api.atlas import Atlas
from torchatlas.capture.inputs.caller import Caller
from torchatlas.capture.options import CAPTURE, GIVEN, RUN, CaptureOptions, Options, RunOptions
from torchatlas.core.options import takes
from torchatlas.views.drawing.options import DRAW, PAGE, DrawOptions, OpenOptions, PageOptions
from torchatlas.views.table.options import SUMMARY, SummaryOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import torch
    from typing_extensions import Unpack

    from torchatlas.capture.run import Run
    from torchatlas.core.graph import Level, Mode
    from torchatlas.views.drawing.drawing import Drawing
    from torchatlas.views.page.page import Page
    from torchatlas.views.table.summary import Summary

ATTACHED = "torchatlas: the run up to here is attached to this exception as .atlas"


class SummaryCall(RunOptions, SummaryOptions, total=False):
    """What `summary` takes."""


class DrawCall(RunOptions, OpenOptions, DrawOptions, total=False):
    """What `draw` takes."""


class ShowCall(RunOptions, OpenOptions, PageOptions, total=False):
    """What `show` takes."""


TABLES = {"summary": {**RUN, **SUMMARY}, "draw": {**RUN, **DRAW}, "show": {**RUN, **PAGE}}


@takes(CAPTURE, CaptureOptions)
def capture(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Mode = "eval",
    fake: bool = False,
    level: Level = "op",
    source: bool = True,
    replay: bool = False,
    grad: bool = False,
    **named: Any,
) -> Atlas:
    """Run a model once and record everything that happens.

    The model is put back as it was, even after an exception: weights, buffers, flags, hooks, gradients, attributes and
    random state. Other objects (queues, loaders, trainers) stay as the run left them.

    >>> import torch, torchatlas as ta
    >>> ta.capture(torch.nn.Linear(4, 3), torch.zeros(1, 4))
    Atlas(Linear, 2 calls, 1 modules)
    >>> ta.capture(torch.nn.Linear(4, 3), (1, 4)).totals.mult_adds  # a shape makes a tensor of that shape
    12

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call; a single tensor may stand for ``(tensor,)``. Whole numbers alone are
            shapes, as in ``input_size``: ``(1, 3, 224, 224)``, ``[(1, 3), (1, 8)]``.
        kwargs: keyword arguments of the call, handed on as they are: numbers stay numbers.
        {options}
        **named: more arguments of the call by name, as in ``kwargs``, which also takes names that are options here.

    Returns:
        The atlas. If the model needs an input and none was given, it holds only modules and parameters.

    Raises:
        InputError: the arguments do not fit the model; the message repeats what was given and shows what is wanted.
        Exception: the model's own, unchanged, with the atlas up to the failing call attached as ``error.atlas``.
    """
    options = {"input_size": input_size, "dtypes": dtypes, "device": device, "mode": mode, "fake": fake}
    options |= {"level": level, "source": source, "replay": replay, "grad": grad}
    return captured("ta.capture", model, args, kwargs, options, named, CAPTURE)


def captured(
    caller: str | Caller,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    named: Mapping[str, Any] | None = None,
    offered: Iterable[str] = (),
) -> Atlas:
    """What `capture` does, for the function that was called.

    Args:
        caller: what messages name: ``ta.summary``.
        model: as `capture` takes it.
        args: likewise.
        kwargs: likewise.
        options: some of those of `capture`.
        named: arguments of the call that were given by name, in the place of options.
        offered: all options of the function that was called, for messages.

    Raises:
        TypeError: the model takes no argument of such a name.
    """
    run = ran(caller, model, args, kwargs, options, named, offered)
    assert run.graph is not None  # noqa: S101  # a run that ended well has one
    return Atlas(run.graph, run.tape, run.origin, run.forward_link)


def ran(
    caller: str | Caller,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    named: Mapping[str, Any] | None = None,
    offered: Iterable[str] = (),
) -> Run:
    """Run a model as `captured` does; what it raises is raised, with the atlas up to there."""
    from torchatlas.capture.attempts import run_given  # noqa: PLC0415  # torch is loaded when asked for
    from torchatlas.capture.inputs.arguments import Given, with_named  # noqa: PLC0415  # as above
    from torchatlas.capture.run import add_note  # noqa: PLC0415  # as above

    asked = Caller(caller) if isinstance(caller, str) else caller
    if named:
        kwargs = with_named(model, kwargs, named, asked.function, offered, (*SUMMARY, *DRAW))
    given = {name: value for name, value in options.items() if name in GIVEN}
    how = Options(**{name: value for name, value in options.items() if name not in GIVEN})
    run, error, _ = run_given(model, how, Given(args, kwargs, **given, caller=asked))
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


@overload
def summary(
    model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **options: Unpack[SummaryCall]
) -> Summary: ...
@overload
def summary(
    model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **named: Any
) -> Summary: ...
@takes(TABLES["summary"], SummaryCall)
def summary(
    model: Callable[..., Any], args: Any = (), kwargs: Mapping[str, Any] | None = None, **named: Any
) -> Summary:
    """Capture a model and show its table: `capture`, then `Atlas.summary`.

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call, or shapes, as `capture` takes them.
        kwargs: keyword arguments of the call.
        {options}
        **named: more arguments of the call by name, as in ``kwargs``.

    >>> import torch, torchatlas as ta
    >>> print(ta.summary(torch.nn.Linear(4, 3), (1, 4), columns=["name", "params"]))
    name    params
    --------------
    Linear      15
    ...

    Returns:
        The summary: print it, or leave it as the last line of a notebook cell.
    """
    atlas, options = _run("summary", model, args, kwargs, named)
    return atlas.summary(**options)


@overload
def draw(
    model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **options: Unpack[DrawCall]
) -> Drawing: ...
@overload
def draw(
    model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **named: Any
) -> Drawing: ...
@takes(TABLES["draw"], DrawCall)
def draw(model: Callable[..., Any], args: Any = (), kwargs: Mapping[str, Any] | None = None, **named: Any) -> Drawing:
    """Capture a model and draw it: `capture`, then `Atlas.draw`.

    With ``level="aten"`` the ATen operators are captured too.

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call, or shapes, as `capture` takes them.
        kwargs: keyword arguments of the call.
        {options}
        **named: more arguments of the call by name, as in ``kwargs``.

    >>> import torch, torchatlas as ta
    >>> ta.draw(torch.nn.Linear(4, 3), (1, 4), theme="dark").save("net.svg").name
    'net.svg'

    Returns:
        The drawing: leave it as the last line of a notebook cell, or ``save`` it as SVG, PNG, PDF or DOT.
    """
    atlas, options = _run("draw", model, args, kwargs, named)
    return atlas.draw(**options)


@overload
def show(
    model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **options: Unpack[ShowCall]
) -> Page: ...
@overload
def show(model: Callable[..., Any], args: Any = ..., kwargs: Mapping[str, Any] | None = ..., **named: Any) -> Page: ...
@takes(TABLES["show"], ShowCall)
def show(model: Callable[..., Any], args: Any = (), kwargs: Mapping[str, Any] | None = None, **named: Any) -> Page:
    """Capture a model and show it as a page: `capture`, then `Atlas.show`.

    With ``level="aten"`` the ATen operators are captured too.

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call, or shapes, as `capture` takes them.
        kwargs: keyword arguments of the call.
        {options}
        **named: more arguments of the call by name, as in ``kwargs``.

    >>> import torch, torchatlas as ta
    >>> ta.show(torch.nn.Linear(4, 3), (1, 4)).save("net.html").name
    'net.html'

    Returns:
        The page: leave it as the last line of a notebook cell, or ``save`` it; from a script, the browser shows it.
    """
    atlas, options = _run("show", model, args, kwargs, named)
    return atlas.show(**options)


def _run(
    view: str,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    more: Mapping[str, Any],
) -> tuple[Atlas, dict[str, Any]]:
    """The atlas for a view, and the view's options, out of all that was given by name."""
    table = TABLES[view]
    run = {name: value for name, value in more.items() if name in RUN}
    shown = {name: value for name, value in more.items() if name in table and name not in RUN}
    named = {name: value for name, value in more.items() if name not in table}
    run["level"] = shown.get("level") or Options.level
    return captured(f"ta.{view}", model, args, kwargs, run, named, table), shown
