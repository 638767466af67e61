"""A damaged database is kept aside, and what can be read of it is in a new one.

As far as plain SQL goes: rows are read in order, from both ends, and one by one where a page between is lost. If the
first page is lost, which says where the tables begin, that of an empty store stands in for it. What is known to have
been there and cannot be read becomes a row that reads as not stored (see `_stand_in`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from resonate_nb.clock import Clock
from resonate_nb.protocol import split_id
from resonate_nb.records import dataclass

from . import _rows, _schema, _set_aside
from ._aside import Aside
from ._stand_in import is_addressable, stand_in

PAGE_BYTES = 4096
"""Of every database of ours."""
_NEW = "promises.db.new"
_WORK = "work"
_KEYS = {"attempts": "promise, number", "notes": "promise, kind", "fences": "promise", "set_aside": "number"}
_PROBES = 5_000
"""How many row numbers in a row are asked for in vain before the rest is given up."""
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC)
_LOST = "its row was lost with a damaged database"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read of a damaged database."""

    promises: int = 0
    lost: int = 0
    """Promises that are known to have been there and could not be read."""
    is_all_known: bool = False
    """Whether there can have been no others."""


def refuse_newer(database: Path, store: Path) -> None:
    """Raises SchemaError for a database of a later package, as far as that can be told: it knows what is there."""
    if not _has_pages(database):
        return
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(_unbent(database)) as connection:
        schema, _ = connection.execute(_rows.META).fetchone() or (0, 0)
        if type(schema) is int and _schema.SCHEMA < schema <= _schema.HIGHEST:
            raise _schema.refused(schema, store)


def _has_pages(database: Path) -> bool:
    """Whether SQLite may be asked about the file: of an empty one it removes the log, even where it only reads."""
    return database.exists() and database.stat().st_size > 0


def salvage(database: Path, aside: Aside, clock: Clock, *, journal: str) -> Salvaged:
    """The database is a whole one, with what could be read; the damaged one lies in `aside`.

    No connection of this process may be open, and no other process about to open one. Killed half-way, it is taken up
    where the next call has the same folder aside.
    """
    damaged = aside.folder / database.name
    if not damaged.exists():
        aside.move(database)
    # What stands in its place now, if anything, is the empty file of an opener that came after a kill.
    database.unlink(missing_ok=True)
    for piece in ("-wal", "-journal"):
        aside.move(_beside(database, piece))
    new = database.with_name(_NEW)
    for old in (new, _beside(new, "-wal"), _beside(new, "-journal"), _beside(new, "-shm")):
        old.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(new, isolation_level=None)) as target:
        found = _read_all(damaged, target, clock)
        target.execute(f"PRAGMA journal_mode = {journal}")
    # The one of the damaged log: it says nothing that the log does not, but it was not ours to overwrite either.
    aside.move(_beside(database, "-shm"))
    os.rename(new, database)
    return found


def _read_all(damaged: Path, target: sqlite3.Connection, clock: Clock) -> Salvaged:
    work = damaged.with_name(_WORK)
    for source in (_as_it_is, _with_a_first_page) if _has_pages(damaged) else (_with_a_first_page,):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        try:
            with closing(source(damaged, work)) as connection:
                connection.text_factory = _rows.text_or_bytes
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'promises'").fetchone():
                    target.execute("BEGIN")
                    found = _Copy(connection, target, clock).all()
                    target.execute("COMMIT")
                    return found
        except (sqlite3.Error, *_rows.BAD) as error:
            # Nothing of it can be read in this way, or the tables of an older package cannot be brought over.
            _raise_if_not_damage(error)
            if target.in_transaction:
                target.execute("ROLLBACK")
        finally:
            shutil.rmtree(work, ignore_errors=True)
            # Made by us beside the damaged log, to read it.
            _beside(damaged, "-shm").unlink(missing_ok=True)
    return Salvaged()


def _as_it_is(damaged: Path, work: Path) -> sqlite3.Connection:
    journal = _beside(damaged, "-journal")
    if journal.exists() and journal.stat().st_size:
        # What was begun has to be rolled back before anything is read, and not in the piece that is kept.
        for piece in (damaged, journal):
            shutil.copyfile(piece, work / piece.name)
        return _unbent(work / damaged.name, "rw")
    return _unbent(damaged)


