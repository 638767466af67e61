"""Services: clients, connections, engines, sessions, loggers, locks. Each counts by its type and public configuration.

Never by credentials, headers or state: neither another key nor a connection in use makes another call of it. Which
types are services is looked up by the name of each class among the bases (`_known_services`, `add_service`). A
user's own class derived from one counts by its code as well, and by the attributes which that code sets.
"""

from __future__ import annotations

import builtins
import functools
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...errors import InvalidOptionError
from ...records import dataclass
from .._package import Origin, origin_of_module
from ..values import _registered
from ..values._scalars import text
from ..values._walk import Attribute, Children, Handler, Walk
from ._credentials import is_credential, plain
from ._known_services import ABSENT, Reader, Settings, known_as, see
from ._plugged import Plugged, own_attributes, patches, pieces
from ._secrets import without_keys

_RENAMED = {"_thread.RLock": "threading.RLock", "_thread._local": "threading.local", "_thread.lock": "threading.Lock"}
_BARE = ("url", "path", "name")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Service:
    """What is known of a type of services."""

    name: str
    """Module and name of the class, that of the package where the user has derived one from it."""
    shown: str
    read: Reader
    own: tuple[type, ...]
    """The user's classes before the known one: their code counts, and what it sets on an instance."""
    is_users: bool
    is_logger: bool


Identity = Callable[[Any], object]
registered: dict[str, Identity | None] = {}
"""What the user has added, by module and name."""
_looked_up: dict[type, Service | None] = {}


def add_service(type: builtins.type | str, identity: Identity | None, fixed: Collection[builtins.type]) -> None:
    """From now on values of this type are services; those of `fixed` never are.

    Raises:
        InvalidOptionError: `type` is neither a class nor the full name of one, or is one whose values are data; or
            `identity` cannot be called.
    """
    global _looked_up
    if isinstance(type, builtins.type):
        name = _full_name(type)
    elif isinstance(type, str) and "." in type and all(part.isidentifier() for part in type.split(".")):
        name = type
    else:
        raise InvalidOptionError(
            f"register_service() was given {type!r}; expected a class, or its full name such as 'acme.api.Client'"
        )
    if name.startswith("builtins.") or name in map(_full_name, fixed):
        raise InvalidOptionError(
            f"register_service() was given {name}, whose values are data; expected a class of clients or the like"
        )
    if identity is not None and not callable(identity):
        raise InvalidOptionError(
            f"the identity of service {name} is {identity!r}; expected a function that takes the instance and returns "
            "a text or a dict of plain values"
        )
    registered[name] = identity
    # Another one, not an emptied one: who is looking something up right now writes into the old one.
    _looked_up = {}
    _registered.note()


def service_of(cls: type) -> Service | None:
    """What is known of a class as a service; None if it is none."""
    known = _looked_up
    try:
        return known[cls]
    except KeyError:
        if len(known) >= 4_096:
            known.clear()
        found = known[cls] = _look_up(cls)
        return found
    except TypeError:  # a metaclass whose classes cannot be hashed
        return _look_up(cls)


def _look_up(cls: type) -> Service | None:
    own: list[type] = []
    others: list[type] = []
    for owner in cls.__mro__:
        added = _registered_as(owner)
        is_users = origin_of_module(str(owner.__module__)) is Origin.USER
        reader = known_as(owner) if added is None else _asks(registered[added])
        if reader is not None:
            # Each kernel and each `asyncio.run` has a loop of another class.
            others = [] if _full_name(owner) == "asyncio.events.AbstractEventLoop" else others
            named = next((other for other in others if issubclass(other, owner)), owner)
            return Service(
                _full_name(named),
                f"{own[0].__qualname__}, derived from {_public_name(named)}" if own else _public_name(named),
                reader,
                tuple(own),
                is_users=bool(own) or (is_users and added is not None),
                is_logger=_full_name(owner) == "logging.Logger" and not own,
            )
        if is_users:
            own.append(owner)
        else:
            others.append(owner)
    return None


def _registered_as(cls: type) -> str | None:
    """The name under which the user has added a class: its own, or that by which its package offers it."""
    name = _full_name(cls)
    if name in registered:
        return name
    for given in [given for given in registered if given.endswith(f".{cls.__name__}")]:
        module, _, attribute = given.rpartition(".")
        if getattr(sys.modules.get(module), "__dict__", {}).get(attribute) is cls:
            return given
    return None


