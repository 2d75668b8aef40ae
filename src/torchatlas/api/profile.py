"""`profile`: a run measured, so that its time, memory and activations are seen in every view."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from torchatlas.api.atlas import Atlas
from torchatlas.api.capture import ATTACHED
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch


def profile(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Literal["eval", "train", "same"] = "eval",
    source: bool = True,
    repeats: int = 10,
    warmup: int = 3,
    memory: bool = True,
    statistics: bool = True,
) -> Atlas:
    """Capture a model, then run it again and again to measure it.

    Each run starts from the state that the captured one started from, random numbers included, and is not recorded: its
    times are those of the model, not of the capture. The model is left as it was.

    The atlas has the time of each call (``time`` in every view, in seconds: the median over ``repeats``), and overlays:
    ``time spread`` (s, the interquartile range), ``peak memory`` (B, the most alive at once while the call ran, above
    what was alive when it began), and of the outputs of each call, all its tensors together, ``mean``, ``std`` (of the
    population), ``min``, ``max`` (these four of the finite elements; of complex numbers their absolute values),
    ``zeros`` (% of the elements), ``nan`` and ``inf`` (elements, where there are any). Its notes name the first call
    that made a NaN or an infinity, the inputs and parameters that had some before, and the first call of which one was
    an argument (the ``-inf`` of a mask).

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call; a single tensor may stand for ``(tensor,)``.
        kwargs: keyword arguments of the call.
        input_size: instead of ``args``: one shape, several, or a mapping from argument names to shapes.
        dtypes: of the tensors made from ``input_size``: one for all, several, or by name (``"int64"``).
        device: of the tensors made from ``input_size``; by default where the model's parameters are.
        mode: ``eval`` (evaluation flags, no gradients), ``train`` (training flags, gradients), ``same`` (as it is).
        source: record the line of the user's code that made each call.
        repeats: how many times each call is timed. A round is three runs: one without any marks, whose time is told
            beside (``graph.made``), one with marks around modules, one with marks around functions.
        warmup: runs before these, which are not timed.
        memory: measure peak memory; where it is not a CUDA device's, it is estimated. On CUDA this resets the peak
            that ``torch.cuda.max_memory_allocated`` tells.
        statistics: describe the outputs of each call.

    Returns:
        The atlas. Where a run took another way than the captured one, or could not be repeated, its notes say so.

    Raises:
        InputError: the arguments do not fit the model, there are none, or nothing would be computed (on
            ``meta``, or on fake tensors).
        Exception: the model's own, unchanged, with the atlas up to the failing call attached as ``error.atlas``.
    """
    from torchatlas.capture.measure.profile import Wanted, profiled  # noqa: PLC0415  # torch is loaded when asked for
    from torchatlas.capture.run import Options, Run, add_note  # noqa: PLC0415  # as above

    wanted = Wanted(repeats, warmup, statistics, memory)
    run = Run(model, Options(mode, source=source))
    try:
        run.go(args, kwargs, input_size, dtypes, device)
    except BaseException as error:
        if run.graph is not None:
            with suppress(AttributeError):  # a class with slots takes nothing more
                error.atlas = Atlas(run.graph)  # type: ignore[attr-defined]  # the user's exception, one thing richer
                add_note(error, ATTACHED)
        raise
    assert run.graph is not None  # noqa: S101  # set on every way out of go
    if run.bound is None:
        raise InputError(
            f"there is nothing to measure: {run.graph.notes[0].text}".replace("capture(", "profile(")
            if run.graph.notes
            else "there is nothing to measure: no input was given."
        )
    return Atlas(profiled(run, run.graph, wanted), origin=run.origin)
