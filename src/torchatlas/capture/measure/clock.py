"""What time is read from: the host's clock, events of a CUDA device, or the host's clock once all devices are done."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from torchatlas.capture.restore.no_trace import own_tensors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from torch import Tensor, nn


class Clock(ABC):
    """A clock: a mark is cheap to make, and turned into seconds after the run.

    Attributes:
        words: what its times are, for the reader; empty where that needs no word.
        deducts: whether what listening costs shows in its times and can be taken off.
    """

    words = ""
    deducts = True

    @abstractmethod
    def mark(self) -> Any:
        """This moment."""

    @abstractmethod
    def seconds(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """The time between the two marks of each pair, in seconds."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until everything asked of the devices is done."""


class HostClock(Clock):
    """For runs on the CPU: when a call returns, its work is done."""

    mark = staticmethod(time.perf_counter)

    def seconds(self, pairs: Sequence[tuple[float, float]]) -> list[float]:
        """The difference."""
        return [end - begin for begin, end in pairs]

    def settle(self) -> None:
        """It is done already."""


class CudaClock(Clock):
    """For runs on one CUDA device, which works on while Python goes ahead: events in its stream, read at the end.

    The time between two events is that of the device: its work, and its waiting for the host in between.
    Source: https://pytorch.org/docs/stable/generated/torch.cuda.Event.html
    """

    words = "Times were measured on the device, between events in its stream."
    deducts = False

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def mark(self) -> torch.cuda.Event:
        """An event in the device's current stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def seconds(self, pairs: Sequence[tuple[torch.cuda.Event, torch.cuda.Event]]) -> list[float]:
        """After the device has passed the last event; torch gives milliseconds."""
        self.settle()
        return [begin.elapsed_time(end) / 1e3 for begin, end in pairs]

    def settle(self) -> None:
        """Wait for the device."""
        torch.cuda.synchronize(self._device)


class WaitingClock(HostClock):
    """For other devices, and several: every mark waits for all of them, so that nothing overlaps."""

    words = "The device was synchronised after every call: the total is higher than in normal use."

    def __init__(self, devices: Collection[torch.device]) -> None:
        self._devices = sorted((device for device in devices if device.type != "cpu"), key=str)

    def mark(self) -> float:
        """The host's clock, once the devices are done."""
        self.settle()
        return time.perf_counter()

    def settle(self) -> None:
        """Wait for every device."""
        for device in self._devices:
            torch.accelerator.synchronize(device)


def devices_of(modules: Mapping[str, nn.Module], tensors: Iterable[Tensor]) -> set[torch.device]:
    """Where a run computes: the devices of its parameters, buffers and inputs."""
    return {tensor.device for tensor in chain(tensors, *map(own_tensors, modules.values()))}


def clock_for(devices: Collection[torch.device]) -> Clock:
    """The clock for a run on these devices. Beside an accelerator, the CPU holds inputs and odd tensors."""
    working = {device for device in devices if device.type != "cpu"}
    if not working:
        return HostClock()
    if len(working) == 1 and next(iter(working)).type == "cuda":
        return CudaClock(next(iter(working)))
    return WaitingClock(working)
