"""Finalisers: the collector may run a `__del__` at any allocation, in the middle of ours too, and it may call us."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from resonate_nb import configure, durable, runtime
from resonate_nb.runtime import Engine, _context
from resonate_nb.store import SqliteStore


def locks_of(engine: Engine) -> dict[str, Any]:
    """All that a call takes for a moment, by name."""
    owners = {
        "engine": engine,
        "tasks": engine.tasks,
        "leases": engine.tasks._leases,
        "memo": engine.memo,
        "timers": engine.timers,
        "feed": engine.feed,
        "context": _context,
        "sync": disk_of(engine)._group,
        "connections": disk_of(engine).pool,
    }
    return {name: owner._lock for name, owner in owners.items()}


def disk_of(engine: Engine) -> Any:
    store = engine.store
    assert isinstance(store, SqliteStore)
    return store._directory


@pytest.mark.parametrize(
    "name", ["connections", "context", "engine", "feed", "leases", "memo", "sync", "tasks", "timers"]
)
def test_a_finaliser_that_calls_a_durable_function_waits_for_nobody(engine: Engine, tmp_path: Path, name: str) -> None:
    """It is run by the thread that has the lock, as the collector would."""
    configure(store=tmp_path / "adaptive", durability="adaptive")
    locks = locks_of(runtime.engine())

    @durable
    def called(x: int) -> int:
        return x + 1

    class Last:
        def __del__(self) -> None:
            results.append([called(1), called(2), called(1)])

    def work() -> None:
        with locks[name]:
            Last()

    results: list[list[int]] = []
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert [[2, 3, 2]] == results
