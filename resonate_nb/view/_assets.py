"""The page's own code: one ES module and one stylesheet, written by hand and shipped inside the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def inspector_module() -> str:
    """Source of the ES module that draws the inspector; its default export is what anywidget expects."""
    return files(__package__).joinpath("_inspector.js").read_text("utf-8")


@cache
def inspector_style() -> str:
    """The inspector's stylesheet."""
    return files(__package__).joinpath("_inspector.css").read_text("utf-8")
