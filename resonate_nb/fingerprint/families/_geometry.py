"""geopandas: arrays of shapes by the shapes and the system of coordinates; an index over them is a cache."""

from __future__ import annotations

import sys
from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Walk
from . import _frames


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of geopandas."""
    if cls.__name__ == "GeometryArray":
        return _array
    return _frames.subclass_of(cls) or handler_of_others(cls)


def _array(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"geometry;")
    return _parts(value)


def _parts(value: Any) -> Children:
    # The wkb of a shape has all of it, in a hundredth of the time that the shapes take one by one.
    yield Attribute("data"), sys.modules["shapely"].to_wkb(value._data, include_srid=True).tolist()
    yield Attribute("crs"), value.crs
