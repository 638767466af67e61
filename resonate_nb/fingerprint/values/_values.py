"""Value -> fingerprint: one walk with a stack of its own, so no nesting is too deep, over types that are fully covered.

Dispatch goes by exact type, then by what the user has said of a type, then by the package it comes from; anything else
counts by all its attributes or by what pickle makes of it, once that is shown to be whole. What is not covered is
refused with its path, never written as something weaker.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...errors import ResonateNbError, UnfingerprintableError
from .._package import Origin, origin_of_module
from ..families import _packages
from ..memory import _standing
from ..services import _services
from . import _containers, _hints, _instances, _reduced, _registered, _scalars
from ._filled import Filled
from ._named import Digests, Noted, plain_digests
from ._pen import Pen, Piece
from ._walk import CONTENT, START, Aside, Attribute, Children, Handler, Note, Part, Refusal, Span, Walk

_EXACT: dict[type, Handler] = {
    **_scalars.HANDLERS,
    **_containers.HANDLERS,
    **_instances.HANDLERS,
    Part: lambda _, part: part.children,
}

# Types of modules that are not imported for this.
_NAMED: dict[str, Handler] = {**_scalars.NAMED, **_hints.NAMED}

_US = __name__.partition(".")[0]

# Beyond this many arrays over one stretch of memory they are taken to share it, without asking each pair.
_MAX_COMPARED = 256

MOST_NOTED = 64
"""Of one value so many parts are told from one another, the first."""

_REASONS = {
    "generator": "it can be read only once; pass a list of what it yields",
    "coroutine": "it can be awaited only once; pass what it comes to",
    "async_generator": "it can be read only once; pass a list of what it yields",
    "memoryview": "it shows memory of something else; pass that, or its bytes",
    "TextIOWrapper": "it is an open file; pass its path",
    "BufferedReader": "it is an open file; pass its path",
    "BufferedWriter": "it is an open file; pass its path",
    "FileIO": "it is an open file; pass its path",
    "Connection": "it is a connection to something outside",
    "ReferenceType": "it refers weakly to something that may vanish; pass that itself",
    "frame": "it is a running piece of code; pass what counts of it",
    "traceback": "it belongs to a running piece of code; pass what counts of it",
    "_Environ": "it is the environment of this process; pass the variables that count",
}

_MAX_PROVEN = 4_096

_proven: set[tuple[bytes, frozenset[type], tuple[object, ...]]] = set()
"""Digests of which was shown that what pickle makes says all, with the classes that this was shown for, and with what
pickle leaves out, which the digest does not tell."""


class Walker(Walk):
    """One joint walk over several values; `digest` gives the fingerprint of each, `joint` that of all so far."""

    __slots__ = ("_first", "_handlers", "_is_proof", "_kept", "_links", "_memory", "_parts", "noted", "packages")

    def __init__(
        self,
        reach: Callable[[object], bytes],
        services_in: Callable[[object], Sequence[str]] = lambda _: (),
        *,
        is_proof: bool = False,
    ) -> None:
        super().__init__(reach, services_in)
        self._is_proof = is_proof
        self._handlers: dict[type, Handler] = {}
        self._parts: list[bytes] = []
        self._links: list[tuple[int, int, int, int]] = []
        self._first: dict[int, tuple[int, int]] = {}
        self._memory: list[tuple[int, Span]] = []
        self._kept: list[object] = []
        self.packages: dict[str, None] = {}
        """Import names of the installed packages whose types were met."""
        self.noted: list[tuple[object, Piece]] = []
        """Of the value given last: the steps to its first parts, with what was written of each."""

    def digest(self, path: str, value: object) -> bytes:
        """The 128-bit fingerprint of this value by itself; `path` names it in errors.

        What it shares with values given to this walker before shows in `joint`, not here.

        Raises:
            UnfingerprintableError: something in it is not covered; the path leads there.
        """
        digest = self._once(path, value)
        if self.claims and not self._is_proof:
            self._prove(path, value, digest)
        part = len(self._parts)
        self._parts.append(digest)
        for number, met in enumerate(self.order):
            first = self._first.setdefault(id(met), (part, number))
            if first[0] != part:
                self._links.append((*first, part, number))
        self._memory += ((part, span) for span in self.spans)
        self._kept += (value, self.order)
        return digest

    def joint(self) -> bytes:
        """The 128-bit fingerprint of all values so far, in their order, with all that they share."""
        pen = Pen()
        self.write_joint(pen)
        return pen.digest()

    def write_joint(self, pen: Pen) -> None:
        """Write what `joint` is the fingerprint of."""
        pen.head(b"values", len(self._parts))
        pen.write(b"".join(self._parts))
        pen.head(b"links", len(self._links))
        for link in self._links:
            pen.blob(b"link", repr(link).encode())
        _write_sharing(pen, self._memory)

    def unread(self) -> tuple[str, ...]:
        """What is unsure of the services met so far: settings that could not be read, and count as absent."""
        paths = (f"{path}{''.join(map(_shown, steps))}" for path, steps, _ in self.unread_services)
        way_out = "say what counts of it with rnb.register_service"
        return tuple(dict.fromkeys(f"cannot read how `{path}` is configured; {way_out}" for path in paths))

    def services(self) -> tuple[str, ...]:
        """The services met so far, each with its path and what of it counts."""
        return tuple(
            dict.fromkeys(f"`{path}{''.join(map(_shown, steps))}`: {told}" for path, steps, told in self.served)
        )

    def _once(self, path: str, value: object) -> bytes:
        self.begin()
        self.noted = []
        self.pen.write(START)
        self._run(path, value)
        if not self._is_proof:  # a copy by pickle shares no memory with itself
            _write_sharing(self.pen, [(0, span) for span in self.spans])
        return self.pen.digest()

    def _prove(self, path: str, value: object, digest: bytes) -> None:
        """Show that what pickle makes of the objects that were claimed says all of them; refuse the value if not."""
        from . import _proof  # few values need it, and pickle

        claims = list(self.claims.values())
        claimed = [one for one, _ in claims]
        place = (digest, frozenset(map(type, claimed)), _proof.left_out(claims, _digest_alone))
        if place in _proven:
            return
        self.flaws = _proof.flaw(claimed, _is_told, _digest_alone)
        if not self.flaws and self._once(path, value) != digest:
            self.flaws = {id(one): "it reads otherwise each time it is pickled" for one in claimed}
        if self.flaws:
            self._once(path, value)
            raise UnfingerprintableError(path, _type_name(value), next(iter(self.flaws.values())))
        if len(_proven) >= _MAX_PROVEN:
            _proven.clear()
        _proven.add(place)

    def _run(self, path: str, value: object) -> None:
        """Depth first over the value; `steps` holds the step taken last at each level, for the path of a refusal."""
        stack: list[Children] = [iter(((CONTENT, value),))]
        steps: list[object] = [CONTENT]
        self.path, self.steps = path, steps
        current = value
        exact, found = _EXACT, self._handlers
        try:
            while stack:
                for steps[-1], current in stack[-1]:
                    handler = exact.get(type(current)) or found.get(type(current)) or self._handler(current)
                    children = handler(self, current)
                    if children is not None:
                        stack.append(children if len(stack) > 1 else self._noting(children))
                        steps.append(CONTENT)
                        break
                else:
                    stack.pop()
                    steps.pop()
        except Refusal as refusal:
            raise self._refused(path, steps, current, refusal.reason) from refusal.__cause__
        except UnfingerprintableError as error:
            # What code reaches is named from there; the value that holds the code is where the user can look first.
            reason = f"it reaches {error.path}: {error.reason}" if error.path else error.reason
            raise self._refused(path, steps, current, reason) from error
        except (Aside, ResonateNbError):
            raise
        except Exception as error:  # of a class of the user's, or of a package that is asked what it holds
            reason = f"it cannot be read ({type(error).__name__}: {error})"
            if type(error) is RuntimeError and "during iteration" in str(error):
                reason = "another thread changed it while it was read"
            raise self._refused(path, steps, current, reason) from error

    def _noting(self, children: Children) -> Children:
        """The parts of the value itself, with a note of what each came to: whoever compares is to name them."""
        noted = self.noted
        for step, part in children:
            if type(step) is Note or len(noted) >= MOST_NOTED:
                yield step, part
                continue
            pen = self.pen
            pen.mark()
            yield step, part
            noted.append((step, pen.since()))

    def _refused(self, path: str, steps: list[object], value: object, reason: str) -> UnfingerprintableError:
        return UnfingerprintableError(path + "".join(map(_shown, steps)), _type_name(value), reason)

    def _handler(self, value: object) -> Handler:
        """The handler for a type met for the first time; raises Refusal where none fits."""
        cls = type(value)
        root = cls.__module__.partition(".")[0]
        told = _registered.handler_of(cls)
        # Never `isinstance`: it asks the value, which may answer with anything.
        if told is not None:
            handler: Handler = told
        elif (service := _services.handler_of(cls)) is not None:
            self._handlers[cls] = service  # whose package is none of the code's
            return service
        elif issubclass(cls, type) or root == _US or _instances.is_of_wrapt(cls):
            handler = _instances.code
        elif issubclass(cls, enum.Enum):
            handler = _instances.enum_member
        elif (theirs := _packages.handler_of(cls)) is not None:
            handler = theirs
        elif _instances.name_of(cls) in _NAMED:
            handler = _NAMED[_instances.name_of(cls)]
        elif _instances.is_plain(cls) or (_instances.is_users_class(cls) and not _instances.hidden_state(cls)):
            handler = _instances.instance_of(cls)
        elif cls.__name__ in _REASONS:
            raise Refusal(_REASONS[cls.__name__])
        else:
            handler = _reduced.handler_of(cls)
        if _is_of_package(root):
            self.packages[root] = None
        self._handlers[cls] = handler
        return handler


@lru_cache(maxsize=1024)
def _is_of_package(root: str) -> bool:
    return root in sys.modules and origin_of_module(root) is Origin.PACKAGE


def _is_told(cls: type) -> bool:
    return _registered.handler_of(cls) is not None or _services.is_service(cls)


def _digest_alone(value: object) -> bytes | None:
    """The digest of a value in which code counts by what it is right here; None where something in it has none."""
    from ._proof import code_of

    try:
        return Walker(code_of, is_proof=True).digest("", value)
    except UnfingerprintableError:
        return None


def register_type(kind: type | str, fingerprint: Callable[[Any], object]) -> None:
    """From now on values of this type count by what `fingerprint` gives for them; those of builtin types never do."""
    _registered.register(kind, fingerprint, _EXACT.keys())


def register_service_type(kind: type | str, identity: Callable[[Any], object] | None) -> None:
    """From now on values of this type are services; those of builtin types never are."""
    _services.add_service(kind, identity, _EXACT.keys())


def fingerprint_value(value: object, reach: Callable[[object], bytes]) -> str:
    """The fingerprint of one value, as 32 hex digits."""
    return Walker(reach).digest("value", value).hex()


def fingerprint_values(
    values: Mapping[str, object],
    reach: Callable[[object], bytes],
    services_in: Callable[[object], Sequence[str]] = lambda _: (),
) -> Digests:
    """The fingerprints of named values, each and together; the order of the names does not count."""
    found = plain_digests(values)
    if found is not None:
        return found
    key = _standing.key_of(values)
    found = None if key is None else _standing.answer(key)
    if found is None:
        found = walked_values(values, reach, services_in)
        if key is not None and key == _standing.key_of(values):
            _standing.remember(key, found)
    return found


def walked_values(
    values: Mapping[str, object],
    reach: Callable[[object], bytes],
    services_in: Callable[[object], Sequence[str]] = lambda _: (),
    filled: Filled | None = None,
) -> Digests:
    """The same, by a walk through all of them whatever they are, which leaves out what `filled` says."""
    walker = Walker(reach, services_in)
    walker.filled = filled
    pen = Pen()
    parts: dict[str, bytes] = {}
    noted: dict[str, Noted] = {}
    for name in sorted(values):
        parts[name] = walker.digest(name, values[name])
        noted[name] = walker.noted
        pen.blob(b"name", _scalars.text(name))
    walker.write_joint(pen)
    digests = tuple([parts[name] for name in values])
    return Digests(
        pen.digest().hex(), tuple(values), digests, noted, walker.services(), walker.unread(), tuple(walker.packages)
    )


def _write_sharing(pen: Pen, spans: list[tuple[int, Span]]) -> None:
    """Write which arrays lie over one another, by their numbers and their places relative to one another.

    Columns that copy-on-write keeps apart count only where something unguarded lies over them too.
    """
    if len(spans) < 2:
        return
    groups: list[list[tuple[int, Span]]] = []
    high = -1
    for part, span in sorted(spans, key=lambda pair: pair[1].low):
        if span.low >= high:
            groups.append([])
        groups[-1].append((part, span))
        high = max(high, span.high)
    shared = [
        sorted((part, span.number, span.column, span.low - group[0][1].low, span.array.strides) for part, span in group)
        for near in groups
        for group in _sharing(near)
    ]
    for found in sorted(shared):
        pen.blob(b"memory", repr(found).encode())


def _sharing(near: list[tuple[int, Span]]) -> list[list[tuple[int, Span]]]:
    """Those of some arrays whose outer bounds overlap that share memory: two columns of one table do not."""
    if len({(part, span.number) for part, span in near}) < 2 or all(span.guarded for _, span in near):
        return []
    if len(near) > _MAX_COMPARED:
        return [near]
    groups: list[list[tuple[int, Span]]] = []
    for part, span in near:
        joined = [(part, span)]
        apart = []
        for group in groups:
            if any(_overlap(span, other) for _, other in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return [
        sorted(group, key=lambda pair: pair[1].low)
        for group in groups
        if len(group) > 1 and not all(span.guarded for _, span in group)
    ]


def _overlap(one: Span, other: Span) -> bool:
    if one.high <= other.low or other.high <= one.low or (one.guarded and other.guarded):
        return False
    numpy = sys.modules["numpy"]
    try:
        return bool(numpy.shares_memory(one.array, other.array, max_work=10_000))
    except numpy.exceptions.TooHardError:
        return True


def _shown(step: object) -> str:
    if isinstance(step, Note):
        return str(step)
    if isinstance(step, Attribute):
        return f".{step}"
    if type(step) in (int, str, bytes, float, bool, type(None)):
        shown = repr(step)
        return f"[{shown if len(shown) <= 60 else shown[:57] + '...'}]"
    return f"[<{_type_name(step)}>]"


def _type_name(value: object) -> str:
    cls = type(value)
    return cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"
