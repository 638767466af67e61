"""From the schemas of earlier packages to ours, one step a number, inside the transaction that opens the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable


def _to_2(connection: sqlite3.Connection) -> None:
    """Headers that every call has become columns, and what was noted of a call goes into its param.

    Notes ``key`` (digests of the call's parts) and ``arguments`` (short texts) become one JSON text there. The tries
    that settled stay where they are: a settled row and its try say the same.
    """
    for column in (
        *("name", "param_code", "param_arguments", "value_code"),
        *("codec", "signature", "elapsed_us", "cpu_us", "settled_by"),
    ):
        connection.execute(f"ALTER TABLE promises ADD COLUMN {column} TEXT")
    connection.execute("ALTER TABLE attempts ADD COLUMN retry_at INTEGER")
    connection.execute("CREATE INDEX names ON promises (name) WHERE name IS NOT NULL")
    connection.execute(
        "CREATE INDEX deadlines ON promises (timeout_at) WHERE state = 'pending' AND timeout_at < 9007199254740991"
    )
    rows = connection.execute("SELECT row, base, generation, param_headers, value_headers FROM promises").fetchall()
    for row, base, generation, param_headers, value_headers in rows:
        id = base if generation == 1 else f"{base}~{generation}"
        param = json.loads(param_headers or "{}")
        value = json.loads(value_headers or "{}")
        notes = {kind: json.loads(data) for kind, data in connection.execute(_NOTES_OF, (id,))}
        about: dict[str, object] = {}
        if "arguments" in notes:
            about["shown"] = notes["arguments"]
        if "key" in notes:
            about["arguments"] = notes["key"].get("arguments", {})
            about["content"] = notes["key"].get("content", {})
        elapsed_ms = value.pop("elapsed_ms", None)
        connection.execute(
            "UPDATE promises SET name = ?, param_code = ?, param_arguments = ?, param_data = ?, param_size = ?, "
            "value_code = ?, codec = ?, signature = ?, elapsed_us = ?, param_headers = ?, value_headers = ? "
            "WHERE row = ?",
            (
                param.pop("name", None),
                param.pop("code", None),
                param.pop("arguments", None),
                json.dumps(about, separators=(",", ":")).encode() if about else None,
                len(json.dumps(about, separators=(",", ":"))) if about else 0,
                value.pop("code", None),
                value.pop("codec", None),
                value.pop("signature", None),
                None if elapsed_ms is None else f"{elapsed_ms}000",
                json.dumps(param) if param else None,
                json.dumps(value) if value else None,
                row,
            ),
        )
    connection.execute("DELETE FROM notes WHERE kind IN ('key', 'arguments')")
    connection.execute("DELETE FROM notes WHERE kind = 'latest' AND promise LIKE 'name:function:%'")


_NOTES_OF = "SELECT kind, data FROM notes WHERE promise = ? AND kind IN ('key', 'arguments')"

STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _to_2}
"""Schema -> what makes it the next one."""


def migrate(connection: sqlite3.Connection, schema: int, wanted: int) -> None:
    """The tables are of the wanted schema. Call inside a write transaction; nothing is changed if it fails."""
    for number in range(schema, wanted):
        STEPS[number](connection)
    connection.execute("UPDATE meta SET schema = ? WHERE one = 1", (wanted,))
