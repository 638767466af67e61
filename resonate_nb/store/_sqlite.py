"""A store in a directory: one SQLite database, value files, owner files, and the mapped words."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from resonate_nb.clock import Clock
from resonate_nb.errors import DurableWarning, StoreError
from resonate_nb.protocol import Inserted, Settled

from . import _failures
from ._at_once import at_once
from ._directory import Directory
from ._filesystem import FileSystem
from ._place import DATABASE, is_read_only
from ._port import Durability, Extent, OwnerInfo, Problem, StoredFile
from ._transaction import SqliteReader, SqliteTransaction
from ._values import extent_of

if TYPE_CHECKING:
    from ._check import Judge
    from ._readonly import ReadOnlyStore


def _warn(text: str) -> None:
    warnings.warn(DurableWarning(text), stacklevel=3)


def _reading(path: Path, clock: Clock, warn: Callable[[str], None]) -> ReadOnlyStore:
    from ._readonly import ReadOnlyStore

    store = ReadOnlyStore(path, clock)
    for text in store.news:
        warn(text)
    return store


class SqliteStore:
    """The store of one directory, open in this process. Made by `open`; the port says what holds."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether a store lies in this directory; looks only."""
        try:
            return (path / DATABASE).is_file()
        except OSError:
            return True  # who opens it is told

    @classmethod
    def open_to_read(cls, path: Path, *, clock: Clock, warn: Callable[[str], None] = _warn) -> ReadOnlyStore:
        """What the store holds can be read, whether or not it may be written. Raises StoreError if not even that."""
        path = Path(os.path.abspath(path))
        try:
            return _reading(path, clock, warn)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise _failures.translated(error, path) from error

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability = "full",
        clock: Clock,
        warn: Callable[[str], None] = _warn,
        file_system: FileSystem | None = None,
        waits: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> SqliteStore | ReadOnlyStore:
        """The store is there, of our schema, cleared of what dead processes left, and this process is an owner of it.

        A damaged database is kept aside, and what can be read of it goes on in a new one: `warn` is told, in one
        sentence for people. A store that may not be written is opened for reading, one on a network file system for
        this process alone (the system is asked which it is, if `file_system` is not given). Raises StoreError when the
        store cannot be used, SchemaError when a newer package wrote it.

        `waits` is entered around what may take long. Whatever is raised in there, by an interrupt that the caller holds
        back elsewhere, nothing is open afterwards.
        """
        path = Path(os.path.abspath(path))
        try:
            if is_read_only(path):
                return _reading(path, clock, warn)
            directory = Directory(path, durability, clock, file_system, warn)
            try:
                with waits():
                    directory.set_up()
            except BaseException:
                directory.close()
                raise
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise _failures.translated(error, path) from error
        for text in directory.news:
            warn(text)
        return cls(directory)

    @property
    def is_read_only(self) -> bool:
        return False

    @property
    def path(self) -> Path:
        return self._directory.path

    @property
    def owner(self) -> str:
        return self._directory.owners.own or self._directory.owner()

    def read(self) -> SqliteReader:
        return SqliteReader(self._directory)

    def write(self, pause: Callable[[], object] | None = None, *, synced: bool = True) -> SqliteTransaction:
        return SqliteTransaction(self._directory, pause, synced)

    def at_once(
        self,
        delta: Inserted | Settled,
        under: tuple[str, int] | None,
        pause: Callable[[], object] | None = None,
        *,
        synced: bool = True,
    ) -> int | None:
        return at_once(self._directory, delta, under, pause, synced)

    def put_file(self, chunks: Iterable[bytes]) -> StoredFile:
        self._directory.look()
        try:
            return self._directory.files().put(chunks)
        except StoreError:
            raise
        except OSError as error:
            raise self._directory.failure(error) from error

    def drop_file(self, name: str) -> None:
        self._directory.look()
        try:
            self._directory.files().remove(name)
        except OSError as error:
            raise self._directory.failure(error) from error

    def read_file(self, name: str, size_bytes: int) -> bytes:
        self._directory.look()
        try:
            return self._directory.files().read(name, size_bytes)
        except OSError as error:
            raise self._directory.failure(error) from error

    def change_word(self) -> int:
        try:
            return self._directory.signal.change_word()
        except ValueError:
            raise _failures.closed(self._directory.path) from None

    def invalidation_word(self) -> int:
        try:
            return self._directory.signal.invalidation_word()
        except ValueError:
            raise _failures.closed(self._directory.path) from None

    def is_alive(self, owner: str) -> bool:
        try:
            return self._directory.owners.is_alive(owner)
        except OSError as error:
            raise self._directory.failure(error) from error

    def is_stopped(self, owner: str) -> bool:
        try:
            return self._directory.owners.is_stopped(owner)
        except OSError as error:
            raise self._directory.failure(error) from error

    def let_go(self, id: str, version: int) -> None:
        try:
            self._directory.owners.let_go(f"{id}|{version}")
        except OSError as error:
            raise self._directory.failure(error) from error

    def has_let_go(self, owner: str, id: str, version: int) -> bool:
        try:
            return self._directory.owners.has_let_go(owner, f"{id}|{version}")
        except OSError as error:
            raise self._directory.failure(error) from error

    def describe(self, owner: str) -> OwnerInfo:
        try:
            return self._directory.owners.describe(owner)
        except OSError as error:
            raise self._directory.failure(error) from error

    def check(self, judge: Judge | None = None) -> list[Problem]:
        # Imported when asked for: nobody checks on the way to a result.
        from ._check import check

        self._directory.look_now(is_idle=True)
        try:
            return check(self._directory, judge)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise self._directory.failure(error) from error

    def repair(self) -> list[Problem]:
        from ._repair import repair

        self._directory.look_now(is_idle=True)
        try:
            return repair(self._directory)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise self._directory.failure(error) from error

    def extent(self) -> Extent:
        return extent_of(self._directory.path)

    def owed(self, seconds: float) -> Callable[[], None] | None:
        return self._directory.owed(seconds)

    def close(self) -> None:
        self._directory.close()
