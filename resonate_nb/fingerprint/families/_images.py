"""PIL: images by kind, mode, size, pixels, palette and notes."""

from __future__ import annotations

import sys
from typing import Any

from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Refusal, Walk


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of PIL."""
    image = sys.modules.get("PIL.Image")
    return _image if image is not None and issubclass(cls, image.Image) else handler_of_others(cls)


def _image(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    if getattr(value, "is_animated", False):
        raise Refusal("its other pictures are still in a file; pass them one by one, as copy() gives them")
    walk.pen.write(b"image;")
    walk.token(type(value))
    return _parts(value)


def _parts(value: Any) -> Children:
    try:
        value.load()
    except Exception as error:
        raise Refusal(f"it cannot be read ({type(error).__name__}: {error})") from error
    yield Attribute("size"), (value.mode, value.size, value.format, getattr(value, "filename", ""))
    yield Attribute("tobytes()"), value.tobytes()
    yield Attribute("info"), value.info
    if value.palette is not None:
        yield Attribute("palette"), (value.palette.mode, bytes(value.palette.palette))
    tags = None if getattr(value, "_exif", None) is None else dict(value._exif)
    # Tags that were asked for may have been changed; to have asked is no change.
    if tags is not None and tags != _tags_in(value.info):
        yield Attribute("getexif()"), tags


def _tags_in(info: dict[Any, Any]) -> dict[int, Any]:
    """The tags that an image with these notes gives when it is first asked."""
    image = sys.modules["PIL.Image"].Image()
    image.info = dict(info)
    return dict(image.getexif())
