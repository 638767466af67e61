"""A value as text for people, short and safe to ask for: never raises, never reads more than it shows."""

from __future__ import annotations

import reprlib
import sys
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from ._services import told_of

TEXT_LIMIT = 2_000
LINE_LIMIT = 200
HTML_LIMIT = 50_000
_ROWS = 5
_COLUMNS = 20


def preview(value: object) -> tuple[str, str | None]:
    """Short text (up to 2,000 characters) and, for a pandas frame or series, HTML of its first five rows.

    The HTML is made of escaped text only, up to 50,000 characters (None when it would be more). What cannot print
    itself becomes ``<unprintable Type: Error>``.
    """
    kind = _kind(value)
    if kind is None:
        return _cut(_text(value, TEXT_LIMIT), TEXT_LIMIT), None
    try:
        frame: Any = value
        head = frame.head(_ROWS)
        text = (
            f"{describe(value)}\n{head.to_string(max_cols=_COLUMNS)}" if kind == "DataFrame" else _series(frame, head)
        )
        table = head if kind == "DataFrame" else head.to_frame()
        html = table.to_html(max_cols=_COLUMNS, escape=True, border=0, show_dimensions=False)
    except Exception as error:  # cells print themselves through code of the user's classes
        return _unprintable(value, error), None
    return _cut(text, TEXT_LIMIT), html if len(html) <= HTML_LIMIT else None


def describe(value: object) -> str:
    """One line of up to 200 characters: ``DataFrame 336,776 x 19``, ``ndarray float64 (3, 4)``, else its repr."""
    kind = type(value)
    if kind in _BRIEF or (kind is int and -_SHORT < value < _SHORT):  # type: ignore[operator]
        return repr(value)
    if kind is str and len(value) <= _BRIEF_CHARACTERS and value.isascii():  # type: ignore[arg-type, attr-defined]
        return " ".join(repr(value).split())
    try:
        text = _size(value)
    except Exception as error:  # a class derived from a frame may do anything
        return _unprintable(value, error)
    if text is None:
        text = " ".join(_text(value, LINE_LIMIT).split())
    return _cut(text, LINE_LIMIT)


_BRIEF = frozenset((type(None), bool, float))
_SHORT = 10**100
_BRIEF_CHARACTERS = 49
"""With each of them escaped (``\\x00``) and two quotes it is no longer than a line."""


def _size(value: Any) -> str | None:
    """What is said of a frame, series or array; None for other values."""
    match _kind(value):
        case "DataFrame":
            return f"DataFrame {len(value):,} x {len(value.columns):,}"
        case "Series":
            return f"Series {value.dtype} {len(value):,}"
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return f"{type(value).__name__} {value.dtype} {value.shape}"
    return None


def _series(series: Any, head: Any) -> str:
    return f"{describe(series)}\n{head.to_string()}"


def _kind(value: object) -> str | None:
    """``DataFrame`` or ``Series`` for pandas' own and classes derived from them; imports nothing."""
    if "pandas" not in sys.modules:
        return None
    for kind in type(value).__mro__:
        root = kind.__module__.partition(".")[0] if isinstance(kind.__module__, str) else ""
        if root == "pandas" and kind.__name__ in ("DataFrame", "Series"):
            return kind.__name__
    return None


class _Short(reprlib.Repr):
    """`reprlib` with room for real values; large containers and what derives from them are never printed whole."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel = 5
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 30
        self.maxdict = 20
        self.maxstring = self.maxlong = self.maxother = limit

    def repr_instance(self, x: Any, level: int) -> str:
        kind = type(x)
        if (told := told_of(x)) is not None:
            return f"<{told}>"
        if kind is partial:
            parts = [self.repr1(part, level - 1) for part in (x.func, *x.args)]
            parts += [f"{name}={self.repr1(part, level - 1)}" for name, part in x.keywords.items()]
            return f"functools.partial({', '.join(parts)})"
        if is_dataclass(x) and _is_generated(kind.__repr__):
            if level <= 0:
                return f"{kind.__qualname__}(...)"
            shown = (
                f"{field.name}={self.repr1(getattr(x, field.name), level - 1)}" for field in fields(x) if field.repr
            )
            return f"{kind.__qualname__}({', '.join(shown)})"
        if isinstance(x, (list, tuple, dict, set, frozenset, str, bytes, bytearray)) and len(x) > 1_000:
            return f"<{kind.__qualname__} of {len(x):,} items>"
        try:
            text = _size(x)
            text = repr(x) if text is None else f"<{text}>"
        except Exception as error:
            return _unprintable(x, error)
        if not isinstance(text, str):
            return f"<unprintable {kind.__qualname__}>"
        return _cut(text, self.maxother)


def _is_generated(function: Any) -> bool:
    """Whether `dataclass` made a `__repr__`, which would print what is never to be printed."""
    code = getattr(getattr(function, "__wrapped__", None), "__code__", None)
    return code is not None and code.co_filename == "<string>"


_LINE, _TEXT = _Short(LINE_LIMIT), _Short(TEXT_LIMIT)


def _text(value: object, limit: int) -> str:
    try:
        return (_LINE if limit == LINE_LIMIT else _TEXT).repr(value)
    except Exception as error:  # RecursionError, or a container whose own methods raise
        return _unprintable(value, error)


def _unprintable(value: object, error: Exception) -> str:
    return f"<unprintable {type(value).__qualname__}: {type(error).__name__}>"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
