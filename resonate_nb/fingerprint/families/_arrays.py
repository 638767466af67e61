"""numpy: arrays by dtype, shape and content in logical order; memory layout does not count, sharing memory does.

numpy is never imported here: a value of its types shows that it is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from xxhash import xxh3_128

from ..memory._remembered import array_written
from ..values._containers import attributes, sequence
from ..values._instances import attributes_of, hidden_state
from ..values._pen import LARGE_BYTES
from ..values._reduced import handler_of as handler_of_others
from ..values._reduced import is_named
from ..values._scalars import text
from ..values._walk import CONTENT, Attribute, Children, Handler, Refusal, Walk

_PLAIN_CHARS = frozenset("?bhilqpBHILQPefdgFDGSUVOMm")
_NUMBER_CHARS = frozenset("?bhilqpBHILQPefdFD")
_CHUNK_BYTES = 1_048_576


def handler_of(cls: type) -> Handler:
    """The handler for values of one of numpy's own types; raises Refusal for a type that is not covered."""
    np = sys.modules["numpy"]
    if cls is np.ndarray:
        return array
    if issubclass(cls, np.generic):
        return _number_of(cls) if issubclass(cls, (np.number, np.bool_)) and cls.__module__ == "numpy" else _scalar
    if issubclass(cls, np.dtype):
        return _dtype
    if cls is np.ma.MaskedArray:
        return _masked
    if issubclass(cls, np.ndarray) and cls.__name__ in ("memmap", "matrix", "recarray"):
        return _dressed
    if issubclass(cls, (np.random.Generator, np.random.RandomState, np.random.BitGenerator)):
        return _random
    if cls is np.random.SeedSequence:
        return _seeds
    return named


def named(walk: Walk, value: Any) -> Children | None:
    """Write what its module has under its name, such as a ufunc, else the value as `_reduced` does."""
    if value is getattr(getattr(sys.modules.get("numpy"), "ma", None), "masked", None):
        walk.pen.write(b"masked;")
    elif type(value).__name__ == "ufunc" or is_named(value):
        walk.token(value)
    else:
        return handler_of_others(type(value))(walk, value)
    return None


def subclass_of(cls: type) -> Handler | None:
    """The handler for a class that somebody made out of ndarray: its class, its attributes, and the array; else None.

    Raises:
        Refusal: its objects hold more than that.
    """
    ndarray = sys.modules["numpy"].ndarray
    if not issubclass(cls, ndarray):
        return None
    reason = hidden_state(cls, ndarray)
    if reason:
        raise Refusal(reason)

    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(b"arrayclass;")
        walk.token(cls)
        return parts(walk, value)

    def parts(walk: Walk, value: Any) -> Children:
        yield CONTENT, ndarray.view(value, ndarray)
        yield from attributes(walk, attributes_of(value))

    return write


def array(walk: Walk, value: Any) -> Children | None:
    """Write a plain ndarray: dtype, shape, content; its place in memory is noted."""
    if walk.met(value):
        return None
    walk.pen.blob(b"ndarray", dtype_key(value.dtype))
    walk.pen.head(b"shape", value.ndim)
    for length in value.shape:
        walk.pen.head(b"n", length)
    walk.span(value, walk.number_of(value))
    return content(walk, value)


def content(walk: Walk, value: Any) -> Children | None:
    """Write the elements in logical (C) order, whatever the layout; a record field by field, never its padding."""
    if value.dtype.names is not None:
        return _fields(walk, value)
    if value.dtype.kind == "O":
        return array_written(walk, value, "objects", lambda: sequence(walk, b"objects", value.ravel().tolist()))
    if value.dtype.kind == "T":
        return sequence(walk, b"objects", value.astype(object).ravel().tolist())
    if value.dtype.char in "gG":
        value = _significant(value)
    return raw(walk, value)


def raw(walk: Walk, value: Any) -> Children | None:
    """Write the bytes of the elements in C order."""
    return array_written(walk, value, "raw", lambda: walk.pen.stream(b"raw", value.nbytes, chunks(value)))


