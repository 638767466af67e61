"""scikit-learn: estimators by class, package version and state; its C objects by the state they give to pickle.

Neither package is imported here: a value of their types shows that they are loaded.
"""

from __future__ import annotations

import sys
from typing import Any

from . import _arrays
from ._containers import mapping
from ._instances import hidden_state, instance_of
from ._package import is_importable
from ._walk import Attribute, Children, Handler, Refusal, Walk

_HEAP_TYPE = 1 << 9  # of `__flags__`: not a static type of C

_SPARSE_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}


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


def _reduced(walk: Walk, value: Any) -> Children:
    """The parts from which pickle would build an object of a C class again."""
    try:
        reduced = value.__reduce_ex__(2)
    except TypeError as error:
        raise Refusal("it keeps state in C and cannot be pickled") from error
    if not isinstance(reduced, tuple) or any(part is not None for part in reduced[3:]):
        raise Refusal("it keeps state in C in an unusual way")
    make, arguments, *state = reduced
    name = getattr(make, "__qualname__", None)
    if is_importable(make, getattr(make, "__module__", None), name):
        walk.pen.blob(b"make", f"{make.__module__}.{name}".encode())
    else:
        yield Attribute("__reduce__"), make
    yield Attribute("__reduce__"), arguments
    for part in state:
        yield Attribute("__getstate__"), part


def sparse_handler_of(cls: type) -> Handler:
    """The handler for objects of scipy: sparse matrices and arrays by format, shape and the arrays they are made of."""
    if any(owner.__name__ == "rv_generic" for owner in cls.__mro__):
        return _distribution
    if not {"_spbase", "spmatrix", "sparray"}.isdisjoint(owner.__name__ for owner in cls.__mro__):
        return _sparse
    return _arrays.named


def _distribution(walk: Walk, value: Any) -> Children | None:
    """A distribution of `scipy.stats`: what it was made with. Its methods are made anew for each one."""
    if walk.met(value):
        return None
    walk.pen.write(b"distribution;")
    walk.token(type(value))
    return _distribution_parts(value)


def _distribution_parts(value: Any) -> Children:
    state = value._random_state
    is_global = state is getattr(getattr(sys.modules.get("numpy.random"), "mtrand", None), "_rand", None)
    yield Attribute("random_state"), "the global one" if is_global else state
    yield Attribute("__init__()"), value._updated_ctor_param()


def _sparse(walk: Walk, value: Any) -> Children | None:
    kind = getattr(value, "format", "")
    if kind not in _SPARSE_PARTS and kind != "dok":
        raise Refusal(f"scipy's sparse format {kind!r} is not covered; convert it, with .tocsr() for example")
    if walk.met(value):
        return None
    walk.pen.blob(b"sparse", type(value).__name__.encode())
    return _sparse_parts(value, kind)


def _sparse_parts(value: Any, kind: str) -> Children:
    yield Attribute("shape"), tuple(map(int, value.shape))
    if kind in ("lil", "dok"):
        yield Attribute("dtype"), value.dtype
    if kind == "dok":
        yield Attribute("items"), dict(value.items())
        return
    parts = _SPARSE_PARTS[kind]
    if kind == "coo" and not hasattr(value, "coords"):
        parts = ("data", "row", "col")  # scipy before 1.13
    for name in parts:
        yield Attribute(name), getattr(value, name)
