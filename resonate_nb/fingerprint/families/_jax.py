"""jax: arrays by type, shape and values, and keys of its random generators by kind and data. All are immutable."""

from __future__ import annotations

import sys
from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._scalars import text
from ..values._walk import Attribute, Children, Handler, Refusal, Walk
from . import _arrays
from ._compiled import jitted


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of jax; raises Refusal for a type that is not covered."""
    if "Tracer" in (owner.__name__ for owner in cls.__mro__):
        raise Refusal("it stands for a value to come, inside of a function that jax traces")
    if cls.__name__ == "PjitFunction":
        return jitted
    jax = sys.modules.get("jax")
    if jax is None or not hasattr(jax, "Array") or not issubclass(cls, jax.Array):
        return handler_of_others(cls)
    return _key if cls.__name__ == "PRNGKeyArray" else _array


def _array(walk: Walk, value: Any) -> None:
    if value.is_deleted():
        raise Refusal("its memory was given away (donated or deleted)")
    array = sys.modules["numpy"].asarray(value)
    platforms = sorted({device.platform for device in value.devices()})
    walk.pen.blob(b"jaxarray", text(f"{value.dtype} {bool(value.weak_type)} {' '.join(platforms)}"))
    walk.pen.head(b"shape", array.ndim)
    for length in array.shape:
        walk.pen.head(b"n", length)
    _arrays.raw(walk, array)


def _key(walk: Walk, value: Any) -> Children:
    random = sys.modules["jax"].random
    walk.pen.blob(b"jaxkey", text(str(random.key_impl(value))))
    return iter(((Attribute("key_data()"), random.key_data(value)),))
