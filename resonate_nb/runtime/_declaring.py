"""After an upgrade: the versions at work now are declared equal to those that the results were computed with."""

from __future__ import annotations

import getpass
from collections.abc import Collection
from dataclasses import replace

from resonate_nb.errors import PromiseNotFoundError
from resonate_nb.fingerprint import counted, version_of
from resonate_nb.protocol import Reply
from resonate_nb.records import dataclass
from resonate_nb.store import Reader, Transaction

from . import _config
from ._declared import Equal, declarations, packages_met, put_declarations, version_before


@dataclass(frozen=True, slots=True)
class Declared:
    """What one use of `accept_packages` came to; prints as the lines that a person reads."""

    done: tuple[Equal, ...]
    """What was declared, or undone, just now."""
    standing: tuple[Equal, ...]
    """All that holds in this store from now on."""
    is_undone: bool = False

    def __str__(self) -> str:
        done = [f"{each}{' no more' if self.is_undone else ''}" for each in self.done]
        before = [f"{each} (as before)" for each in self.standing if each not in self.done]
        if not done and not before:
            done = ["no version was changed lately" if not self.is_undone else "nothing was declared equal"]
        return "\n".join([*done, *before])


def accept_packages(names: Collection[str] = (), *, undo: bool = False) -> Declared:
    """In this store, and in every process that opens it, the versions of packages as they are installed now count as
    those that results were computed with before; with `undo`, they no longer do.

    Args:
        names: import names of packages; all that were upgraded lately (or declared, with `undo`) when empty.
        undo: take back what was declared. It stays on record.

    Raises:
        PromiseNotFoundError: there is no store yet, or no result in it was computed with a package of this name.
    """
    engine = _config.existing_engine()
    if engine is None:
        raise PromiseNotFoundError("there is no store yet, so no result that was computed with other versions")
    now = engine.clock.now_ms()
    done: list[Equal] = []
    standing: list[Equal] = []

    def write(transaction: Transaction, _: list[Reply]) -> None:
        known, met = declarations(transaction), packages_met(transaction)
        for name in names:
            if name not in met:
                ways = f"those of this store: {', '.join(met)}" if met else "packages, and nothing here has used any"
                raise PromiseNotFoundError(
                    f"no result in this store was computed with a package {name!r}; --packages takes {ways}"
                )
        chosen = [name for name in met if not names or name in names]
        if undo:
            done[:] = [each for each in known if each.undone_at is None and each.package in chosen]
            known = [replace(each, undone_at=now) if each in done else each for each in known]
        else:
            found = [_equal(transaction, name, now, asked_for=bool(names)) for name in chosen]
            done[:] = [each for each in found if each is not None]
            # A version counts as one other: the last word holds.
            again = {(each.package, each.now) for each in done}
            known = [
                replace(each, undone_at=now) if each.undone_at is None and (each.package, each.now) in again else each
                for each in known
            ] + done
        standing[:] = [each for each in known if each.undone_at is None]
        if done:
            put_declarations(transaction, known)

    engine.packages.follow(engine.store)
    engine.submit([], also=write, invalidate=True)
    engine.packages.follow(engine.store)
    return Declared(tuple(done), tuple(standing), undo)


def _equal(reader: Reader, package: str, now: int, *, asked_for: bool) -> Equal | None:
    version = version_of(package)
    if version == "?":
        return None  # it is not installed here, so no key is made with it
    then = version_before(reader, package, version, now, asked_for=asked_for)
    # Also what counts as the present version by what was declared before.
    if then is None or counted(package, then, "exact") == counted(package, version, "exact"):
        return None
    return Equal(package, version, then, now, _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run a user that has no name
        return "?"
