"""What users say of their own types: `register_fingerprint`, and a method `__durable_fingerprint__` on a class.

Either gives something whose content stands for the value's; it wins over every rule of this room. The class counts
beside it, with its code where it is the user's: methods of it may be called wherever the value is. Of two that fit the
one nearest to the value's class counts, and what is registered goes before a method of the same class.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from threading import Lock
from typing import Any

from ...errors import InvalidOptionError
from ...forks import held_over_forks
from ._walk import Attribute, Children, Handler, Note, Refusal, Walk

METHOD = "__durable_fingerprint__"

_by_type: dict[type, Callable[[Any], object]] = {}
_by_name: dict[str, Callable[[Any], object]] = {}
_lock = held_over_forks(Lock())
_count = 0


def register(kind: type | str, fingerprint: Callable[[Any], object], fixed: Collection[type]) -> None:
    """From now on values of this type count by what `fingerprint` gives for them; those of `fixed` never do.

    Raises:
        InvalidOptionError: the type is a builtin one, or one of the two is not what it should be.
    """
    global _count
    if not callable(fingerprint):
        raise InvalidOptionError(
            f"register_fingerprint: {fingerprint!r} cannot be called; give a function of the value, "
            "such as lambda model: model.state()"
        )
    named = _resolved(kind) if isinstance(kind, str) else kind
    if named in fixed or named is object:
        raise InvalidOptionError(
            f"register_fingerprint: values of {kind!r} always count by their content; "
            "register a class of your own, or of a package"
        )
    with _lock:
        if isinstance(kind, type):
            _by_type[kind] = fingerprint
        elif isinstance(kind, str) and all(part.isidentifier() for part in kind.split(".")) and "." in kind:
            _by_name[kind] = fingerprint
        else:
            raise InvalidOptionError(
                f"register_fingerprint: {kind!r} names no type; give a class, or its full name, such as 'torch.Tensor'"
            )
        _count += 1


def note() -> None:
    """Something was registered that others keep."""
    global _count
    with _lock:
        _count += 1


def count() -> int:
    """How often something was registered."""
    return _count


def handler_of(cls: type) -> Handler | None:
    """The handler for values of a class of which the user has said what counts; None for all others."""
    for owner in cls.__mro__:
        found = _by_type.get(owner) or _named(owner)
        if found is not None:
            return _told(found, Note("<registered fingerprint>"), "the function given to register_fingerprint")
        if METHOD in owner.__dict__:
            return _told(getattr(cls, METHOD), Attribute(f"{METHOD}()"), f"its {METHOD}()")
    return None


def _named(owner: type) -> Callable[[Any], object] | None:
    if not _by_name:
        return None
    found = _by_name.get(f"{owner.__module__}.{owner.__qualname__}")
    if found is None:
        for name, given in list(_by_name.items()):
            if _resolved(name) is owner:
                return given
    return found


def _resolved(name: str) -> object:
    """What a full name stands for among the modules that are loaded; None where it stands for nothing yet."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        found: object = sys.modules.get(".".join(parts[:length]))
        if found is not None:
            for part in parts[length:]:
                found = getattr(found, "__dict__", {}).get(part)
            return found
    return None


def _told(call: Any, step: object, said: str) -> Handler:
    def write(walk: Walk, value: Any) -> Children | None:
        return None if walk.met(value) else parts(walk, value)

    def parts(walk: Walk, value: Any) -> Children:
        walk.pen.write(b"told;")
        walk.token(type(value))
        try:
            found = call(value)
        except Exception as error:
            raise Refusal(f"{said} raised {type(error).__name__}: {error}") from error
        if found is None:
            raise Refusal(f"{said} returned None, which tells no two values apart; return what counts of it")
        if any(part is value for part in (found, *_parts_of(found))):
            raise Refusal(f"{said} returned the value itself, which says nothing of its content; return what it holds")
        yield step, found

    return write


def _parts_of(found: object) -> Collection[object]:
    if type(found) is dict:
        return found.values()
    return found if type(found) in (list, tuple) else ()  # type: ignore[return-value]
