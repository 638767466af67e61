"""What is inconsistent in a store: reads only, for people and tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from resonate_nb.protocol import join_id, split_id

from . import _rows
from ._directory import Directory
from ._port import Problem
from ._sound import impossible
from ._values import Listed, list_values


def check(directory: Directory) -> list[Problem]:
    """All findings; empty for a sound store. What living processes are writing just now is none."""
    # Files first, rows after: a file whose row comes meanwhile is known to be named, and one that comes after the
    # listing belongs to a living process.
    listed = list_values(directory.values)
    link = directory.pool.take()
    try:
        return [*_damage(link.connection), *_bad(directory, link.connection, listed)]
    except sqlite3.DatabaseError as error:
        return [Problem("damaged", str(directory.path), str(error))]
    finally:
        directory.pool.drop(link)


def _damage(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield Problem("damaged", "database", line)


def _bad(directory: Directory, connection: sqlite3.Connection, listed: list[Listed]) -> Iterator[Problem]:
    named: set[str] = set()
    for row in connection.execute(f"SELECT {_rows.COLUMNS} FROM promises"):
        try:
            promise = _rows.promise_of(row)
        except (ValueError, KeyError, TypeError) as error:
            yield Problem("bad_row", join_id(str(row[0]), row[1]), f"cannot be read: {error!r}")
            named.update(name for name in (row[13], row[16]) if isinstance(name, str))
            continue
        wrong = impossible(promise)
        if wrong is not None:
            yield Problem("bad_row", promise.id, wrong)
        for value in (promise.param, promise.value):
            if value.file is not None:
                named.add(value.file)
                yield from _file(directory, promise.id, value.file, value.size_bytes)
    # Notes may stand under other keys than promises; attempts may not.
    for (id,) in connection.execute("SELECT DISTINCT promise FROM attempts"):
        if connection.execute(_rows.FILES, split_id(id)).fetchone() is None:
            yield Problem("bad_row", id, "attempts of a promise that is not there")
    for file in listed:
        # A living owner's file may be one whose row is about to come.
        if file.name in named or directory.owners.is_alive(file.owner):
            continue
        kind = "partial_file" if file.is_part else "orphan_file"
        yield Problem(kind, file.name, f"{file.size_bytes} bytes that no promise names")


def _file(directory: Directory, id: str, name: str, size_bytes: int) -> Iterator[Problem]:
    try:
        found = (directory.values / name).stat().st_size
    except FileNotFoundError:
        # Forgotten since our snapshot, perhaps: ask again through a new one.
        if name in _files_now(directory, id):
            yield Problem("missing_file", id, name)
        return
    if found != size_bytes:
        yield Problem("short_file", id, f"{name} has {found} bytes, its row says {size_bytes}")


def _files_now(directory: Directory, id: str) -> tuple[str | None, ...]:
    link = directory.pool.take()
    try:
        files: tuple[str | None, ...] | None = link.cursor.execute(_rows.FILES, split_id(id)).fetchone()
        return files or ()
    finally:
        directory.pool.give(link)
