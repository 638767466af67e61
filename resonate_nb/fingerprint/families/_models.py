"""pydantic: what a class of models was told of its fields, without the addresses that are noted beside it."""

from __future__ import annotations

from ..values._containers import attributes
from ..values._instances import attributes_of
from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Children, Handler, Walk


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of pydantic."""
    return _decorator if cls.__name__ == "Decorator" else handler_of_others(cls)


def _decorator(walk: Walk, value: object) -> Children | None:
    """A validator or serializer of a class: `cls_ref` names the class by its address."""
    if walk.met(value):
        return None
    walk.pen.write(b"decorator;")
    return attributes(walk, {name: part for name, part in attributes_of(value).items() if name != "cls_ref"})
