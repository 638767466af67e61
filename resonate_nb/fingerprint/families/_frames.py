"""pandas: frames, series, indexes, their arrays and scalars, by content, names, order, dtype, categories and zones.

Each column is written by itself, so blocks and their consolidation do not count; neither do chunks and offsets of
Arrow columns, nor what lies under a missing value. pandas is never imported here: a value of its types shows that it
is loaded.
"""

from __future__ import annotations

import sys
from typing import Any

from ..values import _seen
from ..values._containers import attributes, sequence
from ..values._pen import Piece
from ..values._walk import CONTENT, Attribute, Children, Handler, Part, Refusal, Walk
from . import _arrays


def handler_of(cls: type) -> Handler:
    """The handler for values of one of pandas' own types; raises Refusal for a type that is not covered."""
    pd = sys.modules["pandas"]
    if cls is pd.DataFrame:
        return _frame
    if cls is pd.Series:
        return _series
    if issubclass(cls, pd.Index):
        return _index
    if cls is pd.Timestamp or cls is pd.Timedelta:
        return _moment
    if cls is type(pd.NaT) or cls is type(pd.NA):
        return _missing
    if issubclass(cls, pd.api.extensions.ExtensionArray):
        return _extension
    if issubclass(cls, pd.api.extensions.ExtensionDtype):
        return dtype
    if cls is pd.Period:
        return _period
    if cls is pd.Interval:
        return _interval
    if issubclass(cls, pd.tseries.offsets.BaseOffset):
        return _offset
    if any(owner.__name__ == "BaseGroupBy" for owner in cls.__mro__):
        raise Refusal("it stands for a computation to come; pass the frame, and by what to group it")
    if cls.__module__.startswith("pandas.io"):
        raise Refusal("it is a drawing or a file; pass the frame, or the path")
    return _arrays.named


def subclass_of(cls: type) -> Handler | None:
    """The handler for a class made out of frame or series, by whomever: the class and all of its base; else None."""
    pd: Any = sys.modules.get("pandas")
    if pd is None or not hasattr(pd, "DataFrame") or not issubclass(cls, (pd.DataFrame, pd.Series)):
        return None
    parts = _frame_parts if issubclass(cls, pd.DataFrame) else _series_parts

    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(b"pdsubclass;")
        walk.token(cls)
        return parts(walk, value)

    return write


def _missing(walk: Walk, value: Any) -> None:
    walk.pen.write(b"nat;" if value is sys.modules["pandas"].NaT else b"na;")


def _moment(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"pdmoment", f"{type(value).__name__} {value.unit} {value._value}".encode())
    walk.pen.head(b"fold", getattr(value, "fold", 0))
    return iter(((Attribute("tz"), getattr(value, "tzinfo", None)),))


def _period(walk: Walk, value: Any) -> Children:
    walk.pen.write(b"period;")
    return iter(((Attribute("ordinal"), value.ordinal), (Attribute("freq"), value.freq)))


def _interval(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"interval", value.closed.encode())
    return iter(((Attribute("left"), value.left), (Attribute("right"), value.right)))


def _offset(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"offset", f"{type(value).__qualname__} {value.normalize}".encode())
    return iter(((Attribute("n"), value.n), (Attribute("kwds"), dict(value.kwds))))


def _frame(walk: Walk, value: Any) -> Children | None:
    return None if walk.met(value) else _frame_parts(walk, value)


def _frame_parts(walk: Walk, value: Any) -> Children:
    number = walk.number_of(value)
    labels, pen = value.columns, walk.pen
    noted: list[Piece] = []
    pen.head(b"frame", len(labels))
    for name, part in (("columns", labels), ("index", value.index)):
        pen.mark()
        yield Attribute(name), part
        noted.append(pen.since())
    # Public access (`value.iloc[:, i]`) makes a Series per column, twenty times the cost, and on pandas 2 leaves
    # it in a cache of the frame.
    parts = list(value._iter_column_arrays())
    digests = _arrays.digests_of_strided(parts)
    for position, part in enumerate(parts):
        if position < _seen.MOST_COLUMNS:
            pen.mark()
        if position in digests:
            _plain_head(walk, part, number, position)
            pen.large(b"raw", part.nbytes, digests[position])
        elif (children := column(walk, part, number, position)) is not None:
            yield labels[position], Part(children)
        if position < _seen.MOST_COLUMNS - 1 or position == len(parts) - 1:
            noted.append(pen.since())
    pen.mark()
    yield from _labels(walk, value)
    _seen.remember(value, pen.since(), *noted)


