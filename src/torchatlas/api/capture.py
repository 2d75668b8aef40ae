"""`capture` runs a model once and returns an `Atlas`; `summary`, `draw` and `show` do that and show it at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from torchatlas.api.atlas import Atlas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

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
) -> Atlas:
    """Run a model once and record everything that happens.

    The model is left as it was: weights, buffers, flags, hooks, gradients, attributes and random state, also after an
    exception. What stands behind other objects (queues, loaders, trainers) is left as the run and others left it.

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call; a single tensor may stand for ``(tensor,)``.
        kwargs: keyword arguments of the call.
        input_size: instead of ``args``: one shape, several, or a mapping from argument names to shapes. A mapping or a
            list in the place of a shape makes a dict, whose items are attributes too, or a list:
            ``{"batch": {"x": (2, 4), "edge_index": (2, 8)}}``.
        dtypes: of the tensors made from ``input_size``: one for all, several, or by name (``"int64"``), structured as
            ``input_size`` is.
        device: of the tensors made from ``input_size``; by default where the model's parameters are.
        mode: ``eval`` (evaluation flags, no gradients), ``train`` (training flags, gradients), ``same`` (as it is).
        fake: run on fake tensors, without memory or arithmetic; the graph is the same.
        level: ``op``: what the code calls; ``aten``: also the ATen operations inside.
        source: record the line of the user's code that made each call.
        replay: keep what `Atlas.replay` needs (copies of parameters and inputs).
        grad: run with gradients, whatever ``mode`` says of them, and keep the result with its autograd graph as
            `Atlas.outputs`, for `torchatlas.backward`.

    Returns:
        The atlas. Without any input for a model that needs one, its modules and parameters alone.

    Raises:
        InputError: the arguments do not fit the model; names what was given, what is wanted, and an example.
        Exception: the model's own, unchanged, with the atlas up to the failing call attached as ``error.atlas``.
    """
    from torchatlas.capture.run import Options, Run, add_note  # noqa: PLC0415  # torch is loaded when asked for

    run = Run(model, Options(mode, fake, level, source, replay, grad))
    try:
        run.go(args, kwargs, input_size, dtypes, device)
    except BaseException as error:
        if run.graph is not None:
            with suppress(AttributeError):  # a class with slots takes nothing more
                error.atlas = Atlas(run.graph)  # type: ignore[attr-defined]  # the user's exception, one thing richer
                add_note(error, ATTACHED)
        raise
    assert run.graph is not None  # noqa: S101  # set on every way out of go
    return Atlas(run.graph, run.tape, run.origin, run.kept)


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
    **table: Any,
) -> Summary:
    """Capture a model and show its table: `capture`, then `Atlas.summary` with the remaining options.

    Returns:
        The summary: print it, or leave it as the last line of a notebook cell.
    """
    atlas = capture(model, args, kwargs, input_size=input_size, dtypes=dtypes, device=device, mode=mode, fake=fake)
    return atlas.summary(**table)


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
    **drawing: Any,
) -> Drawing:
    """Capture a model and draw it: `capture`, then `Atlas.draw` with the remaining options.

    With ``level="aten"`` the ATen operators are captured too.

    Returns:
        The drawing: leave it as the last line of a notebook cell, or ``save`` it as SVG, PNG, PDF or DOT.
    """
    given: dict[str, Any] = {"input_size": input_size, "dtypes": dtypes, "device": device, "mode": mode, "fake": fake}
    atlas = capture(model, args, kwargs, level=drawing.get("level") or "op", **given)
    return atlas.draw(**drawing)


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
    **page: Any,
) -> Page:
    """Capture a model and show it as a page: `capture`, then `Atlas.show` with the remaining options.

    With ``level="aten"`` the ATen operators are captured too.

    Returns:
        The page: leave it as the last line of a notebook cell, or ``save`` it; from a script, the browser shows it.
    """
    given: dict[str, Any] = {"input_size": input_size, "dtypes": dtypes, "device": device, "mode": mode, "fake": fake}
    atlas = capture(model, args, kwargs, level=page.get("level") or "op", **given)
    return atlas.show(**page)
