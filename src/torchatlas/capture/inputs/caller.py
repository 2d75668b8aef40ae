"""What the user called, so that messages name it and their examples can be typed there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Caller:
    """A function of the public face, or a command line.

    Attributes:
        function: as it is written: ``ta.summary``.
        model: its first arguments, as they are called in examples.
        typed: on a command line, what was typed of the run: ``net.py:Net --input 1,3``; empty in Python.
    """

    function: str = "ta.capture"
    model: str = "model"
    typed: str = ""

    def call(self, *arguments: str) -> str:
        """The call with these arguments after the model: ``ta.summary(model, x)``."""
        return f"{self.function}({', '.join((self.model, *arguments))})"

    def given(self, *arguments: str) -> str:
        """The call as it was made."""
        return self.typed or self.call(*arguments)

    def sized(self, shapes: Mapping[str, tuple[int, ...]] | tuple[int, ...], dtypes: str = "", device: str = "") -> str:
        """A call that gives sizes: ``ta.summary(model, input_size=(1, 3))``, or ``--input 1,3``.

        Args:
            shapes: of the one input, or by name.
            dtypes: of all of them; empty to leave that open.
            device: likewise.
        """
        if self.typed:
            named = {"": shapes} if isinstance(shapes, tuple) else {f"{name}=": shape for name, shape in shapes.items()}
            inputs = [f"--input {name}{','.join(map(str, shape))}" for name, shape in named.items()]
            options = {"--dtype": dtypes, "--device": device}
            return " ".join([*inputs, *(f"{name} {value}" for name, value in options.items() if value)])
        if isinstance(shapes, tuple):
            sizes = str(shapes)
        else:
            sizes = "{" + ", ".join(f'"{name}": {shape}' for name, shape in shapes.items()) + "}"
        options = {"dtypes": dtypes, "device": device}
        return self.call(f"input_size={sizes}", *(f'{name}="{value}"' for name, value in options.items() if value))

    def dtype_option(self, name: str, dtype: str) -> str:
        """How the dtype of one input is said."""
        return f"--input {name}=…:{dtype}" if self.typed else f'dtypes={{"{name}": "{dtype}"}}'

    def named(self, name: str) -> str:
        """How an argument of ``forward`` is given by name, which is never a shape."""
        return f"--kwargs '{{\"{name}\": …}}'" if self.typed else f'kwargs={{"{name}": …}}'


CAPTURE = Caller()
