"""Time zones of pytz and dateutil, by what they are made of: those of files by their rules, not by their names."""

from __future__ import annotations

from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Refusal, Walk


def handler_of(cls: type) -> Handler:
    """The handler for one type of pytz or dateutil; raises Refusal for a type that is not covered."""
    if cls.__module__.partition(".")[0] == "pytz":
        return _pytz
    if cls.__name__ in ("tzutc", "tzoffset"):
        return _dateutil
    return handler_of_others(cls)


def _pytz(walk: Walk, value: Any) -> Children:
    # A zone and each of its offsets are instances of their own; pickle's arguments are name, offset, saving, label.
    _, arguments, *more = value.__reduce__()
    if any(part is not None for part in more):
        raise Refusal("this type of pytz is not covered")
    walk.pen.blob(b"pytz", type(value).__name__.encode())
    return iter(((Attribute("zone"), arguments),))


def _dateutil(walk: Walk, value: Any) -> Children:
    walk.pen.blob(b"dateutil", type(value).__name__.encode())
    parts = ("dateutil.tzutc",) if type(value).__name__ == "tzutc" else (value._name, value._offset)
    return iter(((Attribute("zone"), parts),))
