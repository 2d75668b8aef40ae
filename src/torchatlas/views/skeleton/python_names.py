"""Names of a file as Python has them: attributes where they can be, text where they cannot, classes after places."""

from __future__ import annotations

import keyword
import re

TAKEN = frozenset(
    word
    for line in (
        "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches",
        "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict",
        "modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook",
        "register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook",
        "register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook",
        "register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_",
        "set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad",
        "not_tensors",
    )
    for word in line.split()
)
"""What every ``nn.Module`` has already; a test holds it to be so."""
PLURAL = re.compile(r"(?<=[a-z])(?<!s)s$")
FIRST = re.compile(r"^[^A-Za-z]+")


def is_plain(name: str) -> bool:
    """Whether a module can have it as an attribute, written after a dot."""
    # Python rewrites other letters (NFKC) and names that begin with two underscores.
    return (
        name.isascii()
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and not is_taken(name)
        and name[:2] != "__"
    )


def is_taken(name: str) -> bool:
    """Whether every module has an attribute of this name."""
    return name in TAKEN or name.startswith("_")


def quoted(text: str) -> str:
    """Text as Python source, in double quotes."""
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


def class_name(path: tuple[str, ...], inferred: str, taken: set[str]) -> str:
    """A name for a class, after the last word of the path or what the module was told to be; not one of ``taken``."""
    words = [word for word in path if not word.isdigit()]
    numbered = bool(path) and path[-1].isdigit()
    last = words[-1] if words else "Part"
    if inferred not in ("", "Module", "Sequential", "ModuleList", "ModuleDict") and inferred.isidentifier():
        stem = inferred
    else:
        stem = _camel(PLURAL.sub("", last) if numbered else last) or "Part"
    name, number = stem, 1
    while name in taken or keyword.iskeyword(name):
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name


def _camel(word: str) -> str:
    parts = re.findall(r"[A-Za-z0-9]+", word)
    return FIRST.sub("", "".join(part[:1].upper() + part[1:] for part in parts))[:40]
