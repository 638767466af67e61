"""Arrow columns by content: chunks, offsets into shared buffers, and what lies under a null do not count.

(Two slices of one column have identical `buffers()`, and the same data in two chunks has different ones.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from . import _arrays
from ._containers import sequence
from ._remembered import LEAST_BYTES, written
from ._walk import Children, Walk


def chunked(walk: Walk, value: Any) -> Children | None:
    """Write a ChunkedArray: type, length, which are null, then the values."""
    pa = sys.modules["pyarrow"]
    kind = value.type
    walk.pen.blob(b"arrow", str(kind).encode())
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
        return sequence(walk, b"objects", value.to_pylist())
    if value.nbytes < LEAST_BYTES:
        return _flat(walk, pa, value, chunks, texts, fixed)
    buffers = [buffer for chunk in chunks for buffer in chunk.buffers() if buffer is not None]
    stretches = [(buffer.address, buffer.address + buffer.size) for buffer in buffers]
    return written(walk, value, (id(value), "arrow"), stretches, lambda: _flat(walk, pa, value, chunks, texts, fixed))


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
