"""Repeats: which calls and modules are alike, and which of them stand for the rest."""
