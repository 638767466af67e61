"""Both stores keep the contract."""

from __future__ import annotations

from pathlib import Path

from contract import StoreContract

from resonate_nb.clock import ManualClock
from resonate_nb.store import Durability, MemoryStore, SqliteStore, Store


class TestMemoryStore(StoreContract):
    """The store that ends with its process."""

    def make(self, path: Path, clock: ManualClock) -> Store:
        return MemoryStore(clock)


class TestSqliteStore(StoreContract):
    """The store of a directory, safe against a killed process."""

    durability: Durability = "process"

    def make(self, path: Path, clock: ManualClock) -> Store:
        return SqliteStore.open(path, durability=self.durability, clock=clock)


class TestSyncedSqliteStore(TestSqliteStore):
    """The same, synced."""

    durability = "full"


class TestGroupedSqliteStore(TestSqliteStore):
    """The same, synced a little later."""

    durability = "adaptive"
