"""matplotlib: colormaps by their colours, norms by their limits; what is drawn has no stable content.

A figure is another after each draw and after each pickle, and unpickling one opens it again.
"""

from __future__ import annotations

import sys
from typing import Any

from ..values._containers import attributes
from ..values._instances import attributes_of
from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Refusal, Walk


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of matplotlib."""
    colors, artist = sys.modules.get("matplotlib.colors"), sys.modules.get("matplotlib.artist")
    if artist is not None and issubclass(cls, artist.Artist):
        raise Refusal("it is a drawing, which changes as it is drawn; pass what is drawn")
    if colors is not None and issubclass(cls, colors.Colormap):
        return _colormap
    if colors is not None and issubclass(cls, colors.Normalize):
        return _norm
    return handler_of_others(cls)


def _colormap(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"colormap;")
    walk.token(type(value))
    return _colours(value)


def _colours(value: Any) -> Children:
    # Of a copy: the table is made when a colour is asked for.
    table = value.copy()
    table(0.0)
    yield Attribute("name"), (value.name, value.N, value.colorbar_extend)
    yield Attribute("_lut"), table._lut.copy()


def _norm(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"norm;")
    walk.token(type(value))
    # Who is told of a change is no part of it.
    return attributes(walk, {name: part for name, part in attributes_of(value).items() if name != "callbacks"})
