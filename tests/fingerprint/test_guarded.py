"""Where the kernel tells nothing, copy-on-write is the proof that a frame was not written to."""

from __future__ import annotations

import gc
import io
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_remembered import FRAME_WAYS, ROWS, WAYS, frame
from test_standing import SMALL, SMALL_WAYS, is_seen, look
from values_under_test import PANDAS

from resonate_nb.fingerprint import Subject
from resonate_nb.fingerprint.memory import _remembered, _standing
from resonate_nb.fingerprint.memory._guarded import guarded
from resonate_nb.fingerprint.memory._standing import standing
from resonate_nb.fingerprint.values._values import Walker

COPIES = PANDAS >= 3
FRAMES = [name for name in SMALL if isinstance(SMALL[name](), (pd.DataFrame, pd.Series))]
PAST_PANDAS = {way for way in FRAME_WAYS if way.startswith("array")}
"""Which are seen where the kernel tells, and nowhere else."""


@pytest.fixture(autouse=True)
def _kernel_that_tells_nothing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "another")
        _remembered.forget()
        _standing.forget()
        yield
    _remembered.forget()
    _standing.forget()


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_not_touched_stands(name: str) -> None:
    value = SMALL[name]()
    look(it=value)
    assert (standing(value) is not None) is COPIES
    assert standing(value) is standing(value)


@pytest.mark.parametrize("name", sorted(SMALL.keys() - set(FRAMES)))
def test_arrays_and_indexes_do_not_stand(name: str) -> None:
    assert standing(SMALL[name]()) is None


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted(FRAME_WAYS.keys() - PAST_PANDAS))
def test_a_change_of_a_frame_is_seen(way: str) -> None:
    assert is_seen(frame(), FRAME_WAYS[way])


@pytest.mark.parametrize("way", [way for way in SMALL_WAYS if SMALL_WAYS[way][0] in FRAMES])
def test_a_change_of_a_small_frame_is_seen(way: str) -> None:
    name, change = SMALL_WAYS[way]
    assert is_seen(SMALL[name](), change)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_write_to_an_array_is_seen(way: str) -> None:
    array, write = WAYS[way]()
    assert is_seen(array, lambda _: write())


def stands(value: object) -> bool:
    """Whether it stands once it has been asked about a few times."""
    return [standing(value) for _ in range(4)][-1] is not None


def test_a_frame_does_not_stand_while_somebody_holds_its_memory() -> None:
    table = pd.DataFrame({"a": np.arange(5.0), "d": pd.date_range("2020-01-01", periods=5)})
    for holder in (lambda: table["a"].values, lambda: table["d"].array, lambda: memoryview(table["a"].values)):
        held = holder()
        assert not stands(table)
        del held
    column = table["a"]
    assert stands(table) is COPIES
    assert stands(column) is COPIES
    array = np.arange(6.0).reshape(3, 2)
    over = pd.DataFrame(array, copy=False)
    before = look(it=over)
    assert not stands(over)
    array[1, 1] = 9.0
    assert look(it=over) != before


def _unpickled(table: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = pickle.loads(pickle.dumps(table, 5))
    return found


def _from_parquet(table: pd.DataFrame) -> pd.DataFrame:
    file = io.BytesIO()
    table.to_parquet(file)
    return pd.read_parquet(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("way", [_unpickled, _from_parquet, pd.DataFrame.copy], ids=["pickle", "parquet", "copy"])
def test_frames_stand_wherever_they_come_from(way: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = way(pd.DataFrame({"a": np.arange(5.0), "i": np.arange(5), "t": list("abcde")}))
    assert stands(table) is COPIES
    before = look(it=table)
    table.iloc[1, 0] = 9.0
    assert look(it=table) != before


def test_memory_that_is_seen_through_another_view_of_its_buffer_does_not_stand() -> None:
    buffer = memoryview(bytearray(np.arange(5.0).tobytes()))
    table = pd.DataFrame(np.frombuffer(buffer[:], "f8").reshape(-1, 1), copy=False)
    assert not stands(table)
    before = look(it=table)
    buffer[0] = 1
    assert look(it=table) != before


def test_nothing_keeps_the_frame_or_its_memory_alive() -> None:
    table = frame()
    look(it=table)
    gone = weakref.ref(table), *map(weakref.ref, table._mgr.blocks)
    del table
    gc.collect()
    assert {each() for each in gone} == {None}
    assert not _standing._standing


def test_memory_that_was_written_to_is_not_kept_beside_its_copy() -> None:
    table = pd.DataFrame({"a": np.arange(float(ROWS))})
    look(it=table)
    before = weakref.ref(table._mgr.blocks[0].values)
    table.iloc[0, 0] = 5.0
    assert before() is None or not COPIES


def test_a_frame_that_is_too_large_to_be_copied_is_not_guarded() -> None:
    table = pd.DataFrame({"a": [1.0]})
    assert (guarded(table, 8) is not None) is COPIES
    assert guarded(table, 1 << 60) is None


@pytest.mark.slow
def test_a_frame_written_to_between_looks_is_guarded_less_and_less_often() -> None:
    table = pd.DataFrame({"a": np.arange(100.0)})
    guards = 0
    for number in range(100):
        table.iloc[number, 0] = -1.0
        look(it=table)
        guards += standing(table) is not None
    assert (0 < guards < 80) is COPIES


DATA: Any = None


def _reads() -> object:
    return DATA


def test_a_function_has_the_very_same_key_while_its_frame_stands(monkeypatch: Any) -> None:
    table = frame()
    monkeypatch.setitem(globals(), "DATA", table)
    subject = Subject.of_function(_reads)
    key = [subject.key() for _ in range(2)][-1]
    if COPIES:
        walks = []
        monkeypatch.setattr(Walker, "digest", lambda *_: walks.append(1))
        assert all(subject.key() is key for _ in range(3))
        assert not walks
        monkeypatch.undo()
        monkeypatch.setitem(globals(), "DATA", table)
    table.iloc[3, 0] = -1.0
    assert subject.key().content != key.content


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_run_of_changes_is_told_as_a_walk_tells_it(data: st.DataObject) -> None:
    table = pd.DataFrame(
        {"a": np.arange(5.0), "b": list("abcde"), "c": np.arange(5.0), "o": pd.Series(list("abcde"), dtype=object)}
    )
    values: dict[str, Any] = {"table": table, "column": table["a"], "same": table.copy(deep=False), "rows": table[1:3]}
    held: list[Any] = []
    numbers = st.sampled_from([0.0, -1.0, 7.0])
    changes = [
        lambda which: which.isetitem(0, data.draw(numbers)) if which.ndim == 2 else None,
        lambda which: which.iloc.__setitem__((0, 0) if which.ndim == 2 else 0, data.draw(numbers)),
        lambda which: which.iloc.__setitem__((1, 1), "z") if which.ndim == 2 else None,
        lambda which: which.iloc.__setitem__((1, -1), "z") if which.ndim == 2 else None,
        lambda which: which.attrs.update(unit=data.draw(numbers)),
        lambda which: held.append(which["a"].values if which.ndim == 2 else which.values),
        lambda which: held.clear(),
        lambda which: values.__setitem__("column", values["table"]["a"]),
        lambda which: values.__setitem__("same", which.copy(deep=False)) if which.ndim == 2 else None,
    ]
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()):
            data.draw(st.sampled_from(changes))(values[data.draw(st.sampled_from(sorted(values)))])
        for array in held:
            if data.draw(st.booleans()):
                array.flags.writeable = True
                array[0] = data.draw(numbers)
        names = data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3, unique=True))
        look(**{name: values[name] for name in names})
