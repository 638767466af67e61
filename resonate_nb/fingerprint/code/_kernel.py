"""What a kernel puts in the place of builtins, and the shell that it puts beside them: told by name, never imported."""

from __future__ import annotations

import builtins
import io
import sys
from types import FunctionType, MethodType

_TOPS = frozenset({"IPython", "ipykernel"})
_SHELLS = frozenset({"ExitAutocall", "InteractiveShell", "Kernel"})
_INPUT = frozenset({"raw_input", "_input_request"})


def in_place_of(value: object) -> object | None:
    """The builtin that this stands for, so that a function counts in a kernel as in a script; None for all others."""
    if type(value) is FunctionType:
        name = value.__code__.co_name
        is_open = name == "_modified_open" and str(value.__globals__.get("__name__")).partition(".")[0] in _TOPS
        return io.open if is_open else None
    if type(value) is MethodType and value.__name__ in _INPUT and is_shell(value):
        return builtins.input
    return None


def is_shell(value: object) -> bool:
    """Whether this is the shell or kernel, a method of it, or what leaves it: what it does is no code of the user's."""
    if _TOPS.isdisjoint(sys.modules):
        return False
    cls = type(value.__self__ if type(value) is MethodType else value)
    if str(cls.__module__).partition(".")[0] not in _TOPS and not any(
        str(base.__module__).partition(".")[0] in _TOPS for base in cls.__mro__[1:-1]
    ):
        return False
    return any(base.__name__ in _SHELLS for base in cls.__mro__)
