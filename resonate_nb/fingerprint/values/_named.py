"""The fingerprints of named values, and a short way to them for plain ones: scalars, flat tuples, lists and dicts.

Most calls have no other arguments, and a walk would cost them more than all the rest of a hit. The bytes are those of
the walk (`tests/fingerprint/test_values_plain.py` compares the two); what is not small or not covered is left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from blake3 import blake3

from ._pen import COUNTS, DIGEST_BYTES, SIZES, Pen, Piece
from ._scalars import NAN, atoms, text
from ._walk import START

_MAX_KNOWN = 1_024
_NO_LINKS = b"links" + COUNTS[0]
_NONE, _TRUE, _FALSE = (START + written for written in (b"none;", b"true;", b"false;"))
_INT, _FLOAT, _STR, _BYTES = (START + tag for tag in (b"i", b"f;", b"s", b"b"))
_TUPLE, _LIST, _DICT = (START + tag for tag in (b"tuple", b"list", b"dict"))
_REAL = struct.Struct("<d")


Noted = Sequence[tuple[object, Piece]]
"""Steps to the first parts of a value, each with what was written of it; empty for a value without parts."""


class Digests(NamedTuple):
    """The fingerprints of several named values that are looked at together."""

    joint: str
    """Of all of them in one walk, in hex: names, contents, and which mutable objects and memory they share."""
    names: tuple[str, ...]
    digests: tuple[bytes, ...]
    """Of each by itself, in the order of the names."""
    noted: Mapping[str, Noted] = MappingProxyType({})
    """What the walk noted of their parts; empty where there was no need of a walk, since all are plain."""
    services: tuple[str, ...] = ()
    """Of the clients, connections and the like in them: the path, the type and what of it counts."""
    unsure: tuple[str, ...] = ()
    """What is not seen of code and services among the values, as in `CodeKey.unsure`."""
    packages: tuple[str, ...] = ()
    """Import names of the installed packages whose types are among the values: code that asks them uses these."""

    @property
    def parts(self) -> Mapping[str, str]:
        """Of each by itself, by name, in hex. Few ask, so it is made when asked for."""
        return MappingProxyType({name: digest.hex() for name, digest in zip(self.names, self.digests, strict=True)})


_known: dict[tuple[str | bytes, ...], Digests] = {}
"""By names and written values: hashing them would take half of the time again."""


def plain_digests(values: Mapping[str, object]) -> Digests | None:
    """The fingerprints of named values, however often they were asked for; None where the walk must look."""
    key: list[str | bytes] = [*values]
    for value in values.values():
        written = plain_bytes(value)
        if written is None:
            return None
        key.append(written)
    if is_shared(values):
        return None
    place = tuple(key)
    found = _known.get(place)
    if found is None:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        found = _known[place] = _hashed(tuple(values), place[len(values) :])
    return found


def joint_of_scalars(names: tuple[str, ...], values: tuple[object, ...]) -> str | None:
    """The joint fingerprint of named scalars, which is not remembered: for who has many to ask for, once each. None
    where the walk must look."""
    order, head = _head(names)
    digests = []
    for value in values:
        if type(value) in _UNSHARED and (written := _WRITERS[type(value)](value)) is not None:
            digests.append(blake3(written).digest(DIGEST_BYTES))
        else:
            return None
    if order is not None:
        digests = [digests[position] for position in order]
    return blake3(b"".join((head, *digests, _NO_LINKS))).digest(DIGEST_BYTES).hex()


def is_plain(cls: type) -> bool:
    """Whether values of a type may be plain."""
    return cls in _WRITERS


def plain_bytes(value: object) -> bytes | None:
    """What a walk writes of a plain value; None for all others."""
    write = _WRITERS.get(type(value))
    return None if write is None else write(value)


def _hashed(names: tuple[str, ...], written: tuple[Any, ...]) -> Digests:
    digests = tuple([blake3(data).digest(DIGEST_BYTES) for data in written])
    order, head = _head(names)
    ordered = digests if order is None else [digests[position] for position in order]
    joint = blake3(b"".join((head, *ordered, _NO_LINKS)))
    return Digests(joint.digest(DIGEST_BYTES).hex(), names, digests)


@lru_cache(maxsize=1024)
def _head(names: tuple[str, ...]) -> tuple[list[int] | None, bytes]:
    """The positions of the names in their order, None if they stand in it, and what is written of them."""
    pen = Pen()
    order = sorted(range(len(names)), key=names.__getitem__)
    for position in order:
        pen.blob(b"name", text(names[position]))
    pen.head(b"values", len(order))
    return None if order == list(range(len(names))) else order, pen.written()


def is_shared(values: Mapping[str, object]) -> bool:
    """Whether two names stand for one list or dict: the joint fingerprint tells."""
    if len(values) < 2 or _MUTABLE.isdisjoint(map(type, values.values())):
        return False
    mutable = [id(value) for value in values.values() if type(value) in _MUTABLE]
    return len(set(mutable)) < len(mutable)


_MUTABLE = frozenset((list, dict))
_UNSHARED = frozenset((int, str, float, bool, bytes, type(None)))


def _int(value: int) -> bytes | None:
    size = value.bit_length() // 8 + 1
    return _INT + SIZES[size] + value.to_bytes(size, "little", signed=True) if size < 256 else None


def _float(value: float) -> bytes:
    return _FLOAT + _REAL.pack(value if value == value else NAN)


def _str(value: str) -> bytes | None:
    return _sized(_STR, value.encode("utf-8", "surrogatepass")) if len(value) < 256 else None


def _sized(head: bytes, data: bytes | None) -> bytes | None:
    return None if data is None or len(data) >= 256 else head + SIZES[len(data)] + data


def _flat(head: bytes) -> Callable[[Any], bytes | None]:
    return lambda value: _sized(head, atoms(value, set(map(type, value)))) if len(value) < 256 else None


def _dict(value: dict[Any, Any]) -> bytes | None:
    if len(value) >= 256:
        return None
    return _sized(_DICT, atoms(value, {*map(type, value), *map(type, value.values())}))


_WRITERS: dict[type, Callable[[Any], bytes | None]] = {
    type(None): lambda _: _NONE,
    bool: lambda value: _TRUE if value else _FALSE,
    int: _int,
    float: _float,
    str: _str,
    bytes: lambda value: _sized(_BYTES, value),
    tuple: _flat(_TUPLE),
    list: _flat(_LIST),
    dict: _dict,
}
