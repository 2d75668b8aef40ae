"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A run of the tests says the same of one tree wherever and whenever it is made; `make search` looks for what it misses.
settings.register_profile("same", derandomize=True, database=None, print_blob=True)
settings.register_profile("search", print_blob=True)
settings.load_profile("same")


def pytest_addoption(parser):
    """Golden text is rewritten by this flag alone, and then read as a diff."""
    parser.addoption("--golden", action="store_true", help="rewrite golden text with what is printed now")
