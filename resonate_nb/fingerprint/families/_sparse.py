"""scipy: sparse matrices by format, shape and the arrays they are made of, distributions by their parameters, trees of
neighbours by their points.

It is not imported here: a value of its types shows that it is loaded.
"""

from __future__ import annotations

import sys
from typing import Any

from ..values._containers import attributes
from ..values._instances import attributes_of
from ..values._walk import Attribute, Children, Handler, Refusal, Walk
from . import _arrays

_SPARSE_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of scipy."""
    if any(owner.__name__ == "rv_generic" for owner in cls.__mro__):
        return _distribution
    if not {"_spbase", "spmatrix", "sparray"}.isdisjoint(owner.__name__ for owner in cls.__mro__):
        return _sparse
    if any(owner.__name__ == "cKDTree" for owner in cls.__mro__):
        return _tree
    return _arrays.named


def _tree(walk: Walk, value: Any) -> Children | None:
    """Points in the order in which a tree holds them; of its nodes pickle writes the addresses."""
    if walk.met(value):
        return None
    walk.pen.write(b"kdtree;")
    walk.token(type(value))
    return _tree_parts(walk, value)


def _tree_parts(walk: Walk, value: Any) -> Children:
    yield Attribute("data"), value.data
    yield Attribute("indices"), value.indices
    yield Attribute("size"), (int(value.leafsize), int(value.size))
    yield Attribute("boxsize"), value.boxsize
    yield from attributes(walk, attributes_of(value))


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
