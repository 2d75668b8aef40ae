"""How Python loads one file of weights: what a reader finds out, and a skeleton writes as code."""

from __future__ import annotations

from typing import NamedTuple


class Read(NamedTuple):
    """One file to be loaded.

    Attributes:
        how: by what: ``torch``, ``placeholders`` (torch refuses what it names), ``pickle``, ``safetensors``,
            ``distributed``; ``unknown``: it holds tensors of classes that only their own library, or a group of
            processes, can make.
        at: Python that leads from what is loaded to the weights: ``['model']``; of several models, all of it.
        form: what stands there: ``flat``, what ``load_state_dict`` takes; ``parts``, tensors in containers; ``packed``,
            quantized layers among them; ``module``; ``modules``, several.
        file: its name, below the folder that was given; empty for the file itself.
        prefix: what stands before its names in the model.
        packed: it is a member of the archive that was given, or what that unpacks to.
    """

    how: str
    at: str = ""
    form: str = "flat"
    file: str = ""
    prefix: str = ""
    packed: bool = False
