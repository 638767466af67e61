"""Values without parts: numbers, text, dates and the like, each under a tag of its own.

`1`, `True`, `1.0` and `0.0`, `-0.0` are apart; every NaN is equal to every other.
"""

from __future__ import annotations

import datetime
import marshal
import math
import operator
import re
import struct
import sys
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any

from ._walk import Attribute, Children, Handler, Refusal, Walk

if TYPE_CHECKING:
    from contextvars import ContextVar
    from decimal import Decimal
    from fractions import Fraction
    from pathlib import PurePath
    from random import Random
    from uuid import UUID
    from zoneinfo import ZoneInfo

NAN = math.nan
_ROWS = {tuple}
_ATOMS = frozenset((int, float, str, bytes, bool, type(None), complex))


def atoms(items: Any, types: set[type]) -> bytes | None:
    """One canonical run of bytes for builtin scalars in a list, tuple or dict, or rows of them; None for others.

    marshal's version 2 keeps no table of objects seen and tells all of these types apart, but would write anything
    with a buffer (an array, a numpy scalar) as plain bytes: hence the types, compared exactly, from the caller.
    """
    values = items
    if types == _ROWS and type(items) is list:
        values = list(chain.from_iterable(items))
        types = set(map(type, values))
    if not types <= _ATOMS:
        return None
    if float in types or complex in types:
        values = [*items, *items.values()] if isinstance(items, dict) else values
        if types == {float}:
            total = sum(values)  # NaN where one of them is (or infinities meet, which the next line survives)
            has_nan = total != total
        else:
            has_nan = any(map(operator.ne, values, values))
        if has_nan:
            if values is not items or complex in types:
                return None
            items = [NAN if item != item else item for item in items]
    try:
        return marshal.dumps(items, 2)
    except ValueError:  # one string beyond what marshal can measure
        return None


def real(value: float) -> bytes:
    """Eight bytes; the sign of zero counts, the payload of a NaN does not."""
    return struct.pack("<d", value if value == value else NAN)


def integer(value: int) -> bytes:
    """The shortest two's complement, little-endian."""
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def text(value: str) -> bytes:
    """UTF-8, in which lone surrogates are kept."""
    return value.encode("utf-8", "surrogatepass")


def _constant(tag: bytes) -> Handler:
    encoded = tag + b";"
    return lambda walk, _: walk.pen.write(encoded)


def _bool(walk: Walk, value: bool) -> None:
    walk.pen.write(b"true;" if value else b"false;")


def _int(walk: Walk, value: int) -> None:
    walk.pen.blob(b"i", integer(value))


def _float(walk: Walk, value: float) -> None:
    walk.pen.write(b"f;" + real(value))


def _complex(walk: Walk, value: complex) -> None:
    walk.pen.write(b"c;" + real(value.real) + real(value.imag))


def _str(walk: Walk, value: str) -> None:
    walk.pen.blob(b"s", text(value))


def _bytes(walk: Walk, value: bytes) -> None:
    walk.pen.blob(b"b", value)


def _range(walk: Walk, value: range) -> None:
    walk.pen.write(b"range;")
    for bound in (value.start, value.stop, value.step):
        _int(walk, bound)


def _slice(walk: Walk, value: slice) -> Children:
    walk.pen.write(b"slice;")
    return iter(((Attribute("start"), value.start), (Attribute("stop"), value.stop), (Attribute("step"), value.step)))


def _moment(tag: bytes, kind: type) -> Handler:
    """A date, time or datetime: its packed state (fold included) and its zone."""

    read: Any = kind.__reduce_ex__

    def write(walk: Walk, value: Any) -> Children | None:
        packed, *zone = read(value, 4)[1]
        walk.pen.blob(tag, packed)
        if zone:
            return iter(((Attribute("tzinfo"), zone[0]),))
        walk.pen.write(b"nozone;")
        return None

    return write


def _timedelta(walk: Walk, value: datetime.timedelta) -> None:
    walk.pen.write(b"timedelta;")
    for part in (value.days, value.seconds, value.microseconds):
        _int(walk, part)