def chunks(value: Any) -> Iterator[memoryview | bytes]:
    """The bytes of the elements in C order; in place where the memory is contiguous, else a megabyte at a time."""
    if value.nbytes == 0:
        return
    if value.flags.c_contiguous:
        yield memoryview(value.reshape(-1).view("u1"))
    elif value.nbytes < LARGE_BYTES or value.shape[0] == 0:
        yield value.tobytes()
    else:
        rows = max(1, _CHUNK_BYTES * value.shape[0] // value.nbytes)
        for start in range(0, value.shape[0], rows):
            yield value[start : start + rows].tobytes()


def digests_of_strided(arrays: list[Any]) -> dict[int, bytes]:
    """The xxh3_128 digests of large one-dimensional arrays that lie between one another, by position, in one pass.

    A frame made over a table that is stored row by row has such columns: each by itself would read all of the memory.
    """
    np = sys.modules["numpy"]
    found: dict[int, bytes] = {}
    run: list[int] = []
    for position, array in enumerate(arrays):
        if not _is_strided(np, array):
            continue
        ends = [arrays[one] for one in (*run[:1], *run[-1:])]
        if run and (position != run[-1] + 1 or not _follows(ends, array, len(run))):
            found.update(_digests(np, arrays, run))
            run = []
        run.append(position)
    found.update(_digests(np, arrays, run))
    return found


def _is_strided(np: Any, array: Any) -> bool:
    return (
        type(array) is np.ndarray
        and array.strides != (array.itemsize,)
        and array.nbytes >= LARGE_BYTES
        and array.dtype.char in _NUMBER_CHARS
    )


def _follows(run: list[Any], array: Any, count: int) -> bool:
    """Whether an array goes on where a run of `count` arrays, given by the first and the last, leaves off."""
    first, last = run
    if array.base is None or array.base is not first.base or array.dtype != first.dtype:
        return False
    step = _address(array) - _address(last)
    return (
        array.strides == first.strides
        and array.shape == first.shape
        and (count == 1 or step * (count - 1) == _address(last) - _address(first))
    )


def _address(array: Any) -> int:
    found: int = array.__array_interface__["data"][0]
    return found


def _digests(np: Any, arrays: list[Any], run: list[int]) -> Iterator[tuple[int, bytes]]:
    if len(run) < 2:
        return
    first = arrays[run[0]]
    step = _address(arrays[run[1]]) - _address(first)
    table = np.lib.stride_tricks.as_strided(first, (len(run), len(first)), (step, first.strides[0]), writeable=False)
    hashers = [xxh3_128() for _ in run]
    rows = max(1, _CHUNK_BYTES // (first.itemsize * len(run)))
    for start in range(0, len(first), rows):
        turned = table[:, start : start + rows].copy(order="C").view("u1")
        for hasher, row in zip(hashers, turned, strict=True):
            hasher.update(row)
    for position, hasher in zip(run, hashers, strict=True):
        yield position, hasher.digest()


def dtype_key(dtype: Any) -> bytes:
    """What a dtype is, in bytes: kind, size, byte order, unit; for records names, titles, offsets and all below."""
    if dtype.metadata:
        raise Refusal("its dtype carries metadata")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return b"(%b%b)" % (dtype_key(base), repr(tuple(map(int, shape))).encode())
    if dtype.names is not None:
        parts = [f"{dtype.type.__name__} {dtype.itemsize} {len(dtype.names)}".encode()]
        for name in dtype.names:
            field, offset, *title = dtype.fields[name]
            if title and not isinstance(title[0], str):
                raise Refusal("a field of its dtype has a title that is no text")
            for part in (text(name), str(offset).encode(), *map(text, title), dtype_key(field)):
                parts.append(b"%d:%b" % (len(part), part))
            parts.append(b"T" if title else b"F")
        return b"{%b}" % b",".join(parts)
    if dtype.kind == "T":
        if hasattr(dtype, "na_object"):
            missing = dtype.na_object
            if missing is not None and missing == missing:
                raise Refusal("its StringDType has an unusual missing value")
            return f"StringDType {dtype.coerce} {type(missing).__name__}".encode()
        return f"StringDType {dtype.coerce}".encode()
    if dtype.type.__module__ == "ml_dtypes":  # bfloat16 and others that jax brings along
        return f"ml_dtypes.{dtype.name}".encode()
    if dtype.char not in _PLAIN_CHARS or dtype.type.__module__ != "numpy":
        raise Refusal(f"dtype {dtype.name} is not numpy's own")
    if dtype.char == "V":
        return f"{dtype.type.__name__} {dtype.str}".encode()
    # Two C types of one size (`long`, `long long`) are one dtype here as they are to numpy and in a pickle.
    return str(dtype.str).encode()


def _fields(walk: Walk, value: Any) -> Children:
    for name in value.dtype.names:
        walk.pen.blob(b"field", text(name))
        yield from content(walk, value[name]) or ()


def _significant(value: Any) -> Any:
    """The bytes of long doubles that mean something: x86 pads ten bytes to sixteen with whatever lay there."""
    np = sys.modules["numpy"]
    size = np.dtype("g").itemsize
    used = 10 if np.finfo("g").nmant == 63 else size
    flat = np.ascontiguousarray(value).reshape(-1).view("u1").reshape(-1, size)
    return np.ascontiguousarray(flat[:, :used])


def _number_of(cls: Any) -> Handler:
    """The handler for one class of numbers, whose dtype is always the same."""
    dtype = sys.modules["numpy"].dtype(cls)
    if dtype.char not in _NUMBER_CHARS:
        return _scalar
    key = dtype_key(dtype) + b" " + cls.__name__.encode()  # `longlong` is a class of its own beside `int64`
    is_real = dtype.kind == "f"

    def write(walk: Walk, value: Any) -> None:
        walk.pen.blob(b"npscalar", key)
        if is_real and value != value:
            walk.pen.write(b"nan;")
        else:
            walk.pen.blob(b"raw", value.tobytes())

    return write


def _scalar(walk: Walk, value: Any) -> Children | None:
    dtype = value.dtype
    if dtype.hasobject:
        raise Refusal("it is a record that holds objects")
    walk.pen.blob(b"npscalar", dtype_key(dtype))
    if dtype.kind == "f" and value != value:
        walk.pen.write(b"nan;")
        return None
    if dtype.names is None and dtype.char not in "gG":
        walk.pen.blob(b"raw", value.tobytes())
        return None
    return content(walk, sys.modules["numpy"].asarray(value))


def _dtype(walk: Walk, value: Any) -> None:
    walk.pen.blob(b"npdtype", dtype_key(value))


def _dressed(walk: Walk, value: Any) -> Children | None:
    """A subclass of ndarray that adds methods, no content (a memmap without its file, as it comes out of a pickle)."""
    if walk.met(value):
        return None
    walk.pen.blob(b"ndsubclass", type(value).__name__.encode())
    return array(walk, value.view(sys.modules["numpy"].ndarray))


def _masked(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"maskedarray;")
    return _masked_parts(value)


def _masked_parts(value: Any) -> Children:
    yield Attribute("data"), value.data
    yield Attribute("mask"), value.mask
    # Of a view: the property writes the default down where it was not asked for before.
    yield Attribute("fill_value"), value.view().fill_value
    yield Attribute("hardmask"), bool(value.hardmask)
    yield Attribute("__dict__"), dict(value._basedict or {})


def _random(walk: Walk, value: Any) -> Children | None:
    return None if walk.met(value) else _random_parts(walk, value)


def _random_parts(walk: Walk, value: Any) -> Children:
    random = sys.modules["numpy"].random
    walk.pen.blob(b"random", type(value).__qualname__.encode())
    if isinstance(value, random.RandomState):
        yield Attribute("state"), value.get_state(legacy=False)
    elif isinstance(value, random.Generator):
        yield Attribute("bit_generator"), value.bit_generator
    else:
        yield Attribute("state"), value.state
        yield Attribute("seed_seq"), value.seed_seq


def _seeds(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"seedsequence;")
    return iter(((Attribute("state"), value.state),))
