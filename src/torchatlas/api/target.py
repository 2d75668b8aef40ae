"""What a command line means by ``package.module:attribute`` or ``file.py:attribute``: a model.

The attribute may be dotted, and is an ``nn.Module`` instance, a class of modules, a function that returns a model, or a
function that is captured itself. Modules are found as ``python -m`` finds them (the current folder first), a file
imports its neighbours as ``python file.py`` does. ``sys.path`` stays so: a forward may import too.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from torchatlas.core.errors import TargetError
from torchatlas.readers.registry import suffixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

Arguments: TypeAlias = "list[Any] | dict[str, Any]"

FORMS = f"package.module:attribute, file.py:attribute, or a file of a model ({', '.join(suffixes())}, …)"
WANTED = "Wanted: an nn.Module, a class of them, or a function."
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Target:
    """What was typed.

    Attributes:
        place: a module's name, or a file's path.
        attribute: maybe dotted; empty if none was given.
        is_file: which of the two ``place`` is.
    """

    place: str
    attribute: str
    is_file: bool


def is_file(text: str) -> bool:
    """Whether that is a file or folder to be read, whatever its name, and not Python code to be run."""
    if text.endswith(".py"):
        return False
    path = Path(text)
    if path.is_file() or text.lower().endswith(suffixes()):  # also where there is none of that name
        return True
    return path.is_dir() and not (text.isidentifier() and _is_package(path))


def _is_package(folder: Path) -> bool:
    """Whether a folder is one of Python code; one of a model may hold some beside its weights."""
    names = [inside.name for inside in folder.iterdir()]
    if "__init__.py" in names:
        return True
    return any(name.endswith(".py") for name in names) and not any(name.endswith(suffixes()) for name in names)


def files_of(text: str) -> list[Path]:
    """The files that are read where that is typed: a file, all in a folder, those of an index, or Python code."""
    path = Path(text)
    if path.is_dir():
        return [path, *(inside for inside in path.rglob("*") if inside.is_file())]
    if is_file(text):
        return [path, *_indexed(path)]
    place = text.rpartition(":")[0] or text
    module = Path(*place.split("."))
    return [file for file in (Path(place), path, module.with_suffix(".py"), module / "__init__.py") if file.is_file()]


def _indexed(path: Path) -> list[Path]:
    """The files that an index of weights names."""
    if not path.name.endswith(".json"):
        return []
    try:
        names = json.loads(path.read_bytes())["weight_map"].values()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # it is none, as the reader will say
        return []
    return [path.parent / name for name in dict.fromkeys(names) if isinstance(name, str)]


def resolve(text: str, arguments: Arguments | None = None, *, has_input: bool = False) -> Callable[..., Any]:
    """The model that ``text`` names.

    Args:
        text: one of ``FORMS`` but the last.
        arguments: what a class or factory is called with: positions, or names.
        has_input: inputs are at hand, so a function that needs arguments may be the thing to capture.

    Raises:
        TargetError: it cannot be found, imported, or made into a model; the message says what to do.
    """
    target = parse(text)
    module = import_file(Path(target.place)) if target.is_file else import_module(target.place)
    if not target.attribute:
        raise TargetError(f"{text!r} does not name an attribute. {offered(module, text)}")
    return make(find(module, target), text, arguments, has_input=has_input)


def parse(text: str) -> Target:
    """Split at the last colon, unless that belongs to a path (``C:/models/net.py``)."""
    if text.endswith(".py") or Path(text).is_file():
        return Target(text, "", is_file=True)
    place, colon, attribute = text.rpartition(":")
    if not colon or not all(part.isidentifier() for part in attribute.split(".")):
        place, attribute = text, ""
    is_file = place.endswith(".py") or Path(place).is_file()
    if not is_file and not all(part.isidentifier() for part in place.split(".")):
        raise TargetError(f"{text!r} is neither a file nor a module. Wanted: {FORMS}.")
    return Target(place, attribute, is_file)


def import_file(path: Path) -> ModuleType:
    """The module that a file holds, run as ``python file.py`` runs it, though under its own name.

    Raises:
        TargetError: there is no such file, or its code raised.
    """
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path()
        near = get_close_matches(path.name, [file.name for file in folder.glob("*.py")])
        raise TargetError(f"There is no file {str(path)!r}.{suggest(str(folder / name) for name in near)}")
    look_in(path.resolve().parent)
    name = path.stem if path.stem not in sys.modules else f"torchatlas target {path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{str(path)!r} is not Python code. Wanted: {FORMS}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look their module up by name
    try:
        with blaming(f"importing {str(path)!r}"):
            spec.loader.exec_module(module)
    except TargetError:
        del sys.modules[name]
        raise
    return module


def import_module(name: str) -> ModuleType:
    """The module of that name, looked for in the current folder first.

    Raises:
        TargetError: there is none, or its code raised.
    """
    look_in(Path.cwd())
    with blaming(f"importing {name!r}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            near = get_close_matches(name, [file.stem for file in Path().glob("*.py")])
            message = f"There is no module {error.name!r} in the current folder or the environment.{suggest(near)}"
            raise TargetError(message) from None


def look_in(folder: Path) -> None:
    """Have Python look for modules in that folder first."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def find(module: ModuleType, target: Target) -> Any:
    """What the dotted attribute leads to.

    Raises:
        TargetError: a part of it is missing; the message lists what is near and what is there.
    """
    found: Any = module
    for position, part in enumerate(target.attribute.split(".")):
        if not hasattr(found, part):
            before = ":".join(filter(None, [target.place, ".".join(target.attribute.split(".")[:position])]))
            near = get_close_matches(part, [name for name in dir(found) if not name.startswith("_")])
            raise TargetError(f"{before!r} has no {part!r}.{suggest(near)} {offered(module, target.place)}")
        found = getattr(found, part)
    return found


