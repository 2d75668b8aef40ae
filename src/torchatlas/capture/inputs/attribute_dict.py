"""A dictionary that answers by attribute too, which stands in for a batch of any kind."""

from __future__ import annotations

from typing import Any

from torchatlas.capture.torch_private import fx_pytree, pytree


class AttributeDict(dict[str, Any]):
    """A dict whose items are attributes too: ``batch.x`` and ``batch["x"]`` are one tensor.

    What a model is given for an argument whose shapes are given by name. It serves a model that takes a dict, and one
    that takes an object with attributes, as those of PyTorch Geometric do. The methods of a dict come first:
    ``batch.keys`` is no item. `torch.export` takes it for a dict.
    """

    def __getattr__(self, name: str) -> Any:
        """The item of that name."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} among {', '.join(map(repr, self)) or 'no items'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the item of that name."""
        self[name] = value


def _flat(thing: AttributeDict) -> tuple[list[Any], list[str]]:
    return list(thing.values()), list(thing)


def _flat_with_keys(thing: AttributeDict) -> tuple[list[tuple[Any, Any]], list[str]]:
    return [(pytree.MappingKey(key), value) for key, value in thing.items()], list(thing)


pytree.register_pytree_node(
    AttributeDict,
    _flat,
    lambda items, names: AttributeDict(zip(names, items, strict=True)),
    serialized_type_name="torchatlas.AttributeDict",
    flatten_with_keys_fn=_flat_with_keys,
)
# Up to torch 2.6, a program of torch.export asks this when it is called.
fx_pytree.register_pytree_flatten_spec(AttributeDict, lambda thing, spec: [thing[name] for name in spec.context])
