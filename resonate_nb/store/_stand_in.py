"""What stands in for a row that is damaged or lost: a promise of the same id that reads as not stored.

Its next use runs the next generation. Were it simply gone, the generation before it would be taken for the latest,
and its superseded value replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resonate_nb.protocol import EMPTY, NEVER, Promise, State, TaskState, Value, join_id

DAMAGED = "its row in the database was damaged"


def stand_in(columns: Mapping[str, Any], why: str = DAMAGED) -> Promise:
    """The record for a row of which some columns may make no sense, or are not known at all."""
    base, generation = columns.get("base"), columns.get("generation")
    created_at = _count(columns.get("created_at"))
    name = columns.get("name")
    return Promise(
        join_id(base if isinstance(base, str) else repr(base), max(_count(generation), 1)),
        State.RESOLVED,
        Value({"name": name}) if isinstance(name, str) else EMPTY,
        Value({"not_stored": why}),
        {},
        NEVER,
        created_at,
        created_at,
        TaskState.FULFILLED,
        _count(columns.get("version")),
    )


def is_addressable(columns: Mapping[str, Any]) -> bool:
    """Whether anybody can ask for the row: its id makes sense."""
    base, generation = columns["base"], columns["generation"]
    return isinstance(base, str) and bool(base) and _count(generation) >= 1 and len(str(generation)) < 10


def _count(found: object) -> int:
    return found if type(found) is int and 0 <= found <= NEVER else 0