def _series(walk: Walk, value: Any) -> Children | None:
    return None if walk.met(value) else _series_parts(walk, value)


def _series_parts(walk: Walk, value: Any) -> Children:
    pen = walk.pen
    noted: list[Piece] = []
    pen.write(b"series;")
    for name, part in (("name", value.name), ("index", value.index)):
        pen.mark()
        yield Attribute(name), part
        noted.append(pen.since())
    pen.mark()
    yield from column(walk, value._values, walk.number_of(value), 0) or ()
    noted.append(pen.since())
    pen.mark()
    yield from _labels(walk, value)
    _seen.remember(value, pen.since(), *noted)


def _labels(walk: Walk, value: Any) -> Children:
    walk.pen.head(b"duplicates", int(value.flags.allows_duplicate_labels))
    if value._attrs:
        yield Attribute("attrs"), value._attrs
    else:
        walk.pen.write(b"noattrs;")
    more = set_on(value)
    if more:
        yield from attributes(walk, more)


def set_on(value: Any) -> dict[str, Any]:
    """What somebody set as an attribute that pandas knows nothing of, and what a class of somebody's keeps so."""
    cls, own = type(value), vars(value)
    found = {name: getattr(value, name, None) for name in getattr(cls, "_metadata", ()) if name != "_name"}
    for name in own:
        # `sortorder` is what a MultiIndex knows of its codes.
        if not (name.startswith("_") or name == "sortorder" or any(name in vars(base) for base in cls.__mro__)):
            found[name] = own[name]
    return found


def _extension(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"pdarray;")
    return column(walk, value, walk.number_of(value), 0)


def _index(walk: Walk, value: Any) -> Children:
    """An Index; never by identity, since it is immutable and frames share it behind the scenes."""
    pd = sys.modules["pandas"]
    cls = type(value)
    walk.pen.blob(b"index", cls.__name__.encode())
    if cls is pd.RangeIndex:
        for bound in (value.start, value.stop, value.step):
            yield Attribute("range"), int(bound)
        yield Attribute("name"), value.name
    elif cls is pd.MultiIndex:
        yield Attribute("names"), tuple(value.names)
        walk.pen.head(b"levels", value.nlevels)
        for level, codes in zip(value.levels, value.codes, strict=True):
            yield Attribute("levels"), level
            yield from column(walk, codes, -1, 0) or ()
    else:
        yield Attribute("name"), value.name
        if cls in (pd.DatetimeIndex, pd.TimedeltaIndex):
            yield Attribute("freq"), value.freq
        yield from column(walk, value._data, -1, 0) or ()
    if more := set_on(value):
        yield from attributes(walk, more)


def column(walk: Walk, value: Any, number: int, position: int) -> Children | None:
    """Write one column (numpy or extension array) of the object with this number; -1 for one nobody writes to."""
    np, pd = sys.modules["numpy"], sys.modules["pandas"]
    cls = type(value)
    if isinstance(value, np.ndarray):
        if cls is not np.ndarray:
            value = value.view(np.ndarray)
        _plain_head(walk, value, number, position)
        return _arrays.content(walk, value)
    if cls.__module__.partition(".")[0] != "pandas":
        return iter(((CONTENT, value),))
    walk.pen.blob(b"extension", cls.__name__.encode())
    walk.pen.head(b"n", len(value))
    arrays = pd.arrays
    if cls is arrays.NumpyExtensionArray:
        return column(walk, value._ndarray, number, position)
    if cls is pd.Categorical:
        return _categorical(walk, value, number, position)
    if cls in (arrays.DatetimeArray, arrays.TimedeltaArray, arrays.PeriodArray):
        return _instants(walk, value, number, position)
    if cls is arrays.IntervalArray:
        return _intervals(walk, value, number, position)
    if cls in (arrays.IntegerArray, arrays.FloatingArray, arrays.BooleanArray):
        return _nullable(walk, value, number, position)
    if cls is arrays.SparseArray:
        return _sparse(walk, value, number, position)
    if hasattr(value, "_pa_array"):
        return _arrow(walk, value)
    if isinstance(value.dtype, pd.StringDtype):
        return _strings(walk, value, number, position)
    raise Refusal(f"an array of pandas that is not covered ({cls.__name__})")


