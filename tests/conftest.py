"""What all tests share."""

from __future__ import annotations


def pytest_addoption(parser):
    """Golden text is rewritten by this flag alone, and then read as a diff."""
    parser.addoption("--golden", action="store_true", help="rewrite golden text with what is printed now")
