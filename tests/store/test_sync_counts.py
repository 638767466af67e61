"""How many syncs each durability makes, counted by the system: those of SQLite as well as ours."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from traced import Record, Sync, trace
from workload import call_durably, commit, commit_and_end, commit_what_took_long

from resonate_nb.store import Durability

pytestmark = [pytest.mark.strace, pytest.mark.slow]


def syncs(record: Record, after: str, before: str = "", number: int = 0) -> list[tuple[str, Sync]]:
    """What was synced between the first words of two lines that the process said, the `number`-th time."""
    begin = [line.at for line in record.lines if line.words[0] == after][number]
    end = [line.at for line in record.lines if line.words[0] == before][number] if before else record.length + 1
    found = {sync: name for name, node in record.everything() for sync in node.syncs if begin < sync.begun < end}
    return [(name, sync) for sync, name in sorted(found.items(), key=lambda item: item[0].begun)]


def seconds(record: Record) -> float:
    """How long the commits took."""
    (line,) = [line for line in record.lines if line.words[0] == "end"]
    return float(line.words[1])


@pytest.mark.parametrize(("durability", "expected"), [("full", 100), ("process", 0)])
def test_a_commit_costs_one_sync_or_none(tmp_path: Path, durability: Durability, expected: int) -> None:
    """One of the log under `full`, by who commits; nothing else is synced. (So few commits fill no log.)"""
    record = trace(tmp_path / "root", commit, tmp_path / "root" / "store", durability, 100)
    found = syncs(record, "begin", "end")
    assert [("promises.db-wal", False)] * expected == [(name, sync.is_behind) for name, sync in found]


def test_a_burst_of_commits_shares_its_syncs(tmp_path: Path) -> None:
    """One every tenth of a second, or a little earlier so as to end in time, and never before half of it."""
    record = trace(tmp_path / "root", commit, tmp_path / "root" / "store", "adaptive", 1_000)
    found = syncs(record, "begin", "end")
    ours = [name for name, sync in found if sync.is_behind]
    assert {"promises.db-wal"} == set(ours)
    assert len(ours) <= math.ceil(seconds(record) / 0.05) + 1
    # The rest are SQLite's own: a full log is synced, then the database, and the log's new beginning.
    others = [name for name, sync in found if not sync.is_behind]
    assert {"promises.db-wal", "promises.db"} >= set(others)
    assert len(others) <= 3 * (1 + 1_000 * 4 // 1_000)


def test_what_took_long_is_synced_before_it_is_returned(tmp_path: Path) -> None:
    """By who waits for it; the other a little later, by the group."""
    record = trace(tmp_path / "root", commit_what_took_long, tmp_path / "root" / "store", "adaptive")
    (long,) = syncs(record, "begin", "returned", 0)
    assert ("promises.db-wal", False) == (long[0], long[1].is_behind)
    assert [] == [name for name, sync in syncs(record, "begin", "returned", 1) if not sync.is_behind]
    assert ("promises.db-wal", True) in [(name, sync.is_behind) for name, sync in syncs(record, "begin", number=1)]


def test_call_that_took_long_is_synced_before_its_value_is_returned(tmp_path: Path) -> None:
    """By default. A short one does not wait for the disk."""
    record = trace(tmp_path / "root", call_durably, tmp_path / "root" / "store")
    long, short = (syncs(record, "begin", "returned", number) for number in (0, 1))
    assert "promises.db-wal" in [name for name, sync in long if not sync.is_behind]
    assert [] == [name for name, sync in short if not sync.is_behind]
    assert "promises.db-wal" in [name for name, _ in syncs(record, "returned", number=1)]


def test_process_that_ends_with_its_store_open_syncs_what_it_owes(tmp_path: Path) -> None:
    """Few people close a store; what was committed in the last tenth of a second is not left to chance."""
    record = trace(tmp_path / "root", commit_and_end, tmp_path / "root" / "store", "adaptive")
    assert "promises.db-wal" in [name for name, _ in syncs(record, "end")]
