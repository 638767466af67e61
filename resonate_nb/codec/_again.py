"""A stored failure as an exception of its own type again, so that whoever expects that type catches it.

Nothing is unpickled, imported or called that a store could choose: the type is looked up among the loaded modules, and
made by the builtin type below it; its own `__init__` does not run. What it was made of comes back as far as it is plain
(text, numbers, None): its arguments, and what it holds under names.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from ._port import Failure, Plain

_LETTERS = 1_000
"""Longest text that is kept of one thing that an exception holds."""
_MOST = 50
_OURS = __name__.partition(".")[0]


def made_of(error: BaseException) -> tuple[tuple[Plain, ...] | None, dict[str, Plain]]:
    """The plain arguments of an exception, None where one of them is not, and what is plain of what it holds under
    names. Never raises."""
    try:
        # That of the builtin type: a file's name, say, is no part of `args`.
        given = _builtin_of(type(error)).__reduce__(error)[1]
        args = given if isinstance(given, tuple) and len(given) <= _MOST and all(map(_is_plain, given)) else None
        held = {name: value for name, value in vars(error).items() if type(name) is str and _is_plain(value)}
        if _is_ours(type(error)) and len(held) < len(vars(error)):
            return None, {}
    except Exception:  # the user's classes do as they like
        return None, {}
    return args, dict(list(held.items())[:_MOST])


def raised_again(failure: Failure) -> Exception | None:
    """The exception; None where its type is not loaded, or cannot be made in this way."""
    kind = _loaded(failure.type_name)
    if kind is None or (_is_ours(kind) and failure.args is None):
        return None  # of ours nobody expects that half is missing
    builtin = _builtin_of(kind)
    args = (failure.message,) if failure.args is None else failure.args
    try:
        error: Exception = builtin.__new__(kind, *args)
        builtin.__init__(error, *args)
        # Under no name that means something to Python: whoever wrote the store chose them.
        vars(error).update({name: held for name, held in failure.attributes.items() if not hasattr(builtin, name)})
        str(error)  # of its own class, which may miss what is not plain
    except Exception:
        return None
    return error


def _is_ours(kind: type[BaseException]) -> bool:
    return kind.__module__.partition(".")[0] == _OURS


def _builtin_of(kind: type[BaseException]) -> type[BaseException]:
    return next(base for base in kind.__mro__ if base.__module__ == "builtins")


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= _LETTERS  # type: ignore[arg-type]  # the type was looked at itself
    if kind is int:
        return -(2**63) <= value < 2**63  # type: ignore[operator]  # as above
    return kind is bool or value is None or (kind is float and math.isfinite(value))  # type: ignore[arg-type]


def _loaded(type_name: str) -> type[Exception] | None:
    """The class of this name in a module that is loaded; nothing is asked for that a module would make at a request."""
    parts = type_name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        found: object = sys.modules.get(".".join(parts[:end]))
        for part in parts[end:]:
            names = getattr(found, "__dict__", None)
            found = names.get(part) if isinstance(names, Mapping) else None
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    return None
