"""What the modules of this room ask of a store that is open, so that they need not know who opened it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

from resonate_nb.clock import Clock
from resonate_nb.errors import StoreError

from ._owners import Owners
from ._pool import Link, Pool
from ._signal import Signal


class Readable(Protocol):
    """A store that is read, and perhaps written."""

    path: Path
    values: Path
    """Directory of the value files."""
    pool: Pool
    forks: int
    """How many forks lie between the opening process and this one."""
    no_fence_at: int
    """The invalidation counter under which the store was seen to hold no fence; -1 when it was not."""

    @property
    def owners(self) -> Owners: ...

    def look(self) -> None:
        """Raises StoreError if the handle is of no use any more."""
        ...

    def failure(self, error: sqlite3.Error | OSError) -> StoreError:
        """What to raise for a failure that reached the door."""
        ...


class Writable(Readable, Protocol):
    """A store that may be mended."""

    clock: Clock
    signal: Signal
    news: list[str]
    """What was found damaged at the opening, and what was done: sentences for people."""

    def begin(self, link: Link) -> None:
        """The database's write lock is ours."""
        ...

    def forget_database(self) -> None:
        """The database is about to be another one."""
        ...
