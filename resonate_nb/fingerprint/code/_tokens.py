"""What code inside of values is: the token of a function, class or module, which is kept for the next look."""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock
from types import ModuleType
from typing import get_args

from ...errors import UndecoratableError, UnfingerprintableError
from ...forks import held_over_forks
from .._kinds import is_a
from .._versions import Dependent, Packages, counted, depends_on_versions
from ..services import _plugged
from ..services._plugged import changed_in
from ..values._values import Walker
from ._code import CodeKey, Subject
from ._guards import Check
from ._reach import Reach
from ._tree import digest_texts

_MAX_KNOWN = 512
_MAX_HOLDING = 16
"""Of those that are kept for the next look so many hold data: a lambda made in a loop keeps what it closes over."""

_Made = Subject | tuple[bytes, Check]
"""What is to be followed; or the token of what its name says all of, for as long as nobody puts anything into it."""
_known: OrderedDict[tuple[int, Packages], tuple[object, _Made]] = OrderedDict()
_lock = held_over_forks(RLock())


class _Tokens(Dependent):
    """Those of `_known`."""

    def forget_versions(self) -> None:
        with _lock:
            _known.clear()


_tokens = _Tokens()
depends_on_versions(_tokens)


def reach(thing: object, packages: Packages = "minor", unsure: dict[str, None] | None = None) -> bytes:
    """The token of a function, class or module inside of a plain value: all that it is, its data included.

    What of it cannot be seen joins `unsure`.

    Raises:
        UnfingerprintableError: it is not covered.
    """
    made = _made(thing, packages)
    if isinstance(made, bytes):
        return made
    key = made.key()
    if key.undurable:
        raise UnfingerprintableError("", type(thing).__qualname__, "; ".join(key.undurable))
    if unsure is not None:
        unsure.update(dict.fromkeys(key.unsure))
    return digest_texts(["code", key.code, key.content, *_home_of(thing)])


def _home_of(thing: object) -> tuple[str, ...]:
    """The module of a class, by which code tells its objects from those of a class that reads the same elsewhere."""
    module = thing.__module__ if is_a(thing, type) else "__main__"
    return () if module == "__main__" else (str(module),)


def services_in(thing: object) -> tuple[str, ...]:
    """The services that a piece of code uses which `reach` has just looked at."""
    made = _looked_at(thing)
    return () if made is None else made.key().services


def key_in(thing: object) -> CodeKey | None:
    """The key of a piece of code that `reach` has just looked at; None for what is none of the user's."""
    made = _looked_at(thing)
    return None if made is None else made.key()


def _looked_at(thing: object) -> Subject | None:
    with _lock:
        made = next((found[1] for way in get_args(Packages) if (found := _known.get((id(thing), way)))), None)
    return made if isinstance(made, Subject) else None


def _code_of_plugged(thing: object) -> tuple[bytes, frozenset[str]]:
    """The code of what is plugged into a service, with the data it reads and does not change; and what it changes."""
    made = _made(thing, "minor")
    if isinstance(made, bytes):
        return made, frozenset()
    key = made.key()
    changed = frozenset[str]().union(*(changed_in(label, source) for label, source in key.sources.items()))
    read = [text for part in key.content_parts.items() if part[0].rpartition(".")[2] not in changed for text in part]
    return digest_texts(["plugged in", key.code, *read]), changed


_plugged.code_of = _code_of_plugged
_plugged.content_of = lambda value: (Walker(reach).digest("", value), frozenset())


def _made(thing: object, packages: Packages) -> Subject | bytes:
    """The subject of a piece of code, kept: the next key is cheap where nothing has changed; or its token."""
    place = id(thing), packages
    with _lock:
        found = _known.get(place)
        if found is not None:
            _known.move_to_end(place)
    if found is not None and (isinstance(found[1], Subject) or found[1][1].holds()):
        return found[1] if isinstance(found[1], Subject) else found[1][0]
    made = _subject_or_token(thing, packages)
    with _lock:
        _known[place] = (thing, made)
        while len(_known) > _MAX_KNOWN:
            _known.popitem(last=False)
        holding = [at for at, (_, each) in _known.items() if isinstance(each, Subject) and each.holds_data()]
        for at in holding[:-_MAX_HOLDING]:
            del _known[at]
    return made if isinstance(made, Subject) else made[0]


def _subject_or_token(thing: object, packages: Packages) -> _Made:
    """A subject where there is something to follow, the token where the name says all."""
    walk = Reach("__main__", frozenset(), {}, {}, is_value=True)
    token = walk.module(thing) if is_a(thing, ModuleType) else walk.reach(thing, True)
    if is_a(thing, type):
        walk.guards.code_of(thing)
    if token is None:
        raise UnfingerprintableError("", type(thing).__qualname__, "nothing is known about what it does")
    if not walk.nodes and not walk.items:
        versions = sorted((name, counted(name, version, packages)) for name, version in walk.packages.items())
        return digest_texts(["named", token, *(text for part in versions for text in part)]), Check(walk.guards)
    try:
        return Subject.of_value(thing, packages)
    except UndecoratableError as error:
        raise UnfingerprintableError("", type(thing).__qualname__, str(error)) from error
