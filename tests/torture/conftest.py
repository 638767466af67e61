"""A store that processes work on until they are killed, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tortured import Tortured


@pytest.fixture
def tortured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tortured]:
    monkeypatch.delenv("RESONATE_NB", raising=False)
    made = Tortured(tmp_path)
    yield made
    made.kill_what_is_left()
