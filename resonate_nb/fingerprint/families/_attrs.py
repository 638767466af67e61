"""attrs: what a field may be one of, as it was given; attrs makes a tuple of a set, in an order of hashing."""

from __future__ import annotations

from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Walk


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of attrs."""
    return _options if cls.__name__ == "_InValidator" else handler_of_others(cls)


def _options(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"options;")
    given = getattr(value, "_original_options", value.options)
    return iter(((Attribute("options"), given),))
