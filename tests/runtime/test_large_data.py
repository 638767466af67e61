"""Large globals, arguments and results: read once while they provably have not changed, and never taken for stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb import durable

pytestmark = pytest.mark.usefixtures("engine")

ROWS = 200_000
AT_ONCE = int(pd.__version__.partition(".")[0]) >= 3
"""Whether a frame can be told at a glance on every machine: by the kernel, or by copy-on-write."""


def table() -> pd.DataFrame:
    return pd.DataFrame({"a": np.arange(float(ROWS)), "b": np.arange(float(ROWS)), "t": ["word"] * ROWS})


@contextmanager
def hashing() -> Iterator[list[None]]:
    """One entry for each large buffer, or piece of one, that is hashed."""
    found: list[None] = []

    def look(_: Any, event: str, called: Any) -> None:
        if event == "c_call" and type(getattr(called, "__self__", None)).__name__ == "xxh3_128":
            found.append(None)

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


DATA: Any = None


@durable
def cell_of(row: int) -> float:
    return float(DATA["a"].iloc[row])


@durable
def total(data: Any) -> float:
    return float(data["a"].sum())


@durable
def mean(data: Any) -> float:
    return float(data["a"].mean())


@durable
def made(rows: int) -> Any:
    return pd.DataFrame({"a": np.arange(float(rows)), "t": ["word"] * rows})


@durable
def spoiled(data: Any) -> float:
    data.iloc[5, 0] = -1.0
    return float(data["a"].sum())


@durable
def spoiling(row: int) -> None:
    DATA.iloc[row, 0] = -1.0


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    found = table()
    monkeypatch.setitem(globals(), "DATA", found)
    return found


@pytest.mark.slow
def test_a_loop_over_a_large_global_hashes_it_a_few_times_and_not_each_time(data: pd.DataFrame) -> None:
    with hashing() as first:
        assert cell_of(0) == 0.0
    assert first, "nothing was counted"
    for row in range(1, 4):
        cell_of(row)
    with hashing() as again:
        assert [float(row % 50) for row in range(200)] == [cell_of(row % 50) for row in range(200)]
    assert not again or not AT_ONCE


def test_a_change_of_the_global_in_the_middle_of_the_loop_is_seen(data: pd.DataFrame) -> None:
    for _ in range(4):
        assert cell_of(7) == 7.0
    data.iloc[7, 0] = 70.0
    assert cell_of(7) == 70.0
    data.loc[7, "a"] = 7.0
    assert cell_of(7) == 7.0
    data["a"] = 5.0
    assert [5.0, 5.0] == [cell_of(7), cell_of(8)]


def test_a_result_that_is_passed_on_unchanged_is_hashed_once(data: pd.DataFrame) -> None:
    for way in ("run", "replayed"):
        passed = made(ROWS)
        expected = float(passed["a"].sum())
        with hashing() as first:
            assert total(passed) == expected
        assert first, way
        with hashing() as again:
            assert (total(passed), mean(passed), total(passed)) == (expected, expected / ROWS, expected)
        assert not again or not AT_ONCE, way
        passed.iloc[3, 0] += 1
        assert total(passed) == expected + 1


def test_a_body_that_changes_a_remembered_argument_is_found_out(data: pd.DataFrame, capsys: Any) -> None:
    for _ in range(4):
        total(data)
    spoiled(data)
    assert "changed its argument `data` in place" in capsys.readouterr().err
    assert data.iloc[5, 0] == -1.0
    assert total(data) == float(data["a"].sum())


def test_a_body_that_changes_a_remembered_global_is_found_out(data: pd.DataFrame, capsys: Any) -> None:
    for _ in range(4):
        cell_of(3)
    spoiling(3)
    assert "changed the global `DATA`" in capsys.readouterr().err
    assert cell_of(3) == -1.0


def test_two_names_for_one_frame_are_not_two_frames(data: pd.DataFrame) -> None:
    @durable
    def same(one: Any, other: Any) -> bool:
        return one is other

    for _ in range(4):
        assert same(data, data) is True
        assert same(data, data.copy()) is False
