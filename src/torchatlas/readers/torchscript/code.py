"""The code of a TorchScript archive: its classes and functions, parsed and not run."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.core.graph import Tree

MOST = 64
"""Items of a constant that is a setting."""


@dataclass(eq=False)
class Class:
    """A class: names of its parameters and buffers, its constants, its methods."""

    name: str
    parameters: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    constants: dict[str, Tree] = field(default_factory=dict)
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)


class Code:
    """Everything that the sources define, by full name: ``__torch__.torch.nn.functional.relu``."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self.classes: dict[str, Class] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.tuples: set[str] = set()
        """Classes whose objects are tuples with names for their items."""
        for module, source in sources.items():
            for statement in _parsed(module, source).body:
                if isinstance(statement, ast.ClassDef):
                    self.classes[f"{module}.{statement.name}"] = _class(statement)
                    if any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in statement.bases):
                        self.tuples.add(f"{module}.{statement.name}")
                elif isinstance(statement, ast.FunctionDef):
                    self.functions[f"{module}.{statement.name}"] = statement


def _parsed(module: str, source: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, which are the file's
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"its code in {module} is damaged: {str(error)[:200]}.") from error


def _class(told: ast.ClassDef) -> Class:
    made = Class(told.name)
    for statement in told.body:
        if isinstance(statement, ast.FunctionDef):
            made.methods[statement.name] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                made.constants[statement.target.id] = constant(statement.value)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            names = _words(statement.value)
            if statement.targets[0].id == "__parameters__":
                made.parameters = names
            elif statement.targets[0].id == "__buffers__":
                made.buffers = names
    return made


def _words(told: ast.expr) -> tuple[str, ...]:
    items = told.elts if isinstance(told, (ast.List, ast.Tuple)) else []
    return tuple(item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str))


def constant(told: ast.expr) -> Tree:
    """A literal; None for anything else."""
    if isinstance(told, ast.Constant) and isinstance(told.value, (bool, int, float, str)):
        return told.value
    if isinstance(told, ast.UnaryOp) and isinstance(told.op, ast.USub):
        inner = constant(told.operand)
        return -inner if isinstance(inner, (int, float)) else None
    if isinstance(told, (ast.Tuple, ast.List)) and len(told.elts) <= MOST:
        return Node(
            "tuple", (), tuple(constant(item) for item in told.elts if not isinstance(item, (ast.Tuple, ast.List)))
        )
    return None


class Path(str):
    """A dotted name that stands for a function: the code gives functions short names before it calls them."""

    __slots__ = ()


def dotted(told: ast.expr) -> str:
    """``torch.nn.functional.relu`` as one name; empty for what is no such chain."""
    parts: list[str] = []
    while isinstance(told, ast.Attribute):
        parts.append(told.attr)
        told = told.value
    if not isinstance(told, ast.Name):
        return ""
    return ".".join(reversed([*parts, told.id]))