def _timezone(walk: Walk, value: datetime.timezone) -> None:
    offset, *name = value.__getinitargs__()  # type: ignore[attr-defined]
    walk.pen.head(b"timezone", len(name))
    _timedelta(walk, offset)
    for given in name:
        _str(walk, given)


def _zone(walk: Walk, value: ZoneInfo) -> None:
    try:
        value.__reduce__()
    except Exception as error:  # `pickle.PicklingError`, of a module that need not be loaded
        raise Refusal("a zone read from a file has no name of its own") from error
    walk.pen.blob(b"zone", text(value.key))


def _decimal(walk: Walk, value: Decimal) -> None:
    sign, digits, exponent = value.as_tuple()
    walk.pen.blob(b"decimal", f"{sign} {exponent} {''.join(map(str, digits))}".encode())


def _fraction(walk: Walk, value: Fraction) -> None:
    walk.pen.write(b"fraction;")
    _int(walk, value.numerator)
    _int(walk, value.denominator)


def _uuid(walk: Walk, value: UUID) -> None:
    walk.pen.write(b"uuid;" + value.bytes)
    _str(walk, value.is_safe.name)


def _path(walk: Walk, value: PurePath) -> None:
    walk.pen.blob(type(value).__name__.encode(), text(str(value)))


def _pattern(walk: Walk, value: re.Pattern[Any]) -> None:
    walk.pen.write(b"pattern;")
    if isinstance(value.pattern, str):
        _str(walk, value.pattern)
    elif isinstance(value.pattern, bytes):
        _bytes(walk, value.pattern)
    else:
        raise Refusal("its pattern is neither str nor bytes")
    _int(walk, value.flags)


def _struct(walk: Walk, value: Any) -> None:
    walk.pen.blob(b"struct", text(value.format))


def _random(walk: Walk, value: Random) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"random;")
    return iter(((Attribute("state"), value.getstate()),))


def _array(walk: Walk, value: array[Any]) -> None:
    if not walk.met(value):
        walk.pen.head(b"array", ord(value.typecode))
        if value.typecode in "uw":
            _str(walk, value.tounicode())
        else:
            walk.pen.head(b"itemsize", value.itemsize)
            walk.pen.blob(b"b", memoryview(value).cast("B") if len(value) else b"")
        walk.buffer(value)


def _bytearray(walk: Walk, value: bytearray) -> None:
    if not walk.met(value):
        walk.pen.blob(b"bytearray", value)
        walk.buffer(value)


def _version(walk: Walk, value: tuple[Any, ...]) -> None:
    walk.pen.blob(b"version", text(repr(tuple(value))))


HANDLERS: dict[type, Handler] = {
    type(None): _constant(b"none"),
    type(Ellipsis): _constant(b"ellipsis"),
    type(NotImplemented): _constant(b"notimplemented"),
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    range: _range,
    slice: _slice,
    datetime.date: _moment(b"date", datetime.date),
    datetime.time: _moment(b"time", datetime.time),
    datetime.datetime: _moment(b"datetime", datetime.datetime),
    datetime.timedelta: _timedelta,
    datetime.timezone: _timezone,
    re.Pattern: _pattern,
    array: _array,
    type(sys.version_info): _version,
}


def _context_variable(walk: Walk, value: ContextVar[Any]) -> Children | None:
    """By what it gives here and now."""
    if walk.met(value):
        return None
    walk.pen.blob(b"contextvar", text(value.name))
    try:
        return iter(((Attribute("get()"), value.get()),))
    except LookupError:
        return None


# The same for types whose modules are not imported for this; looked up when one of them is met.
NAMED: dict[str, Handler] = {
    "_contextvars.ContextVar": _context_variable,
    "_struct.Struct": _struct,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    "pathlib.PurePosixPath": _path,
    "pathlib.PureWindowsPath": _path,
    "pathlib.PosixPath": _path,
    "pathlib.WindowsPath": _path,
    "pathlib._local.PurePosixPath": _path,
    "pathlib._local.PureWindowsPath": _path,
    "pathlib._local.PosixPath": _path,
    "pathlib._local.WindowsPath": _path,
    "random.Random": _random,
    "uuid.UUID": _uuid,
    "zoneinfo.ZoneInfo": _zone,
}