def _plain_head(walk: Walk, value: Any, number: int, position: int) -> None:
    walk.pen.blob(b"column", _arrays.dtype_key(value.dtype))
    walk.pen.head(b"n", len(value))
    _span(walk, value, number, position)


def dtype(walk: Walk, value: Any) -> Children | None:
    """Write an extension dtype of pandas."""
    pd = sys.modules["pandas"]
    cls = type(value)
    walk.pen.blob(b"pddtype", cls.__name__.encode())
    if cls is pd.CategoricalDtype:
        walk.pen.head(b"ordered", {None: 0, False: 1, True: 2}[value.ordered])
        return iter(((Attribute("categories"), value.categories),))
    if cls is pd.DatetimeTZDtype:
        walk.pen.blob(b"unit", value.unit.encode())
        return iter(((Attribute("tz"), value.tz),))
    if cls is pd.StringDtype:
        walk.pen.blob(b"storage", f"{value.storage} {'NA' if value.na_value is pd.NA else 'nan'}".encode())
        return None
    if cls is pd.SparseDtype:
        walk.pen.blob(b"subtype", _arrays.dtype_key(value.subtype))
        return iter(((Attribute("fill_value"), value.fill_value),))
    if cls is pd.ArrowDtype:
        walk.pen.blob(b"arrow", str(value.pyarrow_dtype).encode())
        from ._arrow import parameters

        parameters(walk, value.pyarrow_dtype)
        return None
    if cls is pd.IntervalDtype:
        walk.pen.blob(b"closed", str(value.closed).encode())
        return iter(((Attribute("subtype"), value.subtype),))
    walk.pen.blob(b"name", str(value).encode())  # nullable numbers, periods, numpy's: the name says all
    return None


def _span(walk: Walk, value: Any, number: int, position: int) -> None:
    if number >= 0:
        guarded = not sys.modules["pandas"].__version__.startswith(("1.", "2."))
        walk.span(value, number, position, guarded)


def _categorical(walk: Walk, value: Any, number: int, position: int) -> Children:
    yield from dtype(walk, value.dtype) or ()
    yield from column(walk, value._codes, number, position) or ()


def _instants(walk: Walk, value: Any, number: int, position: int) -> Children:
    if isinstance(value.dtype, sys.modules["numpy"].dtype):
        walk.pen.blob(b"npdtype", _arrays.dtype_key(value.dtype))
    else:
        yield from dtype(walk, value.dtype) or ()
    yield Attribute("freq"), getattr(value, "freq", None)  # pandas 3 keeps it at the index alone
    yield from column(walk, value._ndarray, number, position) or ()


def _intervals(walk: Walk, value: Any, number: int, position: int) -> Children:
    walk.pen.blob(b"closed", value.closed.encode())
    for side in (value._left, value._right):
        part = side._data if isinstance(side, sys.modules["pandas"].Index) else side
        yield from column(walk, part, number, position) or ()


def _nullable(walk: Walk, value: Any, number: int, position: int) -> Children:
    data, mask = value._data, value._mask
    _span(walk, data, number, position)
    if mask.any():
        data = data.copy()
        data[mask] = data.dtype.type(0)
    walk.pen.blob(b"nullable", _arrays.dtype_key(data.dtype))
    yield from _arrays.content(walk, data) or ()
    yield from _arrays.content(walk, mask) or ()


def _sparse(walk: Walk, value: Any, number: int, position: int) -> Children:
    yield from dtype(walk, value.dtype) or ()
    walk.pen.blob(b"kind", value.kind.encode())
    yield from column(walk, value.sp_index.to_int_index().indices, -1, 0) or ()
    yield from column(walk, value.sp_values, number, position) or ()


def _strings(walk: Walk, value: Any, number: int, position: int) -> Children:
    yield from dtype(walk, value.dtype) or ()
    items = value._ndarray
    _span(walk, items, number, position)
    missing = value.isna()
    if missing.any():
        items = items.copy()
        items[missing] = None
    yield from sequence(walk, b"objects", items.tolist()) or ()


def _arrow(walk: Walk, value: Any) -> Children:
    yield from dtype(walk, value.dtype) or ()
    from ._arrow import chunked

    yield from chunked(walk, value._pa_array) or ()
