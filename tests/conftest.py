"""What all tests share."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A run of the tests says the same of one tree wherever and whenever it is made; `make search` looks for what it misses.
# How long an example takes is the machine's affair.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("same", unhurried, derandomize=True, database=None)
settings.register_profile("search", unhurried)
settings.load_profile("same")


# Where a shell starts the tests in the background, Ctrl-C is ignored, and those of it would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    """Golden text is rewritten by this flag alone, and then read as a diff."""
    parser.addoption("--golden", action="store_true", help="rewrite golden text with what is printed now")
