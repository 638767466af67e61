"""Connections that are closed in the middle of something."""

from __future__ import annotations

from pathlib import Path

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
