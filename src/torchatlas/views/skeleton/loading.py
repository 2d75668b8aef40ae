"""The lines that load a file's weights into the model of a skeleton, and the functions that they need.

``torch.load(weights_only=True)`` takes tensors, plain containers and nothing else. A file that names other things is read
by a reader of its own, which puts a placeholder in the place of each: nothing that the file names is imported or run, so
that neither the package of a model is needed, nor trust in whoever made the file.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.views.skeleton.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INDENT = "    "

FLAT = '''
def flat(saved, model):
    """The model's tensors in what a file holds, each by all the keys that lead to it."""
    wanted, found, waiting = set(model.state_dict()), {}, [("", saved)]
    for name, thing in waiting:
        if (name or "tensor") in wanted and not isinstance(thing, (dict, list, tuple)):
            found[name or "tensor"] = torch.as_tensor(thing)
        elif isinstance(thing, dict):
            waiting += [(f"{name}.{key}" if name else str(key), item) for key, item in thing.items()]
        elif isinstance(thing, (list, tuple)):
            waiting += [(f"{name}.{at}" if name else str(at), item) for at, item in enumerate(thing)]
    return found
'''
READER = '''
class Placeholder:
    """In the place of an object that is not needed for weights: its class is neither imported nor run."""

    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls)
        made.args, made.items = args, {}
        return made

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return self

    def __setstate__(self, state):
        self.state = state
        for part in state if isinstance(state, tuple) else (state,):
            self.__dict__.update(part if isinstance(part, dict) else {})

    def __setitem__(self, key, value):
        self.items[key] = value

    def __getitem__(self, key):
        return self.items[key]

    def append(self, item):
        self.items[len(self.items)] = item

    def extend(self, items):
        for item in items:
            self.append(item)


class Reader(pickle.Unpickler):
    """Reads a pickle, and makes tensors, arrays and plain containers alone; all else is a placeholder."""

    PLAIN = {
        "builtins": {"set", "frozenset", "list", "dict", "tuple", "bytearray", "complex", "slice", "int", "float", "str"},
        "collections": {"OrderedDict", "defaultdict", "Counter"},
        "_codecs": {"encode"},
        "torch": {"Size", "device", "Tensor"},
        "torch.nn.parameter": {"Parameter"},
        "torch.serialization": {"_get_layout"},
        "numpy": {"ndarray", "dtype"},
    }

    def find_class(self, module, name):
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda data: read(io.BytesIO(data))
        if name in ("_rebuild_from_type", "_rebuild_from_type_v2") and module == "torch._tensor":
            return lambda function, kind, args, *_: function(*args)
        if name == "_reconstructor" and module == "copyreg":
            return lambda kind, *_: kind()
        plain = name in self.PLAIN.get(module, ())
        plain |= module == "torch._utils" and name.startswith("_rebuild_") and "." not in name
        plain |= module.startswith("numpy") and name in ("_reconstruct", "_frombuffer", "scalar")
        plain |= module in ("torch", "torch.storage") and name.endswith("Storage") and "." not in name
        kind = getattr(torch, name, None) if module == "torch" else None
        if plain or isinstance(kind, (torch.dtype, torch.qscheme, torch.layout)):
            return super().find_class(module, name)
        return type(name, (Placeholder,), {"__module__": module})


def read(file):
    """What torch.save wrote, with a placeholder for all that is neither a tensor nor plain."""
    pickles = types.ModuleType("pickles")
    pickles.Unpickler, pickles.load = Reader, lambda opened, **options: Reader(opened, **options).load()
    return torch.load(file, map_location="cpu", pickle_module=pickles, weights_only=False)
'''
PICKLED = '''
def read_pickle(file):
    """What pickle wrote."""
    with open(file, "rb") as opened:
        return Reader(opened).load()
'''
WEIGHTS_OF = '''
def weights_of(saved):
    """The tensors of a module that was saved whole, or of several by name, by their names in the model."""
    found, waiting = {}, [("", saved)]
    for prefix, module in waiting:
        kept = {"_modules": module} if isinstance(module, dict) else vars(module)
        tensors = {**kept.get("_parameters", {}), **kept.get("_buffers", {})}
        for name, thing in kept.items():
            if type(thing).__name__ == "ScriptObject":  # packed weights of a quantized layer
                tensors.update(loose(name, thing.state[0]))
        if "_modules" not in kept and "state" in kept:
            tensors.update(loose("state", kept["state"]))
        found.update((prefix + name, tensor) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor))
        inside = kept.get("_modules", {})
        waiting += [(f"{prefix}{name}.", child) for name, child in inside.items() if child is not None]
    return found


def loose(name, thing):
    """Tensors in a tuple, list or dictionary, by where they stand in it."""
    if isinstance(thing, torch.Tensor):
        return {name: thing}
    found = {}
    if isinstance(thing, (tuple, list, dict)):
        for key, item in thing.items() if isinstance(thing, dict) else enumerate(thing):
            found.update(loose(f"{name}.{key}" if len(thing) > 1 else name, item))
    return found
'''


class Loading(NamedTuple):
    """How the weights are loaded.

    Attributes:
        lines: that do so.
        functions: that they need, as source.
        imports: that these need.
    """

    lines: tuple[str, ...]
    functions: tuple[str, ...]
    imports: tuple[str, ...]
