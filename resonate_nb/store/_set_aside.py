"""A table of rows that no package of ours can have written: kept as they were, out of everybody's way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

TABLE = """
CREATE TABLE IF NOT EXISTS set_aside (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    why TEXT NOT NULL,
    columns TEXT NOT NULL
)
"""


def set_aside(connection: sqlite3.Connection, source: str, columns: Mapping[str, Any], why: str, now: int) -> None:
    """The row's columns are in the table, as JSON in which bytes are ``{"hex": ...}``. It stays where it was too."""
    connection.execute(TABLE)
    text = json.dumps(dict(columns), default=lambda data: {"hex": bytes(data).hex()})
    connection.execute("INSERT INTO set_aside (at, source, why, columns) VALUES (?, ?, ?, ?)", (now, source, why, text))
