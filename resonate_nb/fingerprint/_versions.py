"""How versions of installed packages count: by major.minor, exactly, or not at all; and which were declared equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Literal, assert_never
from weakref import WeakSet

from ..forks import held_over_forks

Packages = Literal["minor", "exact", "ignore"]
"""How far versions of packages count. `minor`: major and minor. `exact`: all of it. `ignore`: only which packages."""

_MAJOR_MINOR = re.compile(r"(?:\d+!)?\d+(?:\.\d+)?")

_declared: Mapping[str, Mapping[str, str]] = {}
_told: WeakSet[Dependent] = WeakSet()
_lock = held_over_forks(RLock())


class Dependent:
    """Something that remembers what it made of versions."""

    def forget_versions(self) -> None:
        """Other versions count from now on."""


def depends_on_versions(dependent: Dependent) -> None:
    """It is told when other versions are declared equal; it need not look by itself."""
    with _lock:
        _told.add(dependent)


def declare_versions(declared: Mapping[str, Mapping[str, str]]) -> bool:
    """From here on, in this process, a version of a package counts as another: name -> version -> what it counts as.

    Whatever was declared before holds no more. Keys that were made are made anew when they are asked for next. False
    where nothing is new.
    """
    global _declared
    with _lock:
        if declared == _declared:
            return False
        _declared = declared
        told = list(_told)
    for dependent in told:
        dependent.forget_versions()
    return True


def declared_versions() -> Mapping[str, Mapping[str, str]]:
    """What counts as what in this process."""
    return _declared


def minor(version: str) -> str:
    """The major.minor part, as far as there is one."""
    found = _MAJOR_MINOR.match(version)
    return found.group() if found else version


def version_change(name: str, before: str, now: str) -> str:
    """How a difference is put: ``pandas 3.0 → 3.1``, with the patch where only that differs."""
    short = minor(before), minor(now)
    one, other = short if short[0] != short[1] else (before, now)
    return f"{name} {one} → {other}"


def counted(name: str, version: str, packages: Packages) -> str:
    """What of a package's exact version goes into a key."""
    match packages:
        case "minor":
            return minor(_resolved(name, version, minor))
        case "exact":
            return _resolved(name, version, str)
        case "ignore":
            return "any"
        case never:
            assert_never(never)


def _resolved(name: str, version: str, told_apart: Callable[[str], str]) -> str:
    """What a version counts as, in as many steps as it takes; a ring of declarations ends where it began."""
    equal = _declared.get(name)
    if equal is None:
        return version
    met = set()
    while told_apart(version) not in met:
        met.add(told_apart(version))
        found = equal.get(version)
        if found is None:
            # A patch of a version that was declared equal is passed over as ever.
            found = next((then for now, then in equal.items() if told_apart(now) == told_apart(version)), version)
        version = found
    return version
