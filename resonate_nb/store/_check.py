"""What is inconsistent in a store: reads only, for people, tests and `_repair`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from resonate_nb.protocol import Promise, join_id, split_id
from resonate_nb.records import dataclass

from . import _rows
from ._opened import Readable
from ._port import Problem
from ._sound import impossible
from ._stand_in import is_addressable
from ._values import Listed, is_value_name, list_values

Judge = Callable[[Promise], Problem | None]
"""What somebody who knows more than the store finds wrong with a readable promise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, and where it sits."""

    problem: Problem
    row: int | None = None
    """Of the promise, where it is one."""
    columns: dict[str, Any] = field(default_factory=dict)
    """The row that is bad, as it lies there."""
    side: str = ""
    """``param`` or ``value``, where a file of the row is at fault."""
    file: str = ""
    """The file at fault that lies in the directory of values."""


def check(directory: Readable, judge: Judge | None = None) -> list[Problem]:
    """All findings; empty for a sound store. What living processes are writing just now is none."""
    # Files first, rows after: a file whose row comes meanwhile is known to be named, and one that comes after the
    # listing belongs to a living process.
    listed = list_values(directory.values)
    link = directory.pool.take()
    link.connection.text_factory = _rows.text_or_bytes
    try:
        found = [Problem("damaged", "database", line) for line in damage(link.connection)]
        return found or [each.problem for each in findings(directory, link.connection, listed, judge)]
    except sqlite3.DatabaseError as error:
        return [Problem("damaged", "database", str(error))]
    finally:
        directory.pool.drop(link)


def damage(connection: sqlite3.Connection) -> list[str]:
    """What SQLite itself finds wrong with the database, at most a hundred lines; empty when it is whole."""
    try:
        return [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def findings(
    directory: Readable, connection: sqlite3.Connection, listed: list[Listed], judge: Judge | None = None
) -> Iterator[Finding]:
    """What is wrong with the rows of a whole database, and with the files that they name or do not name."""
    sizes = {file.name: file.size_bytes for file in listed}
    named: set[str] = set()
    for number, *row in connection.execute(f"SELECT row, {_rows.COLUMNS} FROM promises"):
        columns = _rows.columns_of(tuple(row))
        named.update(name for name in (columns["param_file"], columns["value_file"]) if isinstance(name, str))
        try:
            promise = _rows.parse(tuple(row))
            wrong = impossible(promise) if is_addressable(columns) else "its id makes no sense"
        except _rows.BAD as error:
            wrong = f"cannot be read: {error!r}"
        if wrong is not None:
            yield Finding(Problem("bad_row", _id_of(columns), wrong), number, columns)
            continue
        is_whole = True
        for side, value in (("param", promise.param), ("value", promise.value)):
            if value.file is not None and (bad := _file(directory, promise.id, value.file, value.size_bytes, sizes)):
                is_whole = False
                yield Finding(bad, number, columns, side, value.file if bad.kind == "short_file" else "")
        if is_whole and judge is not None and (judged := judge(promise)) is not None:
            yield Finding(judged, number, columns)
    # Notes may stand under other keys than promises; attempts may not.
    for (id,) in connection.execute("SELECT DISTINCT promise FROM attempts"):
        if not isinstance(id, str) or connection.execute(_rows.FILES, split_id(id)).fetchone() is None:
            yield Finding(Problem("bad_row", str(id), "attempts of a promise that is not there"), columns={"id": id})
    for file in listed:
        # A living owner's file may be one whose row is about to come.
        if file.name in named or directory.owners.is_alive(file.owner):
            continue
        kind = "partial_file" if file.is_part else "orphan_file"
        yield Finding(Problem(kind, file.name, f"{file.size_bytes:,} bytes that no promise names"), file=file.name)


def _id_of(columns: dict[str, Any]) -> str:
    generation = columns["generation"]
    return join_id(str(columns["base"]), generation if isinstance(generation, int) else 1)


def _file(directory: Readable, id: str, name: str, size_bytes: int, sizes: dict[str, int]) -> Problem | None:
    if not is_value_name(name):
        # A row of a store that somebody else made must not lead us out of the directory.
        return Problem("missing_file", id, f"{name!r} is not the name of a value file")
    found = sizes.get(name)
    if found is None:
        # It came since the listing, or was forgotten since our snapshot: ask again, the row through a new one.
        found = _size_now(directory.values / name)
        if found is None:
            return Problem("missing_file", id, name) if name in _files_now(directory, id) else None
    if found != size_bytes:
        return Problem("short_file", id, f"{name} has {found:,} bytes, its row says {size_bytes:,}")
    return None


def _size_now(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def _files_now(directory: Readable, id: str) -> tuple[str | None, ...]:
    link = directory.pool.take()
    try:
        files: tuple[str | None, ...] | None = link.cursor.execute(_rows.FILES, split_id(id)).fetchone()
        return files or ()
    finally:
        directory.pool.give(link)
