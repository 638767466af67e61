"""What is inconsistent is mended: the promise is kept, what is damaged of it is set aside, and nothing is deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import _rows
from ._aside import Aside
from ._check import Finding, findings
from ._opened import Writable
from ._port import Problem
from ._set_aside import set_aside
from ._stand_in import is_addressable, stand_in
from ._values import list_values

_NOT_STORED = {
    "missing_file": "its value file is missing",
    "short_file": "its value file was damaged",
}


def mend(
    directory: Writable, connection: sqlite3.Connection, aside: Aside, *, is_asked_for: bool = False
) -> list[Problem]:
    """What `_check.findings` finds in a whole database, each with what was done about it; then it finds nothing more.
    Files whose names are none of ours are moved only if that is asked for: the user may have named a folder of theirs.

    Call inside a write transaction, whose commit must follow.
    """
    connection.text_factory = _rows.text_or_bytes
    try:
        listed = list_values(directory.values)
        listed = listed if is_asked_for else [file for file in listed if file.owner]
        found = list(findings(directory, connection, listed))
        done = [replace(each.problem, done=_mended(directory, connection, aside, each)) for each in found]
        if any(each.problem.kind == "bad_row" for each in found):
            # The files of these rows have none any more.
            for each in findings(directory, connection, listed):
                if each.file and each.file not in {earlier.file for earlier in found}:
                    done.append(replace(each.problem, done=_mended(directory, connection, aside, each)))
        return done
    finally:
        connection.text_factory = str


def _mended(directory: Writable, connection: sqlite3.Connection, aside: Aside, finding: Finding) -> str:
    kind, now = finding.problem.kind, directory.clock.now_ms()
    if finding.file:
        aside.move(directory.values / finding.file)
    match kind:
        case "missing_file" | "short_file":
            _forget_file(connection, finding, _NOT_STORED[kind])
            return "counts as not stored" + (f"; the file is kept in {aside.folder}" if finding.file else "")
        case "bad_row" if finding.row is None:
            id = finding.columns["id"]
            for row in _of_nobody(connection, id):
                set_aside(connection, "attempts", row, finding.problem.detail, now)
            connection.execute("DELETE FROM attempts WHERE promise = ?", (id,))
            return "moved to the table set_aside"
        case "bad_row":
            set_aside(connection, "promises", finding.columns, finding.problem.detail, now)
            connection.execute("DELETE FROM promises WHERE row = ?", (finding.row,))
            if not is_addressable(finding.columns):
                return "moved to the table set_aside"
            connection.execute(_rows.INSERT, _rows.row_of(stand_in(finding.columns)))
            return "moved to the table set_aside; the promise counts as not stored"
    return f"kept in {aside.folder}"


def _forget_file(connection: sqlite3.Connection, finding: Finding, why: str) -> None:
    """The row names the file no more, and says why its value is not there."""
    side, columns = finding.side, finding.columns
    headers = {**_rows.mapping_of(columns[f"{side}_headers"]), "not_stored": why}
    connection.execute(
        f"UPDATE promises SET {side}_file = NULL, {side}_size = 0, {side}_headers = ? WHERE row = ?",
        (_rows.text_of(headers), finding.row),
    )


def _of_nobody(connection: sqlite3.Connection, id: object) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(f"SELECT {_rows.ATTEMPT_COLUMNS} FROM attempts WHERE promise = ?", (id,))
    for row in cursor.fetchall():
        yield dict(zip(_rows.ATTEMPT_COLUMNS.split(", "), row, strict=True))
