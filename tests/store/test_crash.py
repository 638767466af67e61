"""A process killed at any instant loses nothing that it acknowledged and leaves nothing half done."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from children import CLOCK, Child, settle_for_ever, value_for

from resonate_nb.protocol import State
from resonate_nb.store import Durability, Query, SqliteStore

KILLS = 60
"""Over all durabilities."""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["process", "adaptive", "full"])
def test_nothing_acknowledged_is_lost_by_sigkill(tmp_path: Path, durability: Durability) -> None:
    """Processes, one after another on one store, each killed while it settles as fast as it can."""
    path = tmp_path / "store"
    settled: set[str] = set()
    forgotten: set[str] = set()
    interrupted = 0
    for number in range(KILLS // 3):
        child = Child(settle_for_ever, path, durability, f"run-{number}")
        assert "ready" == child.read()
        said = [child.read() for _ in range(random.randrange(30))]
        with pytest.raises(subprocess.TimeoutExpired):
            child.process.wait(random.uniform(0, 0.01))
        said += child.kill().splitlines()
        for line in said:
            verb, id = line.split()
            (settled if verb == "settled" else forgotten).add(id)

        store = SqliteStore.open(path, durability=durability, clock=CLOCK)
        assert [] == store.check()
        with store.read() as reader:
            found = {promise.id: promise for promise in reader.search(Query())}
            for id in forgotten:
                assert id not in found
                assert 1 == reader.fence(id)
        # The last forgetting may have been committed and not said; its fence tells.
        with store.read() as reader:
            missing = {id for id in settled - forgotten - set(found) if reader.fence(id) != 1}
        assert set() == missing
        for promise in found.values():
            if promise.state is State.PENDING:
                interrupted += 1
                assert promise.owner is not None
                assert not store.is_alive(promise.owner)
                continue
            value = promise.value
            data = value.data if value.file is None else store.read_file(value.file, value.size_bytes)
            assert value_for(promise.id) == data
        named = {promise.value.file for promise in found.values()} - {None}
        assert named == {file.name for file in (path / "values").iterdir()}
        with store.read() as reader:
            assert store.invalidation_word() == reader.invalidation
        store.close()
    assert len(settled) > KILLS // 2
    assert len(forgotten) > 0
    assert interrupted > 0
