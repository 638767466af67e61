"""polars: frames and series by names, types and values, column by column; chunks and the codes of texts do not count.

polars is never imported here: a value of its types shows that it is loaded. Nothing is asked of it that needs pyarrow.
"""

from __future__ import annotations

import sys
from typing import Any

from ..memory._remembered import array_written
from ..values._containers import sequence
from ..values._reduced import handler_of as handler_of_others
from ..values._scalars import text
from ..values._walk import Attribute, Children, Handler, Part, Refusal, Walk
from . import _arrays


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of polars; raises Refusal for a type that is not covered."""
    pl = sys.modules["polars"]
    if issubclass(cls, pl.DataFrame):
        return _frame
    if issubclass(cls, pl.Series):
        return _series
    if issubclass(cls, pl.LazyFrame):
        raise Refusal("it is a plan, whose data may be in files; pass collect() of it, or what it is made of")
    if cls.__name__.endswith("GroupBy"):
        raise Refusal("it stands for a computation to come; pass the frame, and by what to group it")
    return handler_of_others(cls)


def _frame(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.blob(b"plframe", type(value).__name__.encode())
    return _columns(walk, value)


def _columns(walk: Walk, value: Any) -> Children:
    walk.pen.head(b"n", value.height)
    walk.pen.head(b"n", value.width)
    for part in value.get_columns():
        walk.pen.blob(b"name", text(part.name))
        yield part.name, Part(_values(walk, part))


def _series(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.blob(b"plseries", type(value).__name__.encode())
    walk.pen.blob(b"name", text(value.name))
    return _values(walk, value)


def _values(walk: Walk, value: Any) -> Children:
    """Write the type and the values of a series, with nothing in the place of what is missing."""
    pl = sys.modules["polars"]
    kind = value.dtype
    walk.pen.blob(b"pldtype", text(str(kind)))
    walk.pen.head(b"n", len(value))
    if kind == pl.Null:
        return
    if kind == pl.Object:
        yield from sequence(walk, b"objects", value.to_list()) or ()
        return
    if value.null_count():
        missing = value.is_null().cast(pl.UInt8).to_numpy()
        walk.pen.stream(b"nulls", len(value), _arrays.chunks(missing))
        value = value.drop_nulls()
    else:
        walk.pen.write(b"nonulls;")
    if kind == pl.Struct:
        for name in value.struct.fields:
            walk.pen.blob(b"field", text(name))
            yield Attribute(name), Part(_values(walk, value.struct.field(name)))
    elif kind == pl.List or kind == pl.Array:
        yield from _nested(walk, pl, value, kind == pl.List)
    elif kind == pl.Enum:
        yield Attribute("categories"), Part(_values(walk, kind.categories))
        _numbers(walk, value.to_physical())
    elif kind == pl.Categorical:
        # Which code a text has is an accident of what this process has met before.
        walk.pen.blob(b"categories", text(str(getattr(kind, "categories", ""))))
        _texts(walk, pl, value.cast(pl.String))
    elif kind == pl.String or kind == pl.Binary:
        _texts(walk, pl, value)
    else:
        physical = value.to_physical()
        if physical.dtype.is_float() or physical.dtype == pl.Boolean or _is_narrow(physical):
            _numbers(walk, physical)
        elif physical.dtype.is_integer():
            _texts(walk, pl, physical.cast(pl.String))  # numpy has no integers of 128 bits
        else:
            raise Refusal(f"polars' type {kind} is not covered")


def _is_narrow(value: Any) -> bool:
    return bool(value.dtype.is_integer()) and "128" not in str(value.dtype)


def _nested(walk: Walk, pl: Any, value: Any, has_lengths: bool) -> Children:
    if has_lengths:
        lengths = value.list.len()
        _numbers(walk, lengths.cast(pl.UInt32))
        # An empty list would come out as one missing value.
        value = value.filter(lengths > 0)
    inside = value.explode() if len(value) else pl.Series(value.name, [], value.dtype.inner)
    yield Attribute("inside"), Part(_values(walk, inside))


def _numbers(walk: Walk, value: Any) -> None:
    pl = sys.modules["polars"]
    if value.dtype == pl.Boolean:
        value = value.cast(pl.UInt8)
    array = value.rechunk().to_numpy()

    def write() -> None:
        _arrays.raw(walk, array)

    if array.flags.owndata:
        write()
    else:  # the very memory of the frame
        array_written(walk, array, "polars", write)


def _texts(walk: Walk, pl: Any, value: Any) -> None:
    is_text = value.dtype == pl.String
    lengths = value.str.len_bytes() if is_text else value.bin.size()
    _numbers(walk, lengths.cast(pl.UInt32))
    joined = (value.str.join("").item() or "").encode() if is_text and len(value) else b"".join(value.to_list())
    walk.pen.blob(b"text", joined)
