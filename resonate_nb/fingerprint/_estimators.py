"""scikit-learn: estimators by class, package version and state; its C objects by the state they give to pickle.

Neither package is imported here: a value of their types shows that they are loaded.
"""

from __future__ import annotations

import copyreg
from typing import Any

from . import _arrays
from ._instances import content_base, hidden_state, instance
from ._walk import Attribute, Children, Refusal, Walk

_SPARSE_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
}


def write(walk: Walk, value: Any) -> Children | None:
    """Write an object of scikit-learn; raises Refusal for what its attributes do not show."""
    if _arrays.is_named(value):
        walk.token(value)
        return None
    cls = type(value)
    if not hidden_state(cls, content_base(cls)):
        return instance(walk, value)
    if walk.met(value):
        return None
    walk.pen.write(b"reduced;")
    walk.token(cls)
    return _reduced(walk, value)


def _reduced(walk: Walk, value: Any) -> Children:
    """The parts from which pickle would build an object of a C class again."""
    try:
        reduced = value.__reduce_ex__(2)
    except TypeError as error:
        raise Refusal("it keeps state in C and cannot be pickled") from error
    if not isinstance(reduced, tuple) or any(part is not None for part in reduced[3:]):
        raise Refusal("it keeps state in C in an unusual way")
    make, arguments, *state = reduced
    if make is not copyreg.__newobj__:
        yield Attribute("__reduce__"), make
    yield Attribute("__reduce__"), arguments
    for part in state:
        yield Attribute("__getstate__"), part


def write_sparse(walk: Walk, value: Any) -> Children | None:
    """Write a sparse matrix or array of scipy: format, shape and the arrays it is made of."""
    cls = type(value)
    parts = _SPARSE_PARTS.get(getattr(value, "format", ""))
    if parts is None or not cls.__module__.startswith("scipy.sparse"):
        if _arrays.is_named(value):
            walk.token(value)
            return None
        raise Refusal("this type of scipy is not covered")
    if walk.met(value):
        return None
    walk.pen.blob(b"sparse", cls.__name__.encode())
    return _sparse_parts(value, parts)


def _sparse_parts(value: Any, parts: tuple[str, ...]) -> Children:
    yield Attribute("shape"), tuple(map(int, value.shape))
    for name in parts:
        yield Attribute(name), getattr(value, name)
