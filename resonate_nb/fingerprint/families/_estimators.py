"""scikit-learn: estimators by class, package version and state; its C objects by the state they give to pickle.

It is not imported here: a value of its types shows that it is loaded.
"""

from __future__ import annotations

from typing import Any

from .._package import is_importable
from ..values._containers import mapping
from ..values._instances import hidden_state, instance_of
from ..values._walk import Attribute, Children, Handler, Refusal, Walk

_HEAP_TYPE = 1 << 9  # of `__flags__`: not a static type of C


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of scikit-learn."""
    if cls.__name__ == "Bunch" and issubclass(cls, dict):
        return _bunch
    if getattr(cls, "__flags__", 0) & _HEAP_TYPE and not hidden_state(cls):
        return instance_of(cls)

    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(b"reduced;")
        walk.token(cls)
        return _reduced(walk, value)

    return write


def _bunch(walk: Walk, value: dict[str, Any]) -> Children | None:
    """A data set: a dict. Its one attribute notes which keys are deprecated, and pickle drops it."""
    if walk.met(value):
        return None
    walk.pen.write(b"bunch;")
    return mapping(walk, b"dict", dict(dict.items(value)))


_COUNTS = slice(7, 11)
"""Where a tree of neighbours (`KDTree`, `BallTree`) notes how much work its queries were."""


def _without_counts(state: Any, *more: Any) -> list[Any]:
    if type(state) is tuple and len(state) > _COUNTS.stop:
        state = (*state[: _COUNTS.start], *(0,) * len(state[_COUNTS]), *state[_COUNTS.stop :])
    return [state, *more]


def _reduced(walk: Walk, value: Any) -> Children:
    """The parts from which pickle would build an object of a C class again."""
    try:
        reduced = value.__reduce_ex__(2)
    except TypeError as error:
        raise Refusal("it keeps state in C and cannot be pickled") from error
    if not isinstance(reduced, tuple) or any(part is not None for part in reduced[3:]):
        raise Refusal("it keeps state in C in an unusual way")
    make, arguments, *state = reduced
    if state and any(owner.__name__.startswith("BinaryTree") for owner in type(value).__mro__):
        state = _without_counts(*state)
    name = getattr(make, "__qualname__", None)
    if is_importable(make, getattr(make, "__module__", None), name):
        walk.pen.blob(b"make", f"{make.__module__}.{name}".encode())
    else:
        yield Attribute("__reduce__"), make
    yield Attribute("__reduce__"), arguments
    for part in state:
        yield Attribute("__getstate__"), part
