"""Arrow columns by content: chunks, offsets into shared buffers, and what lies under a null do not count.

(Two slices of one column have identical `buffers()`, and the same data in two chunks has different ones.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from ..memory._remembered import LEAST_BYTES, written
from ..values._containers import sequence
from ..values._reduced import handler_of as handler_of_others
from ..values._scalars import text
from ..values._walk import CONTENT, Attribute, Children, Handler, Part, Refusal, Walk
from . import _arrays


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of pyarrow; raises Refusal for a type that is not covered."""
    pa = sys.modules["pyarrow"]
    if issubclass(cls, (pa.Table, pa.RecordBatch)):
        return _table
    if issubclass(cls, (pa.Array, pa.ChunkedArray)):
        return _array
    if issubclass(cls, pa.Scalar):
        return _scalar
    if issubclass(cls, pa.DataType):
        return _type
    if issubclass(cls, pa.Field):
        return _field
    if issubclass(cls, pa.Schema):
        return _schema
    if issubclass(cls, pa.Buffer):
        return lambda walk, value: walk.pen.blob(b"arrowbuffer", memoryview(value).cast("B"))
    if cls.__module__ in ("pyarrow._compute", "pyarrow._csv", "pyarrow._json", "pyarrow._parquet"):
        return handler_of_others(cls)
    raise Refusal("what it stands for is elsewhere; pass the table, or the path")


# All of these are immutable: they never count by identity.


def _table(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"arrowtable", type(value).__name__.encode())
    walk.pen.head(b"n", value.num_rows)
    yield Attribute("schema"), value.schema
    for name, column in zip(value.schema.names, value.columns, strict=True):
        yield name, Part(_column(walk, column))


def _column(walk: Walk, value: Any) -> Children:
    yield from _whole(walk, value) or ()


def _array(walk: Walk, value: Any) -> Children | None:
    walk.pen.blob(b"arrowarray", b"chunked" if hasattr(value, "chunks") else b"")
    return _whole(walk, value)


def _whole(walk: Walk, value: Any) -> Children | None:
    pa = sys.modules["pyarrow"]
    return chunked(walk, value if isinstance(value, pa.ChunkedArray) else pa.chunked_array([value]))


def _scalar(walk: Walk, value: Any) -> Children | None:
    walk.pen.write(b"arrowscalar;")
    pa = sys.modules["pyarrow"]
    kind = value.type
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        walk.pen.blob(b"arrow", text(str(kind)))
        return iter(((CONTENT, value.as_py()),))
    return _whole(walk, pa.array([value], kind))


def _type(walk: Walk, value: Any) -> Children | None:
    walk.pen.blob(b"arrowtype", text(str(value)))
    return iter((Attribute("field"), value.field(number)) for number in range(value.num_fields))


def _field(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"arrowfield", text(value.name))
    walk.pen.head(b"nullable", int(value.nullable))
    return iter(((Attribute("type"), value.type), (Attribute("metadata"), _sorted(value.metadata))))


def _schema(walk: Walk, value: Any) -> Children:
    walk.pen.head(b"arrowschema", len(value))
    yield from enumerate(value)
    yield Attribute("metadata"), _sorted(value.metadata)


def _sorted(metadata: dict[bytes, bytes] | None) -> list[tuple[bytes, bytes]] | None:
    return None if metadata is None else sorted(metadata.items())


def parameters(walk: Walk, kind: Any) -> None:
    """Write what types of others in a type were told, which the text of a type does not say."""
    if isinstance(kind, sys.modules["pyarrow"].ExtensionType):
        walk.pen.blob(b"parameters", kind.__arrow_ext_serialize__())
        return
    for number in range(kind.num_fields):
        parameters(walk, kind.field(number).type)


def chunked(walk: Walk, value: Any) -> Children | None:
    """Write a ChunkedArray: type, length, which are null, then the values."""
    pa = sys.modules["pyarrow"]
    kind = value.type
    walk.pen.blob(b"arrow", str(kind).encode())
    parameters(walk, kind)
    walk.pen.head(b"n", len(value))
    types = pa.types
    chunks = [chunk for chunk in value.chunks if len(chunk)]
    if types.is_null(kind):
        return None
    if types.is_dictionary(kind):
        return _dictionary(walk, pa, value)
    texts = types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    fixed = (types.is_primitive(kind) and not types.is_boolean(kind)) or types.is_decimal(kind)
    if not (texts or fixed or types.is_boolean(kind)):
        return _others(walk, pa, value, chunks)
    if value.nbytes < LEAST_BYTES:
        return _flat(walk, pa, value, chunks, texts, fixed)
    buffers = [buffer for chunk in chunks for buffer in chunk.buffers()]
    stretches = [(buffer.address, buffer.address + buffer.size) for buffer in buffers if buffer is not None]
    parts = [(chunk.offset, len(chunk)) for chunk in chunks]
    nulls = [buffer is None for buffer in buffers]
    place = ("arrow", str(kind), *parts, *nulls, *stretches)
    return written(walk, place, stretches, lambda: _flat(walk, pa, value, chunks, texts, fixed))


def _flat(walk: Walk, pa: Any, value: Any, chunks: list[Any], texts: bool, fixed: bool) -> Children | None:
    kind = value.type
    if value.null_count:
        walk.pen.stream(b"nulls", len(value), (_booleans(chunk.is_null()) for chunk in chunks))
        chunks = [_filled(pa, chunk, kind, texts) for chunk in chunks]
    else:
        walk.pen.write(b"nonulls;")
    if pa.types.is_boolean(kind):
        walk.pen.stream(b"raw", len(value), (_booleans(chunk) for chunk in chunks))
    elif fixed:
        width = kind.bit_width // 8
        walk.pen.stream(b"raw", len(value) * width, (_fixed(chunk, width) for chunk in chunks))
    else:
        _texts(walk, chunks, pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))
    return None