def make(found: Any, text: str, arguments: Arguments | None, *, has_input: bool) -> Callable[..., Any]:
    """A model out of what was found: itself, an instance of it, or what it returns.

    Raises:
        TargetError: it is nothing of that, or it wants other arguments.
    """
    if is_module(found) and arguments is None:
        return cast("Callable[..., Any]", found)
    refuse(found, text)
    args, kwargs = spread(arguments)
    misfit = mismatch(found, args, kwargs)
    if misfit and arguments is None and has_input and not isinstance(found, type):
        return cast("Callable[..., Any]", found)
    if misfit:
        raise TargetError(f"{text!r} cannot be called: {misfit}. {how_to_give(found)}")
    with blaming(f"calling {text!r}"):
        made = found(*args, **kwargs)
    if not callable(made):
        raise TargetError(f"{text!r} returns a {type(made).__name__}, not a model. {WANTED}")
    return cast("Callable[..., Any]", made)


def refuse(found: Any, text: str) -> None:
    """Raise TargetError for what cannot lead to a model however it is called."""
    if is_module(found):
        raise TargetError(f"{text!r} is already a {type(found).__name__}, so it takes no --arguments.")
    if isinstance(found, type) and not is_module_class(found):
        raise TargetError(f"{text!r} is the class {found.__name__}, not a class of nn.Module.")
    if inspect.iscoroutinefunction(found):
        raise TargetError(f"{text!r} is a coroutine function. {WANTED}")
    if not callable(found):
        raise TargetError(f"{text!r} is not a model: it is a {type(found).__name__}. {WANTED}")


def is_module(thing: Any) -> bool:
    """Whether it is an ``nn.Module``; without importing torch, for nothing is one before somebody imported it."""
    return is_module_class(type(thing))


def is_module_class(thing: Any) -> bool:
    """Whether it is a class of ``nn.Module``."""
    nn = sys.modules.get("torch.nn")
    return nn is not None and issubclass(type(thing), type) and issubclass(thing, nn.Module)


def spread(arguments: Arguments | None) -> tuple[list[Any], dict[str, Any]]:
    """Positions and names of a call."""
    if isinstance(arguments, dict):
        return [], arguments
    return arguments or [], {}


def mismatch(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str:
    """Why it cannot be called so; empty if it can, or if only trying will tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "" if args or kwargs else "it is built in and does not describe its arguments"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def how_to_give(function: Callable[..., Any]) -> str:
    """The signature, and the option that gives its required arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "Give its arguments by --arguments '[…]'."
    name = getattr(function, "__name__", type(function).__name__)
    required = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    example = ", ".join(f'"{parameter}": …' for parameter in required)
    return f"It is {name}{signature}; give what it needs by --arguments '{{{example}}}'."


def offered(module: ModuleType, text: str) -> str:
    """What the module defines that could be a model: its own classes of modules, instances, and functions."""
    names = [f"{name} ({kind})" for name, thing in vars(module).items() if (kind := kind_of(name, thing, module))]
    if not names:
        return "It defines no nn.Module and no function."
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    first = names[0].partition(" ")[0]
    place = text if text.endswith(".py") or ":" not in text else text.rpartition(":")[0]
    return f"It defines {', '.join(names[:SHOWN])}{more}; for example {place}:{first}."


def kind_of(name: str, thing: Any, module: ModuleType) -> str:
    """Class, function or instance; empty for what is private, imported from elsewhere, or no candidate."""
    if name.startswith("_"):
        return ""
    if is_module(thing):
        return f"a {type(thing).__name__}"
    if not issubclass(type(thing), (type, FunctionType)) or thing.__module__ != module.__name__:
        return ""
    return "function" if type(thing) is FunctionType else "class" if is_module_class(thing) else ""


def suggest(names: Iterable[str]) -> str:
    """A sentence that offers near names; empty if there is none."""
    near = " or ".join(map(repr, names))
    return near and f" Did you mean {near}?"


@contextmanager
def blaming(doing: str) -> Iterator[None]:
    """Turn what the user's code raises into a TargetError that shows their lines and not ours."""
    try:
        yield
    except TargetError:
        raise
    except SystemExit as error:
        hint = "Put what must not run on import under `if __name__ == '__main__':`."
        raise TargetError(f"While {doing}, the code ended the program: SystemExit({error.code!r}). {hint}") from error
    except Exception as error:
        raise TargetError(f"While {doing}, its code raised:\n{user_traceback(error)}") from error


def user_traceback(error: BaseException) -> str:
    """The traceback without the frames of torch, of the import machinery, and ours."""
    report = traceback.TracebackException.from_exception(error)
    torch = getattr(sys.modules.get("torch"), "__file__", __file__)
    folders = Path(__file__).parents[1], Path(importlib.__file__).parent, Path(torch).parent
    others = (*(f"{folder}{os.sep}" for folder in folders), "<frozen importlib")
    kept = [frame for frame in report.stack if not frame.filename.startswith(others)]
    report.stack = traceback.StackSummary.from_list(kept)
    return "".join(report.format(chain=False)).rstrip()
