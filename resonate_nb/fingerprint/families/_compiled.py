"""Functions that jax and numba compile: by the function of the user's, and what was asked of the compiler.

What is compiled, and for which arguments, is found out as the function is called; none of it is content.
"""

from __future__ import annotations

from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._scalars import text
from ..values._walk import Attribute, Children, Handler, Refusal, Walk


def jitted(walk: Walk, value: Any) -> Children | None:
    """Write what `jax.jit` made."""
    if walk.met(value):
        return None
    state = value.__getstate__()
    options = [state.get(name) for name in ("static_argnums", "static_argnames", "global_cache_key")]
    if " at 0x" in repr(options):
        raise Refusal("what was asked of jax.jit has no stable content")
    walk.pen.blob(b"jitted", text(repr(options)))
    return iter(((Attribute("__wrapped__"), value.__wrapped__),))


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of numba."""
    is_dispatcher = any(owner.__name__ == "Dispatcher" for owner in cls.__mro__)
    return _dispatcher if is_dispatcher and hasattr(cls, "get_metadata") else handler_of_others(cls)


def _dispatcher(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.blob(b"dispatcher", type(value).__name__.encode())
    return _dispatcher_parts(value)


def _dispatcher_parts(value: Any) -> Children:
    yield Attribute("py_func"), value.py_func
    yield Attribute("targetoptions"), dict(sorted(value.targetoptions.items()))
    yield Attribute("locals"), {name: str(kind) for name, kind in sorted(value.locals.items())}