def _unbent(database: Path, mode: str = "ro") -> sqlite3.Connection:
    """A connection that reads what there is of a file that has become shorter than it should be."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _with_a_first_page(damaged: Path, work: Path) -> sqlite3.Connection:
    """A copy whose first page is that of an empty store: the tables of one begin at the same pages always."""
    empty = work / "empty.db"
    with closing(sqlite3.connect(empty, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("BEGIN")
        _schema.prepare(connection, damaged)
        connection.execute("COMMIT")
    first = bytearray(empty.read_bytes()[:PAGE_BYTES])
    copied = work / damaged.name
    if damaged.exists():
        shutil.copyfile(damaged, copied)
    pages = copied.stat().st_size // PAGE_BYTES if copied.exists() else 0
    first[18:20] = b"\2\2"  # there may be a write-ahead log
    first[28:32] = max(pages, 1).to_bytes(4, "big")
    with open(os.open(copied, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        file.write(first)
        file.truncate(max(pages, 1) * PAGE_BYTES)
    log = _beside(damaged, "-wal")
    if log.exists():
        shutil.copyfile(log, _beside(copied, "-wal"))
    return sqlite3.connect(copied, isolation_level=None)


class _Copy:
    """One reading of a damaged database into an empty one."""

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._clock = clock
        self._known: dict[tuple[str, int], dict[str, Any]] = {}
        """Promises that were there, by what the index says, or what a row says of which only the beginning is left."""
        self._last = 0
        """The number of the row of `promises` that was read last."""

    def all(self) -> Salvaged:
        schema, invalidation = self._meta()
        if schema == _schema.SCHEMA:
            self._source.execute(f"SELECT row, {_rows.COLUMNS} FROM promises LIMIT 0")  # else its first page is lost
        self._make_tables(schema)
        is_whole = self._promises()
        is_all_known = is_whole or self._index()
        for table, key in _KEYS.items():
            if self._columns(table):
                self._keyed(table, key)
        _schema.prepare(self._target, Path())
        lost = 0 if is_whole else self._stand_ins()
        self._target.execute(_rows.INVALIDATE, (invalidation + 1,))
        (promises,) = self._target.execute("SELECT count(*) FROM promises").fetchone()
        return Salvaged(promises - lost, lost, is_all_known)

    def _meta(self) -> tuple[int, int]:
        """Schema, and a count of invalidations that was not passed yet; ours, and the time, where they are lost."""
        try:
            schema, invalidation = self._source.execute(_rows.META).fetchone() or (0, -1)
        except sqlite3.DatabaseError:
            schema, invalidation = 0, -1
        is_known = type(schema) is int and 1 <= schema <= _schema.SCHEMA
        is_count = type(invalidation) is int and 0 <= invalidation < 2**62
        return schema if is_known else _schema.SCHEMA, invalidation if is_count else self._clock.now_ms()

    def _make_tables(self, schema: int) -> None:
        if schema == _schema.SCHEMA:
            _schema.prepare(self._target, Path())
        else:
            # Of an older package: brought over when they are filled.
            made = self._source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
            for (statement,) in made.fetchall():
                self._target.execute(statement)
            self._target.execute("INSERT INTO meta (one, schema, invalidation) VALUES (1, ?, 0)", (schema,))
        if self._columns("set_aside"):
            self._target.execute(_set_aside.TABLE)

    def _columns(self, table: str) -> list[str]:
        found = {name for _, name, *_ in self._source.execute(f"PRAGMA table_info({table})")}
        return [name for _, name, *_ in self._target.execute(f"PRAGMA table_info({table})") if name in found]

    def _promises(self) -> bool:
        """Whether all rows could be read."""
        columns = self._columns("promises")
        if self._scan("promises", columns, "ORDER BY row"):
            return True
        # Between what is read from the beginning and what is read from the end there is at least one page that cannot
        # be read, and perhaps many that can.
        number, self._last = self._last + 1, 0
        self._scan("promises", columns, "ORDER BY row DESC")
        high = self._last or number + 1_000_000
        failures = 0
        while number < high and failures < _PROBES:
            self._last = number - 1
            if self._scan("promises", columns, "WHERE row >= ? AND row < ?", (number, high)):
                break
            # In a damaged tree what comes next need not be the next.
            failures = failures + 1 if self._last < number else 0
            number = max(number, self._last + 1)
            self._begin_of(number)
            number += 1
        return False

    def _begin_of(self, number: int) -> None:
        """Note a promise whose row goes on in a page that is lost."""
        columns = ["base", "generation", "created_at", "version"]
        statement = f"SELECT {', '.join(columns)} FROM promises WHERE row = ?"
        try:
            row = self._source.execute(statement, (number,)).fetchone()
        except sqlite3.DatabaseError:
            return
        if row is not None:
            self._know(dict(zip(columns, row, strict=True)))

    def _know(self, columns: dict[str, Any]) -> None:
        if is_addressable(columns):
            self._known.setdefault((columns["base"], columns["generation"]), columns)

    def _index(self) -> bool:
        """Whether the index by id could be read as a whole; what it says is known."""
        for direction in ("ASC", "DESC"):
            statement = (
                "SELECT base, generation FROM promises INDEXED BY sqlite_autoindex_promises_1 "
                f"ORDER BY base {direction}, generation {direction}"
            )
            try:
                for base, generation in self._source.execute(statement):
                    self._know({"base": base, "generation": generation})
            except sqlite3.DatabaseError:
                continue
            return True
        return False

    def _stand_ins(self) -> int:
        for (id,) in self._target.execute("SELECT DISTINCT promise FROM attempts").fetchall():
            if isinstance(id, str):
                self._know(dict(zip(("base", "generation"), split_id(id), strict=True)))
        lost = 0
        for where, columns in self._known.items():
            if self._target.execute(_rows.FILES, where).fetchone() is None:
                self._target.execute(_rows.INSERT, _rows.row_of(stand_in(columns, _LOST)))
                lost += 1
        return lost

    def _keyed(self, table: str, key: str) -> None:
        columns = self._columns(table)
        first = key.partition(",")[0]
        backwards = ", ".join(f"{column} DESC" for column in key.split(", "))
        if self._scan(table, columns, f"ORDER BY {key}") or self._scan(table, columns, f"ORDER BY {backwards}"):
            return
        for base, generation in self._target.execute("SELECT base, generation FROM promises").fetchall():
            if is_addressable({"base": base, "generation": generation}):
                id = base if generation == 1 else f"{base}~{generation}"
                self._scan(table, columns, f"WHERE {first} = ?", (id,))

    def _scan(self, table: str, columns: Sequence[str], rest: str, parameters: Sequence[object] = ()) -> bool:
        """Take over the rows of a SELECT; whether all could be read."""
        insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        try:
            for row in self._source.execute(f"SELECT {', '.join(columns)} FROM {table} {rest}", parameters):
                is_in = self._target.execute(insert, row).rowcount > 0
                if table == "promises":
                    self._last = row[0]
                    if not is_in:
                        self._keep(columns, row)
        except sqlite3.DatabaseError as error:
            _raise_if_not_damage(error)
            return False
        return True

    def _keep(self, columns: Sequence[str], row: Sequence[Any]) -> None:
        """A row that does not fit is set aside, unless it is there already."""
        if self._target.execute("SELECT 1 FROM promises WHERE row = ?", row[:1]).fetchone() is None:
            of_row = dict(zip(columns, row, strict=True))
            _set_aside.set_aside(self._target, "promises", of_row, "does not fit into the table", self._clock.now_ms())
            self._know(of_row)


def _raise_if_not_damage(error: Exception) -> None:
    """Let through what says that there is no room for what was read: it must not count as unreadable."""
    if getattr(error, "sqlite_errorcode", 0) in _NO_ROOM:
        raise error


def _beside(database: Path, piece: str) -> Path:
    return database.with_name(database.name + piece)
