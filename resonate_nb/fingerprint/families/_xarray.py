"""xarray: data sets, arrays and variables by dimensions, coordinates, indexes, names, attributes, encodings and data.

What was opened and not loaded is still in a file, and is refused.
"""

from __future__ import annotations

import sys
from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Refusal, Walk


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of xarray; raises Refusal for data that are not loaded."""
    xr = sys.modules["xarray"]
    if issubclass(cls, xr.Dataset):
        return _object(b"dataset", _dataset)
    if issubclass(cls, xr.DataArray):
        return _object(b"dataarray", _array)
    if issubclass(cls, xr.Variable):
        return _object(b"variable", _variable)
    if hasattr(xr, "DataTree") and issubclass(cls, xr.DataTree):
        return _object(b"datatree", _tree)
    if cls.__module__.startswith(("xarray.core.indexing", "xarray.backends")):
        raise Refusal("its data are still in a file; load() it first, or pass the path")
    return handler_of_others(cls)


def _object(tag: bytes, parts: Any) -> Handler:
    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(tag + b";")
        walk.token(type(value))
        found: Children = parts(value)
        return found

    return write


def _dataset(value: Any) -> Children:
    yield Attribute("sizes"), dict(value.sizes)
    yield Attribute("coords"), list(value.coords)
    yield Attribute("variables"), dict(value.variables)
    yield from _indexes(value)
    yield from _notes(value)


def _array(value: Any) -> Children:
    yield Attribute("name"), value.name
    yield Attribute("variable"), value.variable
    yield Attribute("coords"), {name: coord.variable for name, coord in value.coords.items()}
    yield from _indexes(value)


def _variable(value: Any) -> Children:
    yield Attribute("dims"), tuple(value.dims)
    yield Attribute("dtype"), value.dtype
    yield from _notes(value)
    if isinstance(value, sys.modules["xarray"].IndexVariable):
        yield Attribute("data"), value.to_index()
    elif type(value._data).__name__.startswith("Pandas"):
        # Labels that are no index any more; they come as an array where anything is done with them.
        yield Attribute("data"), value.to_numpy()
    else:
        yield Attribute("data"), value._data


def _tree(value: Any) -> Children:
    yield Attribute("name"), value.name
    yield Attribute("to_dict()"), value.to_dict()


def _notes(value: Any) -> Children:
    yield Attribute("attrs"), dict(value.attrs)
    yield Attribute("encoding"), dict(value.encoding)


def _indexes(value: Any) -> Children:
    """Which coordinates are looked up, and by what kind of index; the labels of xarray's own are the coordinate's."""
    kinds = sys.modules["xarray"].indexes
    for name, index in value.xindexes.items():
        yield name, type(index)
        if type(index) not in (kinds.PandasIndex, kinds.PandasMultiIndex):
            yield name, index  # it may know more: a system of coordinates, a step
