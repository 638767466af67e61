"""A store in memory, or one on disk, in use for one test."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from bodies import Listener, Work

from resonate_nb import runtime
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.store import MemoryStore


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESONATE_NB_KEY", "a key of the tests")
    monkeypatch.delenv("RESONATE_NB", raising=False)
    monkeypatch.delenv("RESONATE_NB_STORE", raising=False)


@pytest.fixture
def engine() -> Iterator[runtime.Engine]:
    runtime.configure(store=MemoryStore(SystemClock()))
    found = runtime.engine()
    yield found
    found.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def manual(clock: ManualClock) -> Iterator[runtime.Engine]:
    """An engine whose time stands still until the test moves it."""
    runtime.configure(store=MemoryStore(clock))
    found = runtime.engine()
    yield found
    found.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[runtime.Engine]:
    runtime.configure(store=tmp_path / "store", durability="process")
    found = runtime.engine()
    yield found
    assert [] == found.store.check()
    found.close()


@pytest.fixture
def work() -> Iterator[Work]:
    found = Work()
    yield found
    found.go.set()
    for thread in found.threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    caplog.set_level(logging.INFO, "resonate_nb")
    with warnings.catch_warnings(), Listener() as listener:
        warnings.simplefilter("ignore")  # ignored with all others, a warning of ours is said as a line
        yield listener.lines
