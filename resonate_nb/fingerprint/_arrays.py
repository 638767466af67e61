"""numpy: arrays by dtype, shape and content in logical order; memory layout does not count, sharing memory does.

numpy is never imported here: a value of its types shows that it is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ._containers import sequence
from ._pen import LARGE_BYTES
from ._scalars import text
from ._walk import Attribute, Children, Refusal, Walk

_PLAIN_CHARS = frozenset("?bhilqpBHILQPefdgFDGSUVOMm")
_CHUNK_BYTES = 1_048_576


def write(walk: Walk, value: Any) -> Children | None:
    """Write a value of numpy's own types; raises Refusal for those not covered."""
    np = sys.modules["numpy"]
    cls = type(value)
    if cls is np.ndarray:
        return array(walk, value)
    if isinstance(value, np.generic):
        if value.dtype.hasobject:
            raise Refusal("a scalar record that holds objects")
        walk.pen.blob(b"npscalar", dtype_key(value.dtype))
        return content(walk, np.asarray(value))
    if isinstance(value, np.dtype):
        walk.pen.blob(b"npdtype", dtype_key(value))
        return None
    if isinstance(value, np.ma.MaskedArray):
        return _masked(walk, value, cls) if cls in (np.ma.MaskedArray,) else _masked_constant(walk, value, np)
    if isinstance(value, np.ndarray) and cls in (np.memmap, np.matrix, np.recarray, np.char.chararray):
        walk.pen.blob(b"ndsubclass", cls.__name__.encode())
        return array(walk, value.view(np.ndarray)) if not walk.met(value) else None
    if isinstance(value, (np.random.Generator, np.random.RandomState, np.random.BitGenerator)):
        return _random(walk, value, np) if not walk.met(value) else None
    if isinstance(value, np.random.SeedSequence):
        return _seeds(walk, value) if not walk.met(value) else None
    if cls is np.ufunc or is_named(value):
        walk.token(value)
        return None
    raise Refusal("this type of numpy is not covered")


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
        return sequence(walk, b"objects", value.ravel().tolist())
    if value.dtype.kind == "T":
        return sequence(walk, b"objects", value.astype(object).ravel().tolist())
    if value.dtype.char in "gG":
        value = _significant(value)
    walk.pen.stream(b"raw", value.nbytes, chunks(value))
    return None


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
    if dtype.char not in _PLAIN_CHARS or dtype.type.__module__ != "numpy":
        raise Refusal(f"dtype {dtype.name} is not numpy's own")
    return f"{dtype.type.__name__ if dtype.char == 'V' else ''}{dtype.str}".encode()


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


def _masked(walk: Walk, value: Any, cls: type) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"masked;")
    return _masked_parts(walk, value)


def _masked_parts(walk: Walk, value: Any) -> Children:
    yield Attribute("data"), value.data
    mask = value.mask
    yield Attribute("mask"), mask
    yield Attribute("fill_value"), value._fill_value
    yield Attribute("hardmask"), value.hardmask
    if getattr(value, "_basedict", None):
        yield Attribute("__dict__"), dict(value._basedict)


def _masked_constant(walk: Walk, value: Any, np: Any) -> None:
    if value is not np.ma.masked:
        raise Refusal("this kind of masked array is not covered")
    walk.pen.write(b"maskedconstant;")


def _random(walk: Walk, value: Any, np: Any) -> Children:
    walk.pen.blob(b"random", type(value).__qualname__.encode())
    if type(value).__module__.partition(".")[0] != "numpy":
        raise Refusal("a random generator of another package")
    if isinstance(value, np.random.RandomState):
        yield Attribute("state"), value.get_state(legacy=False)
    elif isinstance(value, np.random.Generator):
        yield Attribute("bit_generator"), value.bit_generator
    else:
        yield Attribute("state"), value.state
        yield Attribute("seed_seq"), value.seed_seq


def _seeds(walk: Walk, value: Any) -> Children:
    walk.pen.write(b"seedsequence;")
    yield Attribute("state"), value.state


def is_named(value: Any) -> bool:
    """Whether this is what its module and name say, such as the wrapped functions that numpy makes of its own."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    return callable(value) and module is not None and isinstance(name, str) and getattr(module, name, None) is value
