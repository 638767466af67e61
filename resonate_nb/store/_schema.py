"""Tables of the SQLite store, and the number that says which tables they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from resonate_nb.errors import DamagedStoreError, SchemaError, StoreError
from resonate_nb.protocol import NEVER

from . import _rows

SCHEMA = 2
"""The schema this package reads and writes. A store of a higher one is refused, at opening and in each transaction."""

# One row per promise with its task: a call costs one look-up and two writes. A rowid table with an index beside it
# was faster to write than WITHOUT ROWID (rows of up to 30 KB make a poor index). The wide columns come last, so that
# a listing does not read the overflow pages of values it does not look at. The headers that every call of ours has
# are columns of their own (`_rows.PARAM_COLUMNS`, `VALUE_COLUMNS`): nothing is parsed to find out what a row is.
_TABLES = (
    """
    CREATE TABLE promises (
        row INTEGER PRIMARY KEY,
        base TEXT NOT NULL,
        generation INTEGER NOT NULL,
        state TEXT NOT NULL,
        timeout_at INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        settled_at INTEGER,
        task TEXT NOT NULL,
        version INTEGER NOT NULL,
        owner TEXT,
        lease_ms INTEGER,
        lease_until INTEGER,
        tags TEXT,
        name TEXT,
        param_code TEXT,
        param_arguments TEXT,
        param_headers TEXT,
        param_file TEXT,
        param_size INTEGER NOT NULL,
        value_code TEXT,
        codec TEXT,
        signature TEXT,
        elapsed_us TEXT,
        cpu_us TEXT,
        settled_by TEXT,
        value_headers TEXT,
        value_file TEXT,
        value_size INTEGER NOT NULL,
        param_data BLOB,
        value_data BLOB,
        UNIQUE (base, generation)
    )
    """,
    # Which files have a row is asked at opening; rows without a file, nearly all, cost these indexes nothing.
    "CREATE INDEX param_files ON promises (param_file) WHERE param_file IS NOT NULL",
    "CREATE INDEX value_files ON promises (value_file) WHERE value_file IS NOT NULL",
    # The rows of one function, in the order in which they came.
    "CREATE INDEX names ON promises (name) WHERE name IS NOT NULL",
    f"CREATE INDEX deadlines ON promises (timeout_at) WHERE state = 'pending' AND timeout_at < {NEVER}",
    """
    CREATE TABLE attempts (
        promise TEXT NOT NULL,
        number INTEGER NOT NULL,
        owner TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        elapsed_us INTEGER,
        cpu_us INTEGER,
        result_bytes INTEGER,
        outcome TEXT,
        error TEXT,
        retry_at INTEGER,
        PRIMARY KEY (promise, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE notes (
        promise TEXT NOT NULL,
        kind TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (promise, kind)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE fences (
        promise TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    # This table keeps its form for ever: it is what an older package reads to learn that it is older.
    """
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        schema INTEGER NOT NULL,
        invalidation INTEGER NOT NULL
    )
    """,
)

_NEEDED = (
    f"SELECT row, {_rows.COLUMNS} FROM promises LIMIT 0",
    f"SELECT {_rows.ATTEMPT_COLUMNS} FROM attempts LIMIT 0",
    "SELECT promise, kind, data FROM notes LIMIT 0",
    "SELECT promise, version FROM fences LIMIT 0",
)
_NAMES = frozenset(("promises", "attempts", "notes", "fences", "meta"))
HIGHEST = 1_000
"""A number above it is no schema of a later package, but a scribble."""


def prepare(connection: sqlite3.Connection, path: Path) -> int:
    """The tables are there and of our schema; returns the invalidation counter. Call inside a write transaction."""
    names = connection.execute("SELECT CAST(name AS BLOB) FROM sqlite_master WHERE type = 'table'")
    tables = {name.decode("utf-8", "replace") for (name,) in names}
    if not tables:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO meta (one, schema, invalidation) VALUES (1, ?, 0)", (SCHEMA,))
    elif not tables & _NAMES:
        raise StoreError(
            f"the database of {str(path)!r} is not a store of this package (it has none of its tables). "
            "Name another directory with rnb.configure(store=...) or RESONATE_NB_STORE."
        )
    elif "meta" not in tables:
        raise DamagedStoreError("the table 'meta' is gone")
    row = connection.execute("SELECT schema, invalidation FROM meta WHERE one = 1").fetchone()
    schema, invalidation = row or (0, 0)
    if type(schema) is not int or not 1 <= schema <= HIGHEST or type(invalidation) is not int or invalidation < 0:
        raise DamagedStoreError(f"its schema number is {schema!r}")
    if schema == SCHEMA and tables and not tables >= _NAMES:
        raise DamagedStoreError(f"the table {min(_NAMES - tables)!r} is gone")
    if schema == SCHEMA:
        need_columns(connection)
    if schema > SCHEMA:
        raise refused(schema, path)
    if schema < SCHEMA:
        from ._migrate import migrate

        migrate(connection, schema, SCHEMA)
    return int(invalidation)


def need_columns(connection: sqlite3.Connection) -> None:
    """Raises DamagedStoreError if a table has lost a column: the text that says which it has was damaged."""
    for statement in _NEEDED:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise DamagedStoreError(f"its tables make no sense ({error})") from error


def refused(schema: int, path: Path) -> SchemaError:
    """The error for a store whose schema is not ours; a newer package has raised it, perhaps while we had it open."""
    return SchemaError(
        f"the store {str(path)!r} has schema {schema}, and this package knows schema {SCHEMA}. "
        "Upgrade resonate-nb and restart the kernel, or name another store with RESONATE_NB_STORE."
    )
