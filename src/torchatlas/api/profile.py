"""`profile`: a run measured, so that its time, memory and activations are seen in every view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchatlas.api.atlas import Atlas
from torchatlas.api.capture import ran
from torchatlas.capture.options import CAPTURE, GIVEN, CaptureOptions
from torchatlas.core.errors import InputError
from torchatlas.core.options import takes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import torch

    from torchatlas.capture.inputs.caller import Caller
    from torchatlas.core.graph import Mode


RECORDED = {name: CAPTURE[name] for name in (*GIVEN, "mode", "source")}
"""The options of the run that is measured."""


@takes(RECORDED, CaptureOptions)
def profile(
    model: Callable[..., Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_size: Sequence[Any] | Mapping[str, Any] | None = None,
    dtypes: Any = None,
    device: str | torch.device | None = None,
    mode: Mode = "eval",
    source: bool = True,
    repeats: int = 10,
    warmup: int = 3,
    memory: bool = True,
    statistics: bool = True,
    **named: Any,
) -> Atlas:
    """Capture a model, then run it again and again to measure it.

    Each run starts from the same state as the captured one, including random numbers, and is not recorded: its times
    are those of the model, not of the capture. The model is left as it was.

    The atlas has the time of each call (``time`` in every view, in seconds: the median over ``repeats``), and overlays:
    ``time spread`` (s, the interquartile range), ``peak memory`` (B, the most alive at once while the call ran, above
    what was alive when it began), and of the outputs of each call, all its tensors together, ``mean``, ``std`` (of the
    population), ``min``, ``max`` (these four of the finite elements; of complex numbers their absolute values),
    ``zeros`` (% of the elements), ``nan`` and ``inf`` (elements, where there are any). Its notes name the first call
    that made a NaN or an infinity, the inputs and parameters that had some before, and the first call of which one was
    an argument (the ``-inf`` of a mask).

    >>> atlas = ta.profile(torch.nn.Linear(4, 3), (1, 4), repeats=2, warmup=0)
    >>> atlas.calls[0].seconds > 0
    True

    Args:
        model: an ``nn.Module`` or any callable.
        args: positional arguments of the call, or shapes, as `capture` takes them.
        kwargs: keyword arguments of the call.
        {options}
        repeats: how many times each call is timed. A round is three runs: one without any marks, whose time is told
            beside (``graph.provenance``), one with marks around modules, one with marks around functions.
        warmup: runs before these, which are not timed.
        memory: measure peak memory; where it is not a CUDA device's, it is estimated. On CUDA this resets the peak
            that ``torch.cuda.max_memory_allocated`` tells.
        statistics: describe the outputs of each call.
        **named: more arguments of the call by name, as in ``kwargs``.

    Returns:
        The atlas. If a run took another path than the captured one, or could not be repeated, its notes say so.

    Raises:
        InputError: the arguments do not fit the model, there are none, or nothing would be computed (on
            ``meta``, or on fake tensors).
        Exception: the model's own, unchanged, with the atlas up to the failing call attached as ``error.atlas``.
    """
    options = {"input_size": input_size, "dtypes": dtypes, "device": device, "mode": mode, "source": source}
    how: dict[str, Any] = {"repeats": repeats, "warmup": warmup, "memory": memory, "statistics": statistics}
    return profiled("ta.profile", model, args, kwargs, options, named, (*RECORDED, *how), **how)


def profiled(
    caller: str | Caller,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    named: Mapping[str, Any] | None = None,
    offered: Iterable[str] = (),
    *,
    repeats: int,
    warmup: int,
    memory: bool,
    statistics: bool,
) -> Atlas:
    """What `profile` does, for the function that was called; by position, as `api.capture.ran` takes it."""
    from torchatlas.capture.measure import profile as measuring  # noqa: PLC0415  # torch is loaded when asked for

    measured = measuring.ProfileOptions(repeats, warmup, statistics, memory)
    run = ran(caller, model, args, kwargs, options, named, offered)
    assert run.graph is not None  # noqa: S101  # a run that ended well has one
    if run.bound is None:
        said = next(note.text for note in run.graph.notes if note.code == "not run")
        raise InputError(f"There is nothing to measure. {said}")
    return Atlas(measuring.profiled(run, run.graph, measured), origin=run.origin)
