"""What is known of a thing is known of no other, and as long as that lives."""

from __future__ import annotations

import gc
import weakref

from torchatlas.capture.objects.identity_cache import IdentityCache


class Equal(type):
    """A metaclass whose classes are all equal and cannot be hashed."""

    __hash__ = None

    def __eq__(cls, other):
        return True


def test_it_is_found_out_once_for_each():
    """Whatever the classes say of being equal."""
    asked = []
    cache = IdentityCache(lambda kind: asked.append(kind) or kind.__name__)
    kinds = [Equal("One", (), {}), Equal("Two", (), {})]
    assert [cache.of(kind) for kind in kinds * 2] == ["One", "Two"] * 2
    assert len(asked) == 2


def test_a_thing_is_not_kept_alive_and_what_is_known_goes_with_it():
    """Nor is what was found out."""

    class Found:
        pass

    cache = IdentityCache(lambda _: Found())
    kind = type("Kind", (), {})
    watched = weakref.ref(kind), weakref.ref(cache.of(kind))
    del kind
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_what_takes_no_weak_reference_is_asked_each_time():
    """It cannot be known when it is gone."""
    asked = []
    cache = IdentityCache(asked.append)
    for _ in range(2):
        cache.of(3)
    assert asked == [3, 3]
