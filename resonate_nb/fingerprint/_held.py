"""Which of the user's code a value holds: the classes of instances and the functions near its top, part by part.

An edit of a method changes every value that holds such an instance. Of what a summary keeps of a value it changes
nothing, so this is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any

from ._kinds import names_of
from .code._code import CodeKey
from .code._tokens import key_in
from .values._instances import is_users_class

_MOST_LOOKED_AT = 16
_MOST_PARTS = 24
"""Of names and short digests; together they are no more than a third of what is kept of a value."""
_LETTERS = 40
_SCALARS = frozenset((int, float, complex, str, bytes, bool, type(None)))
_WITHOUT_CODE = _SCALARS | {list, tuple, dict, set, frozenset}
"""Types of what is no code itself, which nearly all parts are of."""
_MOST_KEYS = 4
"""Of so many pieces of code the sources are kept, to show what was edited."""


def code_in(value: object) -> dict[str, Any]:
    """Names and short digests: ``code`` of functions and classes, ``reads`` of the data that these read; and ``keys``,
    by which `sources_in` has their sources.

    Of a value that a walk has just given its fingerprint: nothing is looked at that this walk has not met.
    """
    found: dict[str, dict[str, str]] = {"code": {}, "reads": {}}
    keys = _keys_in(value)
    for key in keys:
        for known, pieces in zip(found.values(), (key.code_parts, key.content_parts), strict=True):
            for name, digest in islice(pieces.items(), _MOST_PARTS - len(known)):
                known[name[:_LETTERS]] = digest[:8]
    told: dict[str, Any] = {kind: parts for kind, parts in found.items() if parts}
    return told | {"keys": [key.code for key in keys[:_MOST_KEYS]]} if told else {}


def sources_in(value: object) -> dict[str, Mapping[str, str]]:
    """Of the same code, by key, the canonical source of each part, without keys and passwords."""
    return {key.code: key.sources for key in _keys_in(value)[:_MOST_KEYS]}


def _keys_in(value: object) -> list[CodeKey]:
    found: dict[str, CodeKey] = {}
    pending, looked_at = [value], 0
    while pending and looked_at < _MOST_LOOKED_AT:
        part = pending.pop(0)
        looked_at += 1
        if type(part) not in _WITHOUT_CODE:
            for thing in (part, type(part)):
                if (key := key_in(thing)) is not None:
                    found.setdefault(key.code, key)
        if type(part) not in _SCALARS:
            pending += islice(_inside(part), _MOST_LOOKED_AT)
    return list(found.values())


def _inside(part: Any) -> Any:
    if type(part) is dict:
        return part.values()
    if type(part) in (list, tuple):
        return part
    if type(part) is partial:
        return (part.func, *part.args, *part.keywords.values())
    return names_of(part).values() if is_users_class(type(part)) else ()
