"""Connections that are closed in the middle of something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from children import CLOCK, pending
from contract import insert

from resonate_nb.store import Query, SqliteStore
from resonate_nb.store._pool import Pool


def test_a_writer_that_is_dropped_leaves_no_lock_though_a_cursor_is_half_read(tmp_path: Path) -> None:
    """As one that an interrupt has cut, and that is kept with its traceback: SQLite would keep such a connection open,
    and its transaction with it, for as long as the cursor is there."""
    pools = [Pool(tmp_path / "database", "process", lambda: None) for _ in range(2)]
    for pool in pools:
        link = pool.writer()
        link.cursor.execute("BEGIN IMMEDIATE")
        half_read = link.connection.execute("SELECT 1 UNION SELECT 2")
        assert (1,) == next(half_read)
        pool.drop_writer()
        pool.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    assert isinstance(store, SqliteStore)
    yield store
    store.close()


def test_a_read_that_was_cut_leaves_no_old_snapshot_to_the_next(store: SqliteStore) -> None:
    """An interrupt between a question and its answer leaves a cursor half read, which keeps SQLite's snapshot."""
    insert(store, *(pending(f"before/{number}") for number in range(3)))
    with pytest.raises(KeyboardInterrupt), store.read() as reader:
        reader.link.cursor.execute("SELECT row FROM promises")
        raise KeyboardInterrupt
    insert(store, pending("after"))
    with store.read() as reader:
        assert reader.get("after") is not None


def test_a_search_that_stops_early_leaves_no_old_snapshot_to_the_next(store: SqliteStore) -> None:
    insert(store, *(replace(pending(f"before/{number}"), tags={"a": "b"}) for number in range(3)))
    with store.read() as reader:
        assert 1 == len(reader.ids(Query(tags={"a": "b"}, limit=1)))
    insert(store, pending("after"))
    with store.read() as reader:
        assert reader.get("after") is not None
