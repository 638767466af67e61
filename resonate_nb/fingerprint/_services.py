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
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import local
from types import BuiltinFunctionType, CodeType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

from ..errors import InvalidOptionError, UnfingerprintableError
from ..records import dataclass
from . import _registered
from ._credentials import is_credential, plain
from ._known_services import ABSENT, Reader, Settings, known_as
from ._package import Origin, is_importable, origin_of_module
from ._scalars import text
from ._secrets import without_keys
from ._walk import Attribute, Children, Handler, Walk

code_alone: Callable[[object], bytes] = repr  # type: ignore[assignment]
"""Of a function or class: its code and the constants it reads, but no other data. `_code`, which stands above, sets
it."""

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


def add_service(type: builtins.type | str, identity: Identity | None) -> None:
    """From now on values of this type are services.

    Raises:
        InvalidOptionError: `type` is neither a class nor the full name of one, or `identity` cannot be called.
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
    return None if service is None else _settings_of(service, value)[1]


def is_service(cls: type) -> bool:
    """Whether values of a type are services."""
    return service_of(cls) is not None


def handler_of(cls: type) -> Handler | None:
    """The handler for a type of services; None for all other types."""
    service = service_of(cls)
    return None if service is None else functools.partial(_write, service)


def _write(service: Service, walk: Walk, value: object) -> Children | None:
    settings, shown, values = _settings_of(service, value)
    walk.serves(shown)
    if service.is_logger:
        walk.pen.blob(b"logger", text(str(settings.values["name"])))
        return None
    walk.pen.blob(b"service", text(service.name))
    walk.pen.blob(b"settings", text(json.dumps(values, sort_keys=True)))
    for where, thing in settings.code:
        for piece in _pieces(thing):
            walk.pen.blob(b"plugged", text(where) + b"=" + piece)
    parts = [(name, part) for name, part in settings.data if service_of(type(part)) is None]
    parts += _own_attributes(service, value)
    if service.is_users:
        walk.token(type(value))
    # Only what holds other values has a number: two services of the same settings are the same.
    return _parts(walk, parts) if parts and not walk.met(value) else None


def _parts(walk: Walk, parts: list[tuple[str, object]]) -> Children:
    walk.pen.head(b"attributes", len(parts))
    for name, part in parts:
        walk.pen.blob(b"s", text(name))
        yield Attribute(name), part


def _settings_of(service: Service, value: object) -> tuple[Settings, str, dict[str, Any]]:
    """What is read of a service: as it was found, as a line, and as it is written."""
    settings, problem = Settings(), ""
    values: dict[str, Any] = {}
    try:
        service.read(value, settings)
        named = ((name, part) for name, part in settings.values.items() if not is_credential(name))
        found = {name: plain(part) for name, part in named if part is not ABSENT}
        values = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    except Exception as error:  # a closed connection, one of another thread, code of the user's that raises
        settings, problem = Settings(), f"its configuration cannot be read: {type(error).__name__}"
    if service.is_logger and "name" not in settings.values:
        settings.values["name"] = ""
    words = [str(part).rstrip("/") if name in _BARE else f"{name}={part}" for name, part in values.items()]
    told = without_keys(", ".join([*words, problem] if problem else words))
    told = told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"
    return settings, f"{service.shown} ({told})" if told else service.shown, values


_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, functools.partial, type(functools.cache(len)))
_asking = local()
"""`things`: the plugged-in code that this thread is reading right now: it may well use the service itself."""


def _pieces(thing: Any) -> Iterator[bytes]:
    """What is plugged into a service, by its code where it is the user's, by name where it is a package's."""
    kind = type(thing)
    if thing is ABSENT or thing is None or isinstance(thing, str):
        return
    if issubclass(kind, dict):
        for name, part in dict.items(thing):
            yield from (text(name if type(name) is str else "") + piece for piece in _pieces(part))
    elif kind in (list, tuple):
        for part in thing:
            yield from _pieces(part)
    elif issubclass(kind, _CODE):
        home, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        if home and origin_of_module(home) is not Origin.USER and is_importable(thing, home, name):
            yield text(f"{home}.{name}")
        else:
            yield _code_of(thing)
    elif origin_of_module(str(kind.__module__)) is Origin.USER:
        # An instance: a transport, an adapter. Of its data nobody can say whether it is state.
        yield _code_of(kind)
    elif kind.__qualname__ == "MockTransport":
        yield from _pieces(object.__getattribute__(thing, "__dict__").get("handler"))


def _code_of(thing: object) -> bytes:
    things: set[int] = _asking.__dict__.setdefault("things", set())
    if id(thing) in things:
        return b"itself"
    things.add(id(thing))
    try:
        return code_alone(thing)
    except UnfingerprintableError:
        return b"unknown"
    finally:
        things.discard(id(thing))


def _own_attributes(service: Service, value: object) -> list[tuple[str, object]]:
    """What the code of the user's own class sets on an instance, credentials aside; not what the package sets too."""
    if not service.own:
        return []
    try:
        names = object.__getattribute__(value, "__dict__")
    except AttributeError:
        names = {}
    stored = {name for owner in service.own for name in _stored_by(owner)}
    for owner in type(value).__mro__:
        if owner not in service.own:
            stored -= _stored_by(owner)
    found = [(name, names[name]) for name in sorted(stored & names.keys())]
    for owner in service.own:
        for name, slot in sorted(vars(owner).items()):
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):  # it is not set
                    found.append((name, slot.__get__(value)))
    return [(name, part) for name, part in found if not is_credential(name)]


def _stored_by(cls: type) -> frozenset[str]:
    """The names of attributes that the methods of a class assign, of whatever object."""
    found: frozenset[str] = frozenset()
    for member in vars(cls).values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            found |= _stored_in(function.__code__)
    return found


@functools.lru_cache(maxsize=4_096)
def _stored_in(code: CodeType) -> frozenset[str]:
    from opcode import opmap  # few derive classes of their own

    found, extended = set(), 0
    for operation, argument in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        extended = (extended << 8) | argument
        if operation == opmap["STORE_ATTR"]:
            found.add(code.co_names[extended])
        if operation != opmap["EXTENDED_ARG"]:
            extended = 0
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(found).union(*(_stored_in(part) for part in inner))
