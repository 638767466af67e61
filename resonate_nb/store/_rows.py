"""Rows of the SQLite store and the records they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    TIMER_TAG,
    Leased,
    Promise,
    Settled,
    State,
    TaskState,
    Value,
    join_id,
    split_id,
)

from ._port import Attempt, Order, Query
from ._stand_in import stand_in

PARAM_COLUMNS = ("name", "code", "arguments")
"""Headers of a param that lie in columns of their own; all others lie in one JSON text."""
VALUE_COLUMNS = ("code", "codec", "signature", "elapsed_us", "cpu_us", "owner")
"""Headers of a value that do."""

COLUMNS = (
    "base, generation, state, timeout_at, created_at, settled_at, task, version, owner, lease_ms, lease_until, tags, "
    "name, param_code, param_arguments, param_headers, param_file, param_size, "
    "value_code, codec, signature, elapsed_us, cpu_us, settled_by, value_headers, value_file, value_size, "
    "param_data, value_data"
)
BIRTH_COLUMNS = (
    "base, generation, state, timeout_at, created_at, task, version, owner, lease_ms, lease_until, tags, "
    "name, param_code, param_arguments, param_headers, param_file, param_size, value_size, param_data"
)
"""Those of a promise that has not settled; in all others it has nothing."""
_ID = "CASE generation WHEN 1 THEN base ELSE base || '~' || generation END"
"""The id of a row, as `protocol.join_id` makes it."""
ATTEMPT_COLUMNS = (
    "promise, number, owner, started_at, ended_at, elapsed_us, cpu_us, result_bytes, outcome, error, retry_at"
)

_STATES = {str(state): state for state in State}
_TASKS = {str(task): task for task in TaskState}

_MAGIC = re.compile(r"[*?\[]")

Row = tuple[Any, ...]

# Made once: `json.dumps` with separators makes an encoder at each call, and `json.loads` looks for white space.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def promise_of(row: Row) -> Promise:
    """The record of a row with `COLUMNS`; of one that no package of ours can have written, what stands in for it."""
    try:
        return parse(row)
    except BAD:
        return stand_in(columns_of(row))


def columns_of(row: Row) -> dict[str, Any]:
    """A row with `COLUMNS` by the names of its columns."""
    return dict(zip(COLUMNS.split(", "), row, strict=True))


def text_or_bytes(data: bytes) -> str | bytes:
    """A `text_factory` for rows that may be damaged: what is no text comes as bytes, instead of an error for all."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


_TEXTS = frozenset((str, type(None)))
_BYTES = frozenset((bytes, type(None)))

BAD = (ValueError, KeyError, TypeError)
"""What `parse` raises for a row that no package of ours can have written."""


def parse(row: Row) -> Promise:
    """The record of a row with `COLUMNS`. Raises one of `BAD`."""
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
        name,
        param_code,
        param_arguments,
        param_headers,
        param_file,
        param_size,
        value_code,
        codec,
        signature,
        elapsed_us,
        cpu_us,
        settled_by,
        value_headers,
        value_file,
        value_size,
        param_data,
        value_data,
    ) = row
    # Used as what they should be by everybody who looks: one that is not would take down a whole listing.
    if not (0 <= timeout_at <= NEVER and 0 <= created_at <= NEVER and 0 <= version <= NEVER):
        raise ValueError("an instant before the epoch, or beyond all time, or a version below zero")
    for instant in (settled_at, lease_ms, lease_until):
        if instant is not None and not 0 <= instant <= NEVER:
            raise ValueError("an instant before the epoch, or beyond all time")
    if base.__class__ is not str or not _TEXTS.issuperset(map(type, (owner, *row[11:17], *row[18:26]))):
        raise TypeError("a text that is none")
    if not _BYTES.issuperset(map(type, row[27:])):
        raise TypeError("bytes that are none")
    param = mapping_of(param_headers)
    if name is not None:
        param["name"] = name
    if param_code is not None:
        param["code"] = param_code
    if param_arguments is not None:
        param["arguments"] = param_arguments
    value = EMPTY
    if settled_at is not None or value_size or value_headers is not None:
        value = _value(
            (value_code, codec, signature, elapsed_us, cpu_us, settled_by),
            value_headers,
            value_file,
            value_size,
            value_data,
        )
    return Promise(
        join_id(base, generation),
        _STATES[state],
        Value(param, param_data, param_file, param_size) if param or param_size or param_data is not None else EMPTY,
        value,
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
        *_headers_of(param.headers, PARAM_COLUMNS),
        param.file,
        param.size_bytes,
        *_headers_of(value.headers, VALUE_COLUMNS),
        value.file,
        value.size_bytes,
        param.data,
        value.data,
    )