def _others(walk: Walk, pa: Any, value: Any, chunks: list[Any]) -> Children | None:
    """Write values that have no buffer of their own: nested ones by their parts, rows of plain ones as objects."""
    types, kind = pa.types, value.type
    if isinstance(kind, pa.BaseExtensionType):
        return chunked(walk, pa.chunked_array([chunk.storage for chunk in chunks], kind.storage_type))
    if types.is_run_end_encoded(kind) or types.is_union(kind):
        raise Refusal(f"Arrow's type {kind} is not covered")
    if types.is_struct(kind):
        return _structs(walk, pa, kind, chunks)
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if is_list and (types.is_nested(kind.value_type) or not types.is_primitive(kind.value_type)):
        return _lists(walk, pa, kind, chunks)
    if types.is_map(kind):
        return _lists(walk, pa, kind, chunks)
    return sequence(walk, b"objects", value.to_pylist())


def _structs(walk: Walk, pa: Any, kind: Any, chunks: list[Any]) -> Children:
    walk.pen.stream(b"nulls", sum(map(len, chunks)), (_booleans(chunk.is_null()) for chunk in chunks))
    chunks = [chunk.filter(chunk.is_valid()) for chunk in chunks]
    for number in range(kind.num_fields):
        field = kind.field(number)
        parts = pa.chunked_array([chunk.field(number) for chunk in chunks], field.type)
        yield Attribute(field.name), Part(iter(chunked(walk, parts) or ()))


def _lists(walk: Walk, pa: Any, kind: Any, chunks: list[Any]) -> Children:
    walk.pen.stream(b"nulls", sum(map(len, chunks)), (_booleans(chunk.is_null()) for chunk in chunks))
    chunks = [chunk.filter(chunk.is_valid()) for chunk in chunks]
    lengths = [_lengths(chunk) for chunk in chunks]
    walk.pen.stream(
        b"lengths", sum(part.nbytes for part in lengths), (c for part in lengths for c in _arrays.chunks(part))
    )
    inside = pa.struct([kind.key_field, kind.item_field]) if pa.types.is_map(kind) else kind.value_type
    parts = pa.chunked_array([_inside(pa, chunk) for chunk in chunks], inside)
    yield Attribute("inside"), Part(iter(chunked(walk, parts) or ()))


def _lengths(chunk: Any) -> Any:
    numpy = sys.modules["numpy"]
    if hasattr(chunk, "offsets"):
        return numpy.diff(chunk.offsets.to_numpy()).astype("<i8")
    return numpy.full(len(chunk), chunk.type.list_size, "<i8")


def _inside(pa: Any, chunk: Any) -> Any:
    if not pa.types.is_map(chunk.type):
        return chunk.flatten()
    low, high = chunk.offsets[0].as_py(), chunk.offsets[-1].as_py()
    keys, items = chunk.keys[low:high], chunk.items[low:high]
    return pa.StructArray.from_arrays([keys, items], fields=[chunk.type.key_field, chunk.type.item_field])


def _dictionary(walk: Walk, pa: Any, value: Any) -> Children:
    joined = value.unify_dictionaries()
    if joined.num_chunks:
        yield from chunked(walk, pa.chunked_array([joined.chunk(0).dictionary])) or ()
        yield from chunked(walk, pa.chunked_array([chunk.indices for chunk in joined.chunks])) or ()


def _filled(pa: Any, chunk: Any, kind: Any, texts: bool) -> Any:
    """The same values with zero, or nothing, in the place of each null."""
    if not chunk.null_count:
        return chunk
    compute = sys.modules.get("pyarrow.compute") or __import__("pyarrow.compute").compute
    if texts:
        empty: object = "" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else b""
        return compute.fill_null(chunk, pa.scalar(empty, kind))
    if pa.types.is_boolean(kind):
        return compute.fill_null(chunk, False)
    zero = pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bytes(kind.bit_width // 8))])[0]
    return compute.fill_null(chunk, zero)


def _booleans(chunk: Any) -> memoryview | bytes:
    return next(iter(_arrays.chunks(chunk.to_numpy(zero_copy_only=False))), b"")


def _fixed(chunk: Any, width: int) -> memoryview:
    data = memoryview(chunk.buffers()[1]).cast("B")
    return data[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def _texts(walk: Walk, chunks: list[Any], large: bool) -> None:
    np = sys.modules["numpy"]
    bounds = []
    for chunk in chunks:
        offsets = np.frombuffer(chunk.buffers()[1], dtype="<i8" if large else "<i4")
        bounds.append((chunk, offsets[chunk.offset : chunk.offset + len(chunk) + 1]))
    rows = sum(len(offsets) - 1 for _, offsets in bounds)
    total = sum(int(offsets[-1]) - int(offsets[0]) for _, offsets in bounds)
    lengths: Callable[[], Iterator[memoryview | bytes]] = lambda: (  # noqa: E731
        part for _, offsets in bounds for part in _arrays.chunks(np.diff(offsets))
    )
    walk.pen.stream(b"lengths", rows * (8 if large else 4), lengths())
    walk.pen.stream(b"text", total, (_between(chunk, offsets) for chunk, offsets in bounds))


def _between(chunk: Any, offsets: Any) -> memoryview | bytes:
    data = chunk.buffers()[2]
    return memoryview(data).cast("B")[int(offsets[0]) : int(offsets[-1])] if data is not None else b""
