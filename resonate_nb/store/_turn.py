"""One process at a time: the store's turn, for file systems that several machines share.

A process that has the turn holds a lock on a file, which dies with it, and has written its name there. The lock tells
the other processes of this machine; where the file system carries locks to other machines, those as well. Where it
does not, the name tells them: its file is touched while the store is in use, and a turn whose file was not touched for
a whole lease is over. Ages are told by the file system's own clock, since machines do not agree on the time.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

from resonate_nb.clock import Clock
from resonate_nb.errors import StoreError
from resonate_nb.forks import held_over_forks

from . import _failures, _locks
from ._filesystem import FileSystem
from ._owners import host_name

_NAME = "in-use"
LEASE_SECONDS = 60.0
_TOUCH_SECONDS = 15.0


_turns: dict[Path, Turn] = {}
"""Of this process: it may have the same store open twice, while one takes the place of the other."""
_lock = held_over_forks(threading.Lock())


class Turn:
    """The turn of this process at one store. Made by `of`."""

    def __init__(self, store: Path, file_system: FileSystem, clock: Clock) -> None:
        self._store = store
        self._file = store / _NAME
        self._kind = file_system.name
        self._clock = clock
        self._descriptor: int | None = None
        self._about: dict[str, object] = {}
        self._next_touch = float("-inf")
        self._users = 0

    @staticmethod
    def of(store: Path, file_system: FileSystem, clock: Clock) -> Turn:
        """This process's turn at the store, for one more user, who must `end` it. Nothing is taken yet."""
        with _lock:
            turn = _turns.setdefault(store, Turn(store, file_system, clock))
            turn._users += 1
            return turn

    def look(self) -> None:
        """It is this process's turn, and others can see that. Raises StoreError, which says whose it is, or that there
        are no locks there."""
        with _lock:
            try:
                if self._descriptor is None:
                    self._take()
                elif self._clock.monotonic() >= self._next_touch:
                    if self._read() != self._about:
                        # This machine slept, or nothing was asked of the store for a while, and somebody else began.
                        raise self._taken()
                    os.utime(self._file)
                    self._next_touch = self._clock.monotonic() + _TOUCH_SECONDS
            except StoreError:
                raise
            except OSError as error:
                raise _failures.translated(error, self._store) from error

    def end(self) -> None:
        """One user less; after the last it is anybody's turn."""
        with _lock:
            self._users -= 1
            if self._users == 0:
                del _turns[self._store]
                self._give_up()

    def forget(self) -> None:
        """In a forked child: it stays the parent's turn. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _take(self) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                is_ours = _locks.try_hold(descriptor)
            except OSError as error:
                raise _failures.no_locks(self._store, self._kind, error) from error
            if not is_ours:
                raise self._taken()
            host = self._read().get("host")
            if host not in (None, host_name()) and self._age_seconds() < LEASE_SECONDS:
                raise self._taken()
            self._about = {"host": host_name(), "pid": os.getpid(), "token": os.urandom(8).hex()}
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(self._about).encode())
            os.fsync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._next_touch = self._clock.monotonic() + _TOUCH_SECONDS

    def _give_up(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with suppress(OSError):  # the folder is gone, perhaps; whoever waits then waits for the lease
            if self._read() == self._about:
                # Empty, so that another machine need not wait for the lease to end.
                os.ftruncate(descriptor, 0)
        os.close(descriptor)

    def _read(self) -> dict[str, object]:
        """Who has written the name; nobody where it makes no sense."""
        try:
            found = json.loads(self._file.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _age_seconds(self) -> float:
        """Since the file was last touched, by the clock that touches it."""
        probe = self._file.with_name(f"{_NAME}.{os.urandom(4).hex()}")
        probe.touch(exist_ok=False)
        try:
            return probe.stat().st_mtime - self._file.stat().st_mtime
        finally:
            probe.unlink()

    def _taken(self) -> StoreError:
        about = self._read()
        return _failures.taken(self._store, self._kind, about.get("pid"), about.get("host"))
