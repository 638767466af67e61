"""Services (clients, connections, engines) are neither stored nor printed. Which values are some, others know.

Rooms of one floor are strangers, so whoever knows both tells this one; before that no value is a service.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger, LoggerAdapter
from types import BuiltinFunctionType, MethodType

_is_service: Callable[[type], bool] | None = None
_told: Callable[[object], str | None] | None = None


def know_services(is_service: Callable[[type], bool], told: Callable[[object], str | None]) -> None:
    """From here on values of these types are never stored, and shown as what is told of them."""
    global _is_service, _told
    _is_service, _told = is_service, told


def is_never_stored(kind: type) -> bool:
    """Whether values of a type are services. A logger is stored by its name, and nothing else of it is."""
    return _is_service is not None and _is_service(kind) and not issubclass(kind, Logger | LoggerAdapter)


def told_of(value: object) -> str | None:
    """What is shown of a service, or of a method that is bound to one; None for all other values."""
    if _told is None:
        return None
    if issubclass(type(value), MethodType | BuiltinFunctionType):
        owner = _told(value.__self__)  # type: ignore[attr-defined]
        return None if owner is None else f"{value.__name__} of {owner}"  # type: ignore[attr-defined]
    return _told(value)
