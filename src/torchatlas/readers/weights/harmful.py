"""What a pickle names that has no place in a file of weights, since calling it can do harm.

Nothing that a pickle names is ever called here, so that safety does not rest on this list, which cannot be complete.
It serves the reader of the message: such a file was made to attack whoever loads it with ``torch.load``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.readers.weights.pickled import Global

MODULES = frozenset(
    "os posix nt ntpath posixpath subprocess sys importlib runpy shutil socket ctypes _ctypes webbrowser pty commands"
    " code codeop timeit pdb bdb cProfile profile trace pip pydoc marshal pickle _pickle cPickle dill cloudpickle"
    " asyncio multiprocessing _posixsubprocess concurrent threading _thread signal urllib urllib2 http httplib ftplib"
    " smtplib imaplib poplib telnetlib requests aiohttp httpx paramiko tempfile platform popen2 distutils setuptools"
    " site zipimport pkgutil imp doctest tarfile zipfile glob fileinput io _io builtins.io linecache inspect gc"
    " _osx_support _aix_support sqlite3 logging venv ensurepip idlelib lib2to3 antigravity turtle tkinter".split()
)
"""Modules, nothing of which is wanted."""

NAMES = frozenset(
    [
        *(
            f"{builtins}.{name}"
            for builtins in ("builtins", "__builtin__", "__builtins__")
            for name in (
                "eval exec execfile compile open file input raw_input __import__ setattr delattr globals locals vars"
                " dir apply breakpoint exit quit map filter help memoryview type super"
            ).split()
        ),
        *"operator.attrgetter operator.methodcaller _operator.attrgetter _operator.methodcaller".split(),
        *"types.CodeType types.FunctionType types.ModuleType functools.reduce _functools.reduce codecs.open".split(),
        *"numpy.load numpy.fromfile numpy.memmap numpy.loadtxt numpy.genfromtxt numpy.f2py.compile".split(),
        *"numpy.testing._private.utils.runstring numpy.testing.utils.runstring numpy.core.memmap".split(),
        *"torch.load torch.save torch.serialization.load torch.serialization._load torch.storage._load_from_bytes".split(),
        *"torch.jit.load torch.jit._script.load torch.package.PackageImporter torch.ops.load_library".split(),
        *"torch.classes.load_library torch._ops.load_library pandas.eval pandas.read_pickle joblib.load".split(),
        *"torch._inductor.codecache.compile_file torch.utils._config_module.load_config".split(),
        *"torch.fx.graph_module.reduce_graph_module torch.fx.graph_module._exec_with_source".split(),
        *"linecache.lazycache posixpath.expanduser timeit.timeit uuid._get_command_stdout".split(),
    ]
)
"""Single functions of modules that are harmless otherwise; ``getattr`` is judged by what is done with its result."""

WITHIN = ("torch.hub.", "torch.utils.cpp_extension.", "torch.utils.model_zoo.", "torch.package.", "numpy.f2py.")
"""The beginnings of names, none of which is wanted."""

GETATTR = frozenset(f"{module}.getattr" for module in ("builtins", "__builtin__"))
"""Enumerations are kept as ``getattr(Colour, "RED")``, whose result is held and not called."""


def is_harmful(named: Global) -> bool:
    """Whether calling it can do harm: run commands or code, read or write files, reach the network, load a library."""
    full = str(named)
    if named.module.partition(".")[0] in MODULES and full not in FINE:
        return True
    # Protocol 4 follows dots in a name too: `torch.serialization` has an attribute `os.system`.
    parts = named.name.split(".")
    through = len(parts) > 1 and (not MODULES.isdisjoint(parts) or any(part.startswith("__") for part in parts))
    alone = len(parts) == 1 and named.name in MODULES - {"code", "trace", "site", "profile", "platform", "signal", "glob"}
    return through or alone or full in NAMES or full.startswith(WITHIN)


FINE = frozenset(
    ["io.BytesIO", "io.StringIO", "_io.BytesIO", "_io.StringIO", "logging.Logger", "logging.getLogger"]
    + ["threading.Lock", "threading.RLock", "_thread.RLock", "_thread.allocate_lock", "inspect._empty"]
)
"""Of those modules, what only holds something."""
