"""Rows of the SQLite store and the records they stand for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resonate_nb.protocol import EMPTY, Leased, Promise, Settled, State, TaskState, Value, join_id, split_id

from ._port import Attempt, Query

COLUMNS = (
    "base, generation, state, timeout_at, created_at, settled_at, task, version, owner, lease_ms, lease_until, tags, "
    "param_headers, param_file, param_size, value_headers, value_file, value_size, param_data, value_data"
)
_ID = "CASE generation WHEN 1 THEN base ELSE base || '~' || generation END"
"""The id of a row, as `protocol.join_id` makes it."""
ATTEMPT_COLUMNS = "promise, number, owner, started_at, ended_at, elapsed_us, cpu_us, result_bytes, outcome, error"

_STATES = {str(state): state for state in State}
_TASKS = {str(task): task for task in TaskState}

Row = tuple[Any, ...]

# Made once: `json.dumps` with separators makes an encoder at each call, and `json.loads` looks for white space.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def promise_of(row: Row) -> Promise:
    """The record of a row with `COLUMNS`. Raises ValueError or KeyError for a row no package of ours has written."""
    (
        base,
        generation,
        state,
        timeout_at,
        created_at,
        settled_at,
        task,
        version,
        owner,
        lease_ms,
        lease_until,
        tags,
        param_headers,
        param_file,
        param_size,
        value_headers,
        value_file,
        value_size,
        param_data,
        value_data,
    ) = row
    return Promise(
        join_id(base, generation),
        _STATES[state],
        _value(param_headers, param_file, param_size, param_data),
        _value(value_headers, value_file, value_size, value_data),
        mapping_of(tags),
        timeout_at,
        created_at,
        settled_at,
        _TASKS[task],
        version,
        owner,
        lease_ms,
        lease_until,
    )


def row_of(promise: Promise) -> Row:
    """The row with `COLUMNS` of a record."""
    param = promise.param
    value = promise.value
    return (
        *split_id(promise.id),
        promise.state,
        promise.timeout_at,
        promise.created_at,
        promise.settled_at,
        promise.task,
        promise.version,
        promise.owner,
        promise.lease_ms,
        promise.lease_until,
        text_of(promise.tags),
        text_of(param.headers),
        param.file,
        param.size_bytes,
        text_of(value.headers),
        value.file,
        value.size_bytes,
        param.data,
        value.data,
    )


def settlement_of(delta: Settled) -> Row:
    """Parameters of `SETTLE`."""
    value = delta.value
    return (
        delta.state,
        delta.settled_at,
        text_of(value.headers),
        value.file,
        value.size_bytes,
        value.data,
        *split_id(delta.id),
    )


def lease_of(delta: Leased) -> Row:
    """Parameters of `LEASE`."""
    return (
        delta.task,
        delta.version,
        delta.owner,
        delta.lease_ms,
        delta.lease_until,
        *split_id(delta.id),
    )


def attempt_of(row: Row) -> Attempt:
    return Attempt(*row)


def row_of_attempt(attempt: Attempt) -> Row:
    return (
        attempt.promise,
        attempt.number,
        attempt.owner,
        attempt.started_at,
        attempt.ended_at,
        attempt.elapsed_us,
        attempt.cpu_us,
        attempt.result_bytes,
        attempt.outcome,
        attempt.error,
    )


def text_of(mapping: Mapping[str, str]) -> str | None:
    """A mapping as it lies in a column; None when empty, which costs nothing to store and to read."""
    return _encode(dict(mapping)) if mapping else None


def mapping_of(text: str | None) -> dict[str, str]:
    return _decode(text)[0] if text else {}


def listing(query: Query) -> tuple[str, list[Any], bool]:
    """SELECT of row, base, generation and tags for a query, in its order, with parameters, and whether it is all:
    if not, the caller has to look at pattern and tags, and to cut to the limit."""
    conditions = []
    parameters: list[Any] = []
    is_exact = not query.tags
    if query.states:
        conditions.append(f"state IN ({', '.join('?' * len(query.states))})")
        parameters.extend(query.states)
    if query.glob is not None:
        if "[" in query.glob:
            # SQLite and the shell differ on what stands in brackets.
            is_exact = False
        else:
            conditions.append(f"{_ID} GLOB ?")
            parameters.append(query.glob)
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    statement = f"SELECT row, base, generation, tags FROM promises {where}ORDER BY created_at DESC, {_ID}"
    if is_exact and query.limit is not None:
        statement += " LIMIT ?"
        parameters.append(query.limit)
    return statement, parameters, is_exact


def _value(headers: str | None, file: str | None, size_bytes: int, data: bytes | None) -> Value:
    if headers is None and file is None and data is None and size_bytes == 0:
        return EMPTY
    return Value(mapping_of(headers), data, file, size_bytes)


LOOK_UP = f"SELECT {COLUMNS} FROM promises WHERE base = ? AND generation = ?"
LATEST = f"SELECT {COLUMNS} FROM promises WHERE base = ? ORDER BY generation DESC LIMIT 1"
AT_ROW = f"SELECT {COLUMNS} FROM promises WHERE row = ?"
INSERT = f"INSERT INTO promises ({COLUMNS}) VALUES ({', '.join('?' * 20)})"
SETTLE = """
UPDATE promises SET state = ?, settled_at = ?, value_headers = ?, value_file = ?, value_size = ?, value_data = ?,
    task = CASE task WHEN 'absent' THEN 'absent' ELSE 'fulfilled' END,
    owner = NULL, lease_ms = NULL, lease_until = NULL
WHERE base = ? AND generation = ?
"""
LEASE = """
UPDATE promises SET task = ?, version = ?, owner = ?, lease_ms = ?, lease_until = ?
WHERE base = ? AND generation = ?
"""
FILES = "SELECT param_file, value_file FROM promises WHERE base = ? AND generation = ?"
DELETE = "DELETE FROM promises WHERE base = ? AND generation = ?"
DELETE_ATTEMPTS = "DELETE FROM attempts WHERE promise = ?"
DELETE_NOTES = "DELETE FROM notes WHERE promise = ?"
PUT_FENCE = "INSERT OR REPLACE INTO fences (promise, version) VALUES (?, ?)"
FENCE = "SELECT version FROM fences WHERE promise = ?"
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE promise = ? ORDER BY number"
PUT_ATTEMPT = f"INSERT OR REPLACE INTO attempts ({ATTEMPT_COLUMNS}) VALUES ({', '.join('?' * 10)})"
NOTE = "SELECT data FROM notes WHERE promise = ? AND kind = ?"
PUT_NOTE = "INSERT OR REPLACE INTO notes (promise, kind, data) VALUES (?, ?, ?)"
DELETE_NOTE = "DELETE FROM notes WHERE promise = ? AND kind = ?"
META = "SELECT schema, invalidation FROM meta WHERE one = 1"
ALL_FILES = """
SELECT param_file FROM promises WHERE param_file IS NOT NULL
UNION ALL SELECT value_file FROM promises WHERE value_file IS NOT NULL
"""
ALL_OWNERS = "SELECT owner FROM promises WHERE owner IS NOT NULL"
INVALIDATE = "UPDATE meta SET invalidation = ? WHERE one = 1"

SNAPSHOT = "SELECT schema, invalidation FROM meta UNION ALL SELECT 0, 0"
"""As `META`, with a second row: until that one is fetched too, the statement holds a read transaction open, which
makes all reads of the connection one snapshot for less than BEGIN and COMMIT cost."""
