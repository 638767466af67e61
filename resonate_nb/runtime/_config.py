"""Which store, which durability, on or off: what `configure` and the environment say, resolved at the first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from resonate_nb.clock import SystemClock
from resonate_nb.errors import InvalidOptionError, StoreError, UnwritableStoreError
from resonate_nb.store import Durability, SqliteStore, Store, locate

from ._engine import Engine, Guest
from ._held import Hold
from ._say import say, warn

if TYPE_CHECKING:
    from resonate_nb.store import DigestMemory

_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # a thread of the parent may be opening or closing a store
    os.register_at_fork(after_in_child=_renew_lock)

_engine: Engine | None = None
_store: Store | Path | None = None
_durability: Durability = "adaptive"
_enabled: bool | None = None
_told: set[tuple[str, str]] = set()
"""Who was warned that no store can be had, since the last one was."""
_WORDS = dict.fromkeys(("", "on", "1", "true", "yes"), True) | dict.fromkeys(("off", "0", "false", "no"), False)
"""What RESONATE_NB may be, and whether that is on."""


def configure(
    *,
    store: str | os.PathLike[str] | Store | None = None,
    durability: Durability | None = None,
    enabled: bool | None = None,
) -> None:
    """The settings given hold from here on; what is not given stays.

    Args:
        store: directory of the store (made at the first durable use). Another one than is in use closes that one, as
            soon as the calls that go on in it have ended.
        durability: what a power cut may take; a killed process loses nothing under any of them. ``"full"``: nothing,
            each value is synced to the disk before it is returned. ``"adaptive"`` (the default): at most the last
            100 ms; a value that took longer to make than ten syncs of this disk is synced before it is returned, the
            others together. ``"process"``: what the system had not yet written by itself.
        enabled: False runs durable functions and cells as if undecorated, whatever RESONATE_NB says.

    Raises:
        InvalidOptionError: an unknown durability, or a store that is no path.
    """
    global _engine, _store, _durability, _enabled
    if durability is not None and durability not in get_args(Durability):
        raise InvalidOptionError(f"durability {durability!r} is unknown; use one of {', '.join(get_args(Durability))}")
    if enabled is not None and not isinstance(enabled, bool):
        raise InvalidOptionError(f"enabled must be True or False, not {enabled!r}")
    if isinstance(store, str | os.PathLike):
        if not str(os.fspath(store)).strip():
            raise InvalidOptionError("store is an empty path; give a directory, e.g. configure(store='results.store')")
        if "\0" in str(os.fspath(store)):
            raise InvalidOptionError(f"store {store!r} holds a null character, which no path may")
        chosen: Store | Path | None = Path(store).expanduser().absolute()
    elif store is None or hasattr(store, "change_word"):
        chosen = store
    else:
        raise InvalidOptionError(f"store must be the path of a directory, e.g. 'results.store', not {store!r}")
    with _lock:
        if enabled is not None:
            _enabled = enabled
        if durability is not None:
            _durability = durability
        if chosen is not None:
            _store = chosen
        former = None
        if chosen is not None or durability is not None:
            former, _engine = _engine, None
        if former is not None:
            former.close()


# What `os.environ` wraps: to ask it for a name that is not there costs ten times as much, at each call of a function.
_environment: Container[object] = getattr(os.environ, "_data", os.environ)
_VARIABLE: object = getattr(os.environ, "encodekey", str)("RESONATE_NB")


def is_enabled() -> bool:
    """Whether durable functions are durable: `configure(enabled=)` wins, else RESONATE_NB, read at each call."""
    if _enabled is not None:
        return _enabled
    if _VARIABLE not in _environment:
        return True
    word = os.environ.get("RESONATE_NB", "").strip().lower()
    if word not in _WORDS:
        warn(f"RESONATE_NB={word!r} is neither 'on' nor 'off'; functions and cells stay durable", once=True)
        return True
    return _WORDS[word]


def engine() -> Engine:
    """The engine of this process; its store is resolved and named at the first use and kept (DESIGN 5, Movable)."""
    found = _engine
    return found if found is not None else _open()


def enter_engine(guest: Guest) -> Engine:
    """The engine, which stays open until the guest has left (see `Guest`), whatever `configure` says meanwhile."""
    found = engine()
    while not guest.enters(found):
        latest = engine()
        if latest is found:
            break  # closed by itself, not for another: what it is asked will say so
        guest.among.discard(guest)
        guest.left()
        found = latest
    return found


def open_engine() -> Engine | None:
    """The engine, if something durable has been used in this process already."""
    return _engine


def digest_memory() -> DigestMemory | None:
    """What is remembered of files beside the store; None where there is none, yet."""
    try:
        found = _engine or existing_engine()
    except StoreError:
        return None  # whoever needs the store meets the same, and says so
    return None if found is None else found.digests


def existing_engine() -> Engine | None:
    """The engine, unless it would have to make a store: for looking when nothing is to be recorded."""
    with _lock:
        if _engine is not None:
            return _engine
        if _store is not None and not isinstance(_store, Path):
            return engine()
        return _open() if SqliteStore.exists(_path()) else None


def warn_without_store(about: str, text: str) -> None:
    """Warn once about each thing until there is a store again, however many calls go without."""
    if (key := (about, text)) not in _told:
        _told.add(key)
        warn(text)


def _path() -> Path:
    return _store if isinstance(_store, Path) else locate()


def _open() -> Engine:
    global _engine
    with _lock:
        if _engine is None:
            if _store is not None and not isinstance(_store, Path):
                from resonate_nb.store import MemoryStore

                _engine = Engine(_store, _store.clock if isinstance(_store, MemoryStore) else None)
            else:
                # One in the middle of it, or between the store and its engine, would leave the store open, and perhaps
                # locked, for as long as this process lives: nobody would have it to close it.
                with Hold() as hold:
                    _engine = _opened(_path(), hold)
            _told.clear()
            if not _engine.store.is_read_only:
                _engine.timers.begin()
        return _engine


def _opened(path: Path, interrupts: Hold) -> Engine:
    """The engine of a store on disk: for writing, else for reading until there is room again. Interrupts, held back by
    the caller, are heard while the store is opened."""
    clock, durability = SystemClock(), _durability
    reopen: Callable[[Hold | None], Store] | None = None

    def open_store(interrupts: Hold | None) -> Store:
        waits = nullcontext if interrupts is None else interrupts.let_through
        return SqliteStore.open(path, durability=durability, clock=clock, warn=warn, waits=waits)

    try:
        store: Store = open_store(interrupts)
    except UnwritableStoreError as error:
        if not SqliteStore.exists(path):
            raise
        try:
            store = SqliteStore.open_to_read(path, clock=clock, warn=warn)
        except StoreError:
            raise error from None
        reopen = open_store
        warn(f"{error} What it holds is used meanwhile.", once=True)
    say(f"store: {path}{' (read-only)' if store.is_read_only and reopen is None else ''}", once=True)
    return Engine(store, clock, reopen=reopen)