def _asks(identity: Identity | None) -> Reader:
    def read(value: Any, settings: Settings) -> None:
        found = None if identity is None else identity(value)
        if isinstance(found, dict):
            settings.values.update((str(name), part) for name, part in found.items())
        elif isinstance(found, str | int | float | None):
            settings.values["name"] = found
        else:
            raise TypeError(f"its identity is a {type(found).__qualname__}")

    return read


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _public_name(cls: type) -> str:
    """The shortest name under which the package offers a class: ``requests.Session``."""
    name = _full_name(cls)
    if name in _RENAMED:
        return _RENAMED[name]
    parts = str(cls.__module__).split(".")
    for end in range(1, len(parts)):
        home = ".".join(parts[:end])
        if getattr(sys.modules.get(home), "__dict__", {}).get(cls.__qualname__) is cls:
            return f"{home}.{cls.__qualname__}"
    return cls.__qualname__ if parts == ["__main__"] else name.removeprefix("_")


def service_text(value: object) -> str | None:
    """One line that tells of a service what counts, such as ``openai.OpenAI (https://api.openai.com/v1)``; None for
    all other values. Never raises, and shows no credentials."""
    service = service_of(type(value))
    return None if service is None else _read(service, value).told


def is_service(cls: type) -> bool:
    """Whether values of a type are services."""
    return service_of(cls) is not None


def handler_of(cls: type) -> Handler | None:
    """The handler for a type of services; None for all other types."""
    service = service_of(cls)
    return None if service is None else functools.partial(_write, service)


def _write(service: Service, walk: Walk, value: object) -> Children | None:
    if service.is_logger:
        # Every other function has one: the short way. Where its lines go is no part of what is computed.
        name = str(see(value, "name"))
        walk.serves(f"{service.shown} ({name})")
        walk.pen.blob(b"logger", text(name))
        return None
    read = _read(service, value)
    walk.serves(read.told, read.is_read)
    walk.pen.blob(b"service", text(service.name))
    walk.pen.blob(b"settings", text(json.dumps(read.values, sort_keys=True)))
    for where, _, piece in read.plugged:
        walk.pen.blob(b"plugged", text(where) + b"=" + piece)
    parts = [(name, part) for name, part in read.data if service_of(type(part)) is None]
    parts += own_attributes(service.own, value)
    if service.is_users:
        walk.token(type(value))
    # Only what holds other values has a number: two services of the same settings are the same.
    return _parts(walk, parts) if parts and not walk.met(value) else None


def _parts(walk: Walk, parts: list[tuple[str, object]]) -> Children:
    walk.pen.head(b"attributes", len(parts))
    for name, part in parts:
        walk.pen.blob(b"s", text(name))
        yield Attribute(name), part


@dataclass(frozen=True, slots=True)
class _Read:
    """What is read of a service."""

    told: str
    values: Mapping[str, Any]
    """Settings as JSON can write them, without credentials."""
    plugged: Sequence[Plugged]
    data: Sequence[tuple[str, object]]
    is_read: bool


def _read(service: Service, value: object) -> _Read:
    settings, values, plugged, problem = Settings(), {}, [], ""
    try:
        service.read(value, settings)
        named = ((name, part) for name, part in settings.values.items() if not is_credential(name))
        found = {name: plain(part) for name, part in named if part is not ABSENT}
        values = {name: part for name, part in found.items() if part not in (None, "", [], {})}
        plugged = [piece for where, thing in settings.code for piece in pieces(where, thing)]
        plugged += patches(value, is_service)
    except Exception as error:  # a closed connection, one of another thread, code of the user's that raises
        problem = f"its configuration cannot be read: {type(error).__name__}"
    words = [str(part).rstrip("/") if name in _BARE else f"{name}={part}" for name, part in values.items()]
    words += dict.fromkeys(f"{where.lstrip('_')}={name}" for where, name, _ in plugged)
    told = _cut(", ".join([*words, problem] if problem else words))
    told = f"{service.shown} ({told})" if told else service.shown
    return _Read(told, values, plugged, settings.data, not problem)


@functools.lru_cache(maxsize=1_024)
def _cut(told: str) -> str:
    told = without_keys(told)
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"
