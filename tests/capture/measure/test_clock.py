"""Which clock a run is timed by, and that each says seconds."""

from __future__ import annotations

import time

import pytest
import torch

from torchatlas.capture.measure import clock
from torchatlas.capture.measure.clock import CudaClock, HostClock, WaitingClock, clock_for

CPU, META = torch.device("cpu"), torch.device("meta")


class Event:
    """Stands in for ``torch.cuda.Event``: its time is the number of the record it was, in milliseconds."""

    count = 0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at = None

    def record(self, stream: str) -> None:
        """Note the moment, in the stream that is current."""
        assert stream == "the stream of cuda:0"
        Event.count += 1
        self.at = Event.count

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds."""
        return end.at - self.at


@pytest.fixture
def device(monkeypatch):
    """A CUDA device in words, and how often it was waited for."""
    waited = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    return waited


@pytest.mark.parametrize(
    ("devices", "kind"),
    [
        (["cpu"], HostClock),
        ([], HostClock),
        (["cuda:0"], CudaClock),
        (["cpu", "cuda:1"], CudaClock),
        (["cuda:0", "cuda:1"], WaitingClock),
        (["mps"], WaitingClock),
        (["xpu:0", "cpu"], WaitingClock),
    ],
)
def test_the_clock_is_that_of_the_devices(devices, kind):
    """Events where there is one CUDA device, the host's clock on the CPU, waiting everywhere else."""
    assert type(clock_for({torch.device(device) for device in devices})) is kind


def test_events_are_read_after_the_device_is_done(device):
    """Marks do not wait; the difference in milliseconds becomes seconds."""
    of_device = clock_for({torch.device("cuda:0")})
    marks = [of_device.mark() for _ in range(4)]
    assert device == []
    assert of_device.seconds([(marks[0], marks[3]), (marks[1], marks[2])]) == [0.003, 0.001]
    assert device == [torch.device("cuda:0")]
    assert not of_device.deducts


def test_a_waiting_clock_waits_for_every_device_at_every_mark(monkeypatch):
    """Nothing runs beside what is timed."""
    waited = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    waiting = WaitingClock([CPU, torch.device("cuda:1"), torch.device("cuda:0")])
    begin = waiting.mark()
    assert [str(one) for one in waited] == ["cuda:0", "cuda:1"]
    assert waiting.seconds([(begin, waiting.mark())])[0] >= 0
    assert waiting.words


def test_the_hosts_clock_is_in_seconds():
    """A sleep of ten milliseconds is at least that."""
    host = clock.HostClock()
    begin = host.mark()
    time.sleep(0.01)
    (seconds,) = host.seconds([(begin, host.mark())])
    assert 0.01 <= seconds < 5
    host.settle()
