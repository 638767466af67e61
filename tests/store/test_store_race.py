"""Several processes on one store: writes are serialised, and no memory is stale."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from children import CLOCK, Child, compete, invalidate_until_told, pending, write_until_told

from resonate_nb.protocol import Inserted
from resonate_nb.store import Query, SqliteStore

PROCESSES = 4
IDS = 50
ROUNDS = 50


@pytest.mark.slow
def test_writes_of_processes_are_serialised(tmp_path: Path) -> None:
    """Each id is inserted by exactly one of four processes, and no addition is lost."""
    children = [Child(compete, tmp_path / "store", f"p{number}", IDS, ROUNDS) for number in range(PROCESSES)]
    assert ["ready"] * PROCESSES == [child.read() for child in children]
    for child in children:
        child.tell()
    inserted = [line for child in children for line in child.end().split()]
    assert sorted(f"common/{number}" for number in range(IDS)) == sorted(inserted)
    store = SqliteStore.open(tmp_path / "store", clock=CLOCK)
    with store.read() as reader:
        assert IDS == len(reader.search(Query()))
        assert str(PROCESSES * ROUNDS).encode() == reader.note("count", "n")
    assert [] == store.check()
    store.close()


@pytest.mark.slow
def test_stores_made_at_once_are_one(tmp_path: Path) -> None:
    """Processes that find no store make it together."""
    for number in range(5):
        path = tmp_path / str(number)
        children = [Child(compete, path, f"p{number}", 3, 3) for number in range(3)]
        assert ["ready"] * 3 == [child.read() for child in children]
        for child in children:
            child.tell()
        assert 3 == sum(len(child.end().split()) for child in children)


@pytest.mark.slow
def test_memory_is_never_stale(tmp_path: Path) -> None:
    """As long as the word equals its tag, what is remembered is as new as all that anybody has seen: what the writer
    has acknowledged, and what a look at the database has shown."""
    acknowledged = tmp_path / "acknowledged"
    acknowledged.write_bytes(bytes(16))
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    child = Child(invalidate_until_told, store.path, acknowledged)
    assert "ready" == child.read()
    with acknowledged.open("r+b") as file, mmap.mmap(file.fileno(), 16) as words:
        child.tell()
        hits = misses = 0
        tag, value, acknowledged_number = -1, 0, 0
        # However the system lets the two take turns.
        while acknowledged_number < 2_000 or hits == 0 or misses <= 100:
            assert child.process.poll() is None
            for _ in range(20):
                (acknowledged_number,) = struct.unpack_from("=Q", words, 0)
                with store.read() as reader:
                    at_least = max(acknowledged_number, int(reader.note("note", "n") or b"0"))
                if store.invalidation_word() == tag:
                    hits += 1
                    assert value >= at_least
                else:
                    misses += 1
                    with store.read() as reader:
                        tag, value = reader.invalidation, int(reader.note("note", "n") or b"0")
                    assert value >= at_least
        words[8] = 1
    child.end()
    assert [] == store.check()
    store.close()


@pytest.mark.slow
def test_commit_of_another_process_moves_the_word_here(tmp_path: Path) -> None:
    """Whoever sees the word move sees the commit."""
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    child = Child(compete, store.path, "p", 20, 0)
    assert "ready" == child.read()
    seen, known = store.change_word(), 0
    child.tell()
    while known < 20:
        has_ended = child.process.poll() is not None
        word = store.change_word()
        if word != seen:
            # Looked at only when the word has moved: a move that is missed leaves a promise unseen.
            seen = word
            with store.read() as reader:
                known = len(reader.search(Query()))
        else:
            assert not has_ended
    child.end()
    with store.write() as transaction:
        transaction.apply([Inserted(pending("own"))])
    assert seen != store.change_word()
    store.close()


@pytest.mark.slow
def test_a_wait_for_another_process_to_write_can_be_ended(tmp_path: Path) -> None:
    """The database's own lock is waited for in short turns, and between two of them `pause` is asked."""
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    child = Child(write_until_told, store.path)
    assert "writing" == child.read()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.write(stop):
        pytest.fail("two write at once")
    with store.write(child.tell) as transaction:
        assert transaction.get("child") is not None
    child.end()
    assert [] == store.check()
    store.close()


def test_a_store_that_is_closed_while_another_opens_it_has_lost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that closes it takes the log away. Who has seen the log before must not miss it afterwards."""
    path = tmp_path / "store"
    other = SqliteStore.open(path, clock=CLOCK)
    with other.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
    listdir, told = os.listdir, list[str]()

    def listed(folder: Any) -> Any:
        if Path(folder).name == "owners":  # whoever opens the store looks whether he is alone
            other.close()
        return listdir(folder)

    assert path.joinpath("promises.db-wal").exists()
    monkeypatch.setattr(os, "listdir", listed)
    store = SqliteStore.open(path, clock=CLOCK, warn=told.append)
    monkeypatch.undo()
    assert [] == told
    with store.read() as reader:
        assert reader.get("a") is not None
    store.close()
