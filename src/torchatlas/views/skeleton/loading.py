"""The function that loads a file's weights into the model of a skeleton, and those that it needs.

``torch.load(weights_only=True)`` takes tensors, plain containers and nothing else. A file that names other things is
read by a reader of its own, which puts a placeholder in the place of each: nothing that the file names is imported or
run, so that neither the package of a model is needed, nor trust in whoever made the file.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.files.load_recipe import Read
from torchatlas.views.skeleton.python_names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Provenance

INDENT = "    "

FLAT = '''
def flat(saved, model, around=""):
    """The model's tensors in what a file holds, each by all the keys that lead to it, behind those around them."""
    wanted, found, waiting = set(model.state_dict()), {}, [(around, saved)]
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
        "builtins": {"set", "frozenset", "list", "dict", "tuple", "bytearray", "complex", "int", "float", "str"},
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
    with open(file, "rb") if not hasattr(file, "read") else file as opened:
        return Reader(opened).load()
'''
MEMBER = '''
def member(file, name):
    """What stands in an archive under a name, or what a packed file unpacks to."""
    if tarfile.is_tarfile(file):  # asked first: it may end in a zip archive
        with tarfile.open(file) as archive:
            return io.BytesIO(archive.extractfile({plain(each): each for each in archive.getnames()}[name]).read())
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return io.BytesIO(archive.read({plain(each): each for each in archive.namelist()}[name]))
    for packing in (gzip, bz2, lzma):
        with contextlib.suppress(OSError, lzma.LZMAError), packing.open(file) as opened:
            return io.BytesIO(opened.read())
    raise ValueError(f"{file} is no archive")