def birth_of(promise: Promise) -> Row:
    """The row with `BIRTH_COLUMNS` of a record that has not settled."""
    param = promise.param
    return (
        *split_id(promise.id),
        promise.state,
        promise.timeout_at,
        promise.created_at,
        promise.task,
        promise.version,
        promise.owner,
        promise.lease_ms,
        promise.lease_until,
        text_of(promise.tags),
        *_headers_of(param.headers, PARAM_COLUMNS),
        param.file,
        param.size_bytes,
        0,
        param.data,
    )


def settlement_of(delta: Settled) -> Row:
    """Parameters of `SETTLE`."""
    value = delta.value
    return (
        delta.state,
        delta.settled_at,
        *_headers_of(value.headers, VALUE_COLUMNS),
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
    texts: Row = tuple(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in row)
    return Attempt(*texts)


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
        attempt.retry_at,
    )


def text_of(mapping: Mapping[str, str]) -> str | None:
    """A mapping as it lies in a column; None when empty, which costs nothing to store and to read."""
    return _encode(dict(mapping)) if mapping else None


def mapping_of(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    found: dict[str, str] = _decode(text)[0]
    if found.__class__ is not dict:
        raise ValueError(f"{text!r} is no mapping")
    return found


def listing(query: Query) -> tuple[str, list[Any], bool]:
    """SELECT of `LISTED` for a query, in its order, with parameters, and whether it is all: if not, the caller has to
    look at each row (`listed_of`), and to cut to the limit."""
    conditions: list[str] = []
    parameters: list[Any] = []
    is_exact = not query.tags

    def also(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if query.states:
        also(*_in_states(query.states, query.now))
    for column, pattern in (("name", query.name), (_ID, query.glob)):
        if pattern is None:
            continue
        if "[" in pattern:
            # SQLite and the shell differ on what stands in brackets.
            is_exact = False
        elif not _MAGIC.search(pattern) and column == "name":
            also("name = ?", pattern)
        else:
            also(f"{column} GLOB ?", pattern)
    # What a pattern begins with narrows the search to a part of the index; behind a ``~`` no base need agree.
    start = _MAGIC.split(query.glob or "", maxsplit=1)[0].partition("~")[0]
    if start and start.isascii():
        also("base >= ? AND base < ?", start, start[:-1] + chr(ord(start[-1]) + 1))
    if query.since is not None:
        also("created_at >= ?", query.since)
    if query.until is not None:
        also("created_at < ?", query.until)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    way = "DESC" if query.order is Order.NEWEST else "ASC"
    statement = f"SELECT {LISTED} FROM promises{where} ORDER BY created_at {way}, row {way}"
    if is_exact and query.limit is not None:
        statement += " LIMIT ?"
        parameters.append(query.limit)
    return statement, parameters, is_exact


def _in_states(states: Sequence[State], now: int | None) -> tuple[Any, ...]:
    """The condition that a promise is in one of these states, and its parameters.

    As of an instant this is `protocol.project` in SQL: it must not decode ten thousand rows to find those three.
    """
    places = ", ".join("?" * len(states))
    if now is None:
        return f"state IN ({places})", *states
    settled = f"CASE WHEN instr(tags, ?) THEN '{State.RESOLVED}' ELSE '{State.TIMEDOUT}' END"
    state = f"CASE WHEN state = '{State.PENDING}' AND timeout_at <= ? THEN {settled} ELSE state END"
    return f"{state} IN ({places})", now, f'"{TIMER_TAG}":"true"', *states


LISTED = "row, base, generation, created_at, name, tags"


def listed_of(row: Row) -> Promise:
    """As much of a promise as is known of a row with `LISTED`: id, time, name and tags."""
    _, base, generation, created_at, name, tags = row
    param = EMPTY if name is None else Value({"name": name})
    try:
        if created_at < 0 or base.__class__ is not str:
            raise ValueError("an instant before the epoch, or an id that is no text")
        return Promise(join_id(base, generation), State.PENDING, param, EMPTY, mapping_of(tags), NEVER, created_at)
    except BAD:
        return stand_in(dict(zip(LISTED.split(", "), row, strict=True)))


def _headers_of(headers: Mapping[str, str], columns: tuple[str, ...]) -> list[str | None]:
    """Header values by column, and last the JSON text of those that have none."""
    found: list[str | None] = [*map(headers.get, columns)]
    if len(headers) != len(columns) - found.count(None):
        found.append(text_of({name: text for name, text in headers.items() if name not in columns}))
    else:
        found.append(None)
    return found


def _value(
    columns: tuple[str | None, ...], headers: str | None, file: str | None, size_bytes: int, data: bytes | None
) -> Value:
    found = mapping_of(headers)
    for name, text in zip(VALUE_COLUMNS, columns, strict=True):
        if text is not None:
            found[name] = text
    if not found and file is None and data is None and size_bytes == 0:
        return EMPTY
    return Value(found, data, file, size_bytes)


LOOK_UP = f"SELECT {COLUMNS} FROM promises WHERE base = ? AND generation = ?"
IS_ACQUIRED = """
SELECT 1 FROM promises WHERE base = ? AND generation = ? AND version = ? AND state = 'pending' AND task = 'acquired'
"""
NEWEST = f"SELECT {COLUMNS} FROM promises WHERE name = ? ORDER BY row DESC LIMIT 1"
BARE_COLUMNS = COLUMNS.replace("value_data", f"CASE state WHEN '{State.RESOLVED}' THEN NULL ELSE value_data END")
RECENT = f"SELECT {BARE_COLUMNS} FROM promises WHERE name = ? ORDER BY row DESC LIMIT ?"
DEADLINES = f"""
SELECT timeout_at, {_ID} FROM promises WHERE state = 'pending' AND timeout_at < {NEVER} ORDER BY timeout_at LIMIT ?
"""
_AHEAD = """
SELECT base, generation, state, task, version, COALESCE(value_code, param_code), param_arguments, codec, signature,
    CASE WHEN elapsed_us NOT GLOB '*[^0-9]*' THEN elapsed_us END, value_headers,
    CASE WHEN value_size <= ? THEN value_data END
FROM promises
"""
AHEAD = f"{_AHEAD} WHERE name = ? ORDER BY row DESC LIMIT ?"
UNDER = f"{_AHEAD} WHERE base >= ? AND base < ? ORDER BY base, generation LIMIT ?"
LATEST = f"SELECT {COLUMNS} FROM promises WHERE base = ? ORDER BY generation DESC LIMIT 1"
AT_ROW = f"SELECT {COLUMNS} FROM promises WHERE row = ?"
BARE_AT_ROW = f"SELECT {BARE_COLUMNS} FROM promises WHERE row = ?"
INSERT = f"INSERT INTO promises ({COLUMNS}) VALUES ({', '.join('?' * 29)})"
SETTLE = """
UPDATE promises SET state = ?, settled_at = ?,
    value_code = ?, codec = ?, signature = ?, elapsed_us = ?, cpu_us = ?, settled_by = ?,
    value_headers = ?, value_file = ?, value_size = ?, value_data = ?,
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
ANY_FENCE = "SELECT 1 FROM fences LIMIT 1"
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE promise = ? ORDER BY number"
PUT_ATTEMPT = f"INSERT OR REPLACE INTO attempts ({ATTEMPT_COLUMNS}) VALUES ({', '.join('?' * 11)})"
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
