"""What a pickle names that has no place in a file of weights, since calling it can do harm.

Nothing that a pickle names is ever called here, so that safety does not rest on this list, which cannot be complete.
It serves the reader of the message: such a file was made to attack whoever loads it with ``torch.load``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.readers.pickled import Global


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


MODULES = _words(
    "os posix nt ntpath posixpath subprocess _posixsubprocess sys importlib imp runpy shutil socket ctypes _ctypes pty",
    "webbrowser commands popen2 code codeop timeit pdb bdb cProfile profile trace doctest pip pydoc site distutils",
    "setuptools ensurepip venv marshal pickle _pickle cPickle dill cloudpickle zipimport pkgutil asyncio concurrent",
    "multiprocessing threading _thread signal gc inspect urllib urllib2 http httplib ftplib smtplib imaplib poplib",
    "telnetlib requests aiohttp httpx paramiko tempfile tarfile zipfile glob fileinput io _io linecache sqlite3",
    "platform _osx_support _aix_support logging idlelib lib2to3 antigravity turtle tkinter",
)
"""Modules, nothing of which is wanted but `FINE`."""

FINE = _words(
    "io.BytesIO io.StringIO _io.BytesIO _io.StringIO logging.Logger logging.getLogger inspect._empty",
    "threading.Lock threading.RLock _thread.RLock _thread.allocate_lock",
)
"""Of those modules, what only holds something."""

BUILTINS = _words(
    "eval exec execfile compile open file input raw_input __import__ setattr delattr globals locals vars dir apply",
    "breakpoint exit quit reduce map filter help memoryview type super",
)
"""Functions of Python itself; ``getattr`` is judged by what is done with its result."""

NAMES = _words(
    "operator.attrgetter operator.methodcaller _operator.attrgetter _operator.methodcaller functools.reduce",
    "_functools.reduce codecs.open types.CodeType types.FunctionType types.ModuleType uuid._get_command_stdout",
    "numpy.load numpy.fromfile numpy.memmap numpy.loadtxt numpy.genfromtxt numpy.core.memmap",
    "numpy.testing._private.utils.runstring numpy.testing.utils.runstring pandas.eval pandas.read_pickle joblib.load",
    "torch.load torch.save torch.serialization.load torch.serialization._load torch.storage._load_from_bytes",
    "torch.jit.load torch.jit._script.load torch.ops.load_library torch.classes.load_library torch._ops.load_library",
    "torch._inductor.codecache.compile_file torch.utils._config_module.load_config",
    "torch.fx.graph_module._exec_with_source",
)
"""Single functions of modules that are harmless otherwise."""

WITHIN = ("torch.hub.", "torch.utils.cpp_extension.", "torch.utils.model_zoo.", "torch.package.", "numpy.f2py.")
"""The beginnings of names, none of which is wanted."""

PYTHON = ("builtins", "__builtin__", "__builtins__")
GETATTR = frozenset(f"{module}.getattr" for module in PYTHON)
"""Enumerations are kept as ``getattr(Colour, "RED")``, whose result is held and not called."""

ORDINARY = _words("code trace site profile platform signal glob commands inspect test http")
"""Modules whose names classes and functions have too."""
SINGLE = _words("code trace site profile platform signal glob commands inspect")
"""Of these, the modules of Python that are no packages: with another after a dot, they are somebody's own package."""


def is_harmful(named: Global) -> bool:
    """Whether calling it can do harm: run commands or code, read or write files, reach the network, load a library."""
    full = str(named)
    package, _, inside = named.module.partition(".")
    if package in MODULES and not (inside and package in SINGLE):
        return full not in FINE
    if named.module in PYTHON and named.name in BUILTINS:
        return True
    # Protocol 4 follows dots in a name too, and modules are attributes: `torch.serialization` has an `os.system`.
    parts = named.name.split(".")
    through = len(parts) > 1 and (not MODULES.isdisjoint(parts) or any(part.startswith("__") for part in parts))
    alone = len(parts) == 1 and named.name in MODULES - ORDINARY
    return through or alone or full in NAMES or full.startswith(WITHIN)
