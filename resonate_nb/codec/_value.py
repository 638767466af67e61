"""A value as bytes and back: scalars as JSON, everything else through pickle (`_pickle`), which is loaded for it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from resonate_nb.errors import NotStoredError

from ._failure import in_words
from ._port import Encoded

_JSON_CHARACTERS = 10_000
"""Longer texts go through pickle, which writes UTF-8 as it is."""


def encode(value: object) -> Encoded:
    """The value as bytes that `decode` turns into an equal value, aliases inside it kept.

    Raises:
        UnstorableError: the value or something inside it cannot come back; `path` says where.
    """
    if (written := _as_json(value)) is not None:
        return Encoded("json", written)
    from ._pickle import pickled

    return Encoded("pickle", pickled(value))


def decode(codec: str, data: bytes) -> object:
    """The value that `encode` made bytes of: a new object at each call.

    A pickle runs whatever its bytes say: call this only after `Signer.verify` has said yes.

    Raises:
        NotStoredError: it cannot be read any more (a class is gone, a package changed, other Python for code).
    """
    try:
        match codec:
            case "json":
                return _from_json(data)
            case "pickle":
                from ._pickle import unpickled

                return unpickled(data)
    except Exception as error:
        raise NotStoredError(f"the stored value cannot be read back: {in_words(error)}") from error
    raise NotStoredError(f"the stored value has the codec {codec!r}, which this version of the package cannot read")


def _as_json(value: object) -> bytes | None:
    """JSON for scalars that come back exactly; None for all else (subclasses carry more than their value)."""
    write = _SCALARS.get(type(value))
    return None if write is None else write(value)


def _int(value: int) -> bytes | None:
    return b"%d" % value if value.bit_length() < 1024 else None  # very long ones hit Python's digit limit


def _float(value: float) -> bytes | None:
    return repr(value).encode() if math.isfinite(value) else None


def _str(value: str) -> bytes | None:
    return json.encoder.encode_basestring_ascii(value).encode() if len(value) <= _JSON_CHARACTERS else None


_SCALARS: dict[type, Callable[[Any], bytes | None]] = {
    type(None): lambda _: b"null",
    bool: lambda value: b"true" if value else b"false",
    int: _int,
    float: _float,
    str: _str,
}

_scan: Callable[[str, int], tuple[object, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _from_json(data: bytes) -> object:
    """What `json.loads` makes of it, which takes five times as long over what we wrote ourselves."""
    try:
        text = data.decode()
        value, end = _scan(text, 0)
    except (UnicodeDecodeError, StopIteration):
        return json.loads(data)
    return value if end == len(text) else json.loads(data)