def plain(name):
    """A name without what leads nowhere."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))
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
                tensors.update(unpacked(name, thing))
        if "_modules" not in kept and "state" in kept:
            convolution = isinstance(module.state, tuple) and len(module.state) == 15  # a quantized one
            state = dict(zip(("weight", "bias"), module.state[10:12])) if convolution else loose("state", module.state)
            tensors.update(state)
        found.update((prefix + name, tensor) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor))
        inside = kept.get("_modules", {})
        waiting += [(f"{prefix}{name}.", child) for name, child in inside.items() if child is not None]
    return found

'''
PACKED = '''
def with_packed(saved):
    """A state with the weights of its quantized layers by their names in the model, in the place of what packs them."""
    found = {}
    for key, thing in saved.items():
        script, last = type(thing).__name__ == "ScriptObject", key.rpartition(".")[2]
        table = last == "_packed_weight" and getattr(thing, "is_quantized", False)
        is_packed = script or table or (last.startswith("_packed_") and isinstance(thing, tuple))
        found.update(unpacked(key, thing) if is_packed else {key: thing})
    return found
'''
UNPACKED = '''
def unpacked(name, thing):
    """Weight and bias of a quantized layer, or of both halves of a cell, by their names in the model."""
    state, kind = thing.state if type(thing).__name__ == "ScriptObject" else (thing, "")
    around, dot, own = name.rpartition(".")
    if kind.endswith("CellParamsBase"):
        halves = [unpacked(f"{around}{dot}_packed_weight{half}", part) for half, part in zip(("_ih", "_hh"), state[-1])]
        return {**halves[0], **halves[1]}
    tensors = list(loose("", state).values())
    first = next((at for at, tensor in enumerate(tensors) if tensor.is_quantized), 0)
    weight = tensors[first] if tensors[first].is_quantized else tensors[first].half()
    suffix = own.removeprefix("_packed_params").removeprefix("_packed_weight")
    pairs = zip(("weight", "bias"), [weight, *tensors[first + 1 :]])
    return {f"{around}{dot}{kind}{suffix}": tensor for kind, tensor in pairs}


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

IMPORTS = {
    MEMBER: ("bz2", "contextlib", "gzip", "io", "lzma", "tarfile", "zipfile"),
    FLAT: (),
    READER: ("io", "pickle", "types"),
    PICKLED: (),
    WEIGHTS_OF: (),
    PACKED: (),
    UNPACKED: (),
}
"""The functions that loading may need, in their order, each with the modules of Python that it uses."""
NAMES = frozenset((
    *("load", "pathlib", "safetensors"),
    *(module for modules in IMPORTS.values() for module in modules),
    *re.findall(r"^(?:def|class) (\w+)", "".join(IMPORTS), re.MULTILINE),
))  # fmt: skip
"""What stands in a skeleton beside its classes."""


class Loading(NamedTuple):
    """How the weights are loaded.

    Attributes:
        function: ``load``, as source.
        others: functions and classes that it needs.
        imports: modules that these need.
    """

    function: str
    others: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


def loading(provenance: Provenance, weights: str) -> Loading:
    """How the weights of a file are loaded.

    Args:
        provenance: what the graph says of where it comes from.
        weights: the name of the file, where the graph has none.
    """
    reads = _reads(provenance)
    if not reads or any(read.how == "unknown" for read in reads):
        return Loading(UNKNOWN)
    one = reads[0] if len(reads) == 1 else None
    if one is not None and one.how == "distributed":
        return Loading(_distributed(one, weights))
    lines = _one(one) if one is not None else _several(reads)
    packed = reads[0].packed
    file = weights if packed else (one.file if one is not None else "") or provenance.weights_file or weights
    head = f"def load(file={quoted(file)}):" if packed or one is not None else 'def load(folder="."):'
    function = "\n".join((head, *(f"{INDENT}{line}" for line in (_said(reads), *lines, "return model")))) + "\n"
    return Loading(function, *_needed(reads, several=one is None))


UNKNOWN = '''
def load(weights):
    """Give the model with weights by their names; how the file itself is loaded is not known."""
    model = Model()
    model.load_state_dict(weights)
    return model
'''


def _reads(provenance: Provenance) -> list[Read]:
    """What the graph says; of one that was saved before graphs did, what follows from the rest."""
    if provenance.reads is not None:
        try:
            reads = [Read(*entry) for entry in json.loads(provenance.reads)]
            fine = all(_is_fine(read) for read in reads)
        except (TypeError, ValueError):
            return []
        return reads if fine else []
    at, kind = provenance.state_dict or "", provenance.weights_format
    if kind in ("a .safetensors file", "a file of torch.save", "a legacy file of torch.save") and is_path(at):
        how = "safetensors" if kind == "a .safetensors file" else "torch"
        return [Read(how, at, "parts" if provenance.apart else "flat")]
    return []


def _is_fine(read: Read) -> bool:
    """Whether it can be written: it comes from a file, which anybody may have made."""
    if not all(isinstance(part, str) for part in read[:5]):
        return False
    if read.how == "distributed":
        keys = json.loads(read.at)
        return isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    return is_path(read.at)


def is_path(text: str) -> bool:
    """Whether it is nothing but keys and attributes that lead on, or names with such: graphs are files of others."""
    try:
        tree = ast.parse(text if text.startswith("{") else f"saved{text}", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(
        isinstance(node, PATH) and (not isinstance(node, ast.Name) or node.id == "saved") for node in ast.walk(tree)
    )


PATH = (ast.Expression, ast.Name, ast.Load, ast.Subscript, ast.Constant, ast.Attribute, ast.Dict, ast.UnaryOp, ast.USub)


def _said(reads: Sequence[Read]) -> str:
    placeholders = any(read.how in ("placeholders", "pickle") for read in reads)
    others = " What of it is no tensor is neither imported nor run." if placeholders else ""
    return f'"""Give the model with the weights of the file{"s" if len(reads) > 1 else ""}.{others}"""'


def _one(read: Read) -> Iterator[str]:
    opened = _opened(read, f"member(file, {quoted(read.file)})" if read.packed else "file")
    yield "model = Model()"
    if read.form == "modules":
        yield f"saved = {opened}"
    yield f"model.load_state_dict({_weights(read, opened)})"


def _several(reads: Sequence[Read]) -> Iterator[str]:
    yield "model, weights = Model(), {}"
    groups: dict[tuple[str, str, str], list[Read]] = {}
    for read in reads:
        groups.setdefault((read.how, read.at, read.form), []).append(read)
    for group in groups.values():
        yield "for name, prefix in ("
        yield from (f"{INDENT}({quoted(read.file)}, {quoted(read.prefix)})," for read in group)
        yield "):"
        place = "member(file, name)" if group[0].packed else "pathlib.Path(folder, name)"
        found = _weights(group[0], _opened(group[0], place), "prefix")
        if group[0].form == "parts":
            yield f"{INDENT}weights.update({found})"
        else:
            yield f"{INDENT}weights.update((prefix + key, tensor) for key, tensor in {found}.items())"
    yield "model.load_state_dict({name: weights[name] for name in model.state_dict() if name in weights})"


def _weights(read: Read, opened: str, around: str = "") -> str:
    """The weights of what a file holds, as Python."""
    if read.form == "modules":
        return f"weights_of({read.at})"
    if read.form == "module":
        return f"weights_of({opened}{read.at})"
    prefix = f', {around}.rstrip(".")' if around else ""
    if read.form == "packed":
        return f"with_packed({opened}{read.at})"
    return f"flat({opened}{read.at}, model{prefix})" if read.form == "parts" else f"{opened}{read.at}"


def _opened(read: Read, file: str) -> str:
    if read.how == "torch":
        return f'torch.load({file}, map_location="cpu", weights_only=True)'
    if read.how == "safetensors":
        return f"safetensors.torch.load({file}.read())" if read.packed else f"safetensors.torch.load_file({file})"
    return f"{'read_pickle' if read.how == 'pickle' else 'read'}({file})"


def _distributed(read: Read, weights: str) -> str:
    inside = "".join(f"[{quoted(key)}]" for key in json.loads(read.at))
    state = "model.state_dict()"
    for key in reversed(json.loads(read.at)):
        state = f"{{{quoted(key)}: {state}}}"
    return f'''
def load(folder={quoted(weights)}):
    """Give the model with the weights of the folder, from the shards of all processes."""
    import torch.distributed.checkpoint

    model = Model()
    weights = {state}
    torch.distributed.checkpoint.load(weights, checkpoint_id=folder)
    model.load_state_dict(weights{inside})
    return model
'''


def _needed(reads: Sequence[Read], *, several: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The functions that reading so needs, and the modules that these do."""
    hows, forms = {read.how for read in reads}, {read.form for read in reads}
    placeholders, packed = bool(hows & {"placeholders", "pickle"}), any(read.packed for read in reads)
    wanted = {
        MEMBER: packed,
        FLAT: "parts" in forms,
        READER: placeholders,
        PICKLED: "pickle" in hows,
        WEIGHTS_OF: bool(forms & {"module", "modules"}),
        PACKED: "packed" in forms,
        UNPACKED: bool(forms & {"packed", "module", "modules"}),
    }
    functions = tuple(function for function in IMPORTS if wanted[function])
    modules = {module for function in functions for module in IMPORTS[function]}
    if several and not packed:
        modules.add("pathlib")
    return functions, (*sorted(modules), *(("safetensors.torch",) if "safetensors" in hows else ()))
