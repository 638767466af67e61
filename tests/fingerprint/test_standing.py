"""What stands is told at a glance, for arguments and globals alike, and any change of it is a change of the key."""

from __future__ import annotations

import copy
import gc
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_remembered import FRAME_WAYS, NOTES, ROWS, WAYS, frame
from values_under_test import reach

from resonate_nb.fingerprint import Subject
from resonate_nb.fingerprint.memory import _standing
from resonate_nb.fingerprint.memory._remembered import _Entry
from resonate_nb.fingerprint.memory._standing import standing
from resonate_nb.fingerprint.values._values import fingerprint_values, walked_values


def look(**values: object) -> tuple[str, tuple[bytes, ...]]:
    """The digests of values, found at a glance where that can be, which are those of a walk."""
    for _ in range(5):
        found = fingerprint_values(values, reach)
        walked = walked_values(values, reach)
        assert (walked.joint, walked.names, walked.digests) == (found.joint, found.names, found.digests)
    return found.joint, found.digests


def is_seen(value: Any, change: Callable[[Any], object]) -> bool:
    """Whether a look after a change in place comes to something else than the look before it."""
    before = look(it=value)
    change(value)
    return look(it=value) != before


SMALL: dict[str, Callable[[], Any]] = {
    "array": lambda: np.arange(10.0),
    "no elements": lambda: np.zeros(0),
    "scalar array": lambda: np.array(1.0),
    "records": lambda: np.zeros(3, [("a", "f8"), ("b", "i4")]),
    "objects": lambda: np.array(["a", 1, None, 2.0], dtype=object),
    "table": lambda: np.arange(12.0).reshape(3, 4).T,
    "frame": lambda: pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [True, False]}),
    "objects in a frame": lambda: pd.DataFrame({"a": [1, "x"], "b": ["x", None]}, dtype=object),
    "series": lambda: pd.Series([1, 2, 3], name="s", index=list("abc")),
    "nullable": lambda: pd.Series([1, None, 3], dtype="Int64"),
    "categories": lambda: pd.Series(list("aab"), dtype="category"),
    "zoned": lambda: pd.Series(pd.date_range("2020-01-01", periods=3, tz="Europe/Oslo")),
    "periods": lambda: pd.Series(pd.period_range("2020-01", periods=3, freq="M")),
    "index": lambda: pd.Index(["a", "b"], name="letters"),
    "numbers": lambda: pd.Index([1.0, 2.0]),
    "range": lambda: pd.RangeIndex(3, name="r"),
    "instants": lambda: pd.date_range("2020-01-01", periods=3, freq="D", name="d"),
    "levels": lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]),
    "empty frame": lambda: pd.DataFrame(),
}


@pytest.mark.parametrize("name", SMALL)
def test_what_is_not_touched_stands(name: str) -> None:
    value = SMALL[name]()
    before = look(it=value)
    assert (standing(value) is not None) is NOTES
    assert standing(value) is standing(value)
    assert look(it=copy.deepcopy(value)) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.array([1, [2]], dtype=object),
        lambda: pd.DataFrame({"a": [[1], [2]]}),
        lambda: pd.Series([1, 2], name=("a", pd.Timestamp("2020-01-01"))),
        lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        lambda: pd.Series(pd.interval_range(0, 3)),
        lambda: [1, 2],
        lambda: {"a": np.zeros(2)},
    ],
    ids=["list in an array", "list in a frame", "odd name", "sparse", "intervals", "list", "dict"],
)
def test_what_cannot_be_seen_at_a_glance_does_not_stand(make: Callable[[], Any]) -> None:
    value = make()
    look(it=value)
    assert standing(value) is None


def _renamed(index: Any) -> None:
    index.name = "other"


def _unfrozen(index: Any) -> None:
    index.freq = None


SMALL_WAYS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "item": ("array", lambda array: array.__setitem__(0, 5.0)),
    "dtype": ("array", lambda array: setattr(array, "dtype", "i8")),
    "shape": ("array", lambda array: setattr(array, "shape", (5, 2))),
    "resize": ("array", lambda array: array.resize(5, refcheck=False)),
    "scalar": ("scalar array", lambda array: array.__setitem__((), 2.0)),
    "field": ("records", lambda array: array["b"].__setitem__(0, 2)),
    "names of fields": ("records", lambda array: setattr(array.dtype, "names", ("x", "y"))),
    "object": ("objects", lambda array: array.__setitem__(0, "b")),
    "equal object": ("objects", lambda array: array.__setitem__(1, True)),
    "cell": ("frame", lambda table: table.iloc.__setitem__((0, 0), 9.0)),
    "text": ("frame", lambda table: table.iloc.__setitem__((0, 1), "z")),
    "truth": ("frame", lambda table: table.iloc.__setitem__((0, 2), False)),
    "label": ("frame", lambda table: setattr(table, "columns", ["a", "b", "d"])),
    "name of labels": ("frame", lambda table: setattr(table.columns, "name", "labels")),
    "row labels": ("frame", lambda table: setattr(table, "index", [1, 0])),
    "name of rows": ("frame", lambda table: setattr(table.index, "name", "rows")),
    "attrs": ("frame", lambda table: table.attrs.update(unit="m")),
    "attribute": ("frame", lambda table: setattr(table, "note", 1)),
    "attribute of an index": ("index", lambda index: setattr(index, "note", 1)),
    "attribute of labels": ("frame", lambda table: setattr(table.columns, "note", 1)),
    "attribute of a series": ("series", lambda series: setattr(series, "note", 1)),
    "flags": ("frame", lambda table: setattr(table.flags, "allows_duplicate_labels", False)),
    "other column": ("frame", lambda table: table.__setitem__("a", [1.0, 5.0])),
    "swapped": ("objects in a frame", lambda table: table.isetitem(0, ["x", 1])),
    "cell of objects": ("objects in a frame", lambda table: table.iloc.__setitem__((0, 0), 2)),
    "list in a cell": ("objects in a frame", lambda table: table.at.__setitem__((0, "a"), [1])),
    "name": ("series", lambda series: setattr(series, "name", "t")),
    "value": ("series", lambda series: series.__setitem__("a", 7)),
    "missing": ("nullable", lambda series: series.__setitem__(0, None)),
    "category": ("categories", lambda series: series.__setitem__(0, "b")),
    "instant": ("zoned", lambda series: series.__setitem__(0, series[1])),
    "period": ("periods", lambda series: series.__setitem__(0, series[1])),
    "index name": ("index", _renamed),
    "range name": ("range", _renamed),
    "index values": ("numbers", lambda index: index.array._ndarray.__setitem__(0, 5.0)),
    "freq": ("instants", _unfrozen),
    "level name": ("levels", lambda index: setattr(index, "names", ["x", "z"])),
    "grown": ("empty frame", lambda table: table.insert(0, "a", 1)),
}


@pytest.mark.parametrize("way", SMALL_WAYS)
def test_a_change_of_something_small_is_seen(way: str) -> None:
    name, change = SMALL_WAYS[way]
    assert is_seen(SMALL[name](), change)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_write_to_a_large_array_is_seen(way: str) -> None:
    array, write = WAYS[way]()
    assert is_seen(array, lambda _: write())


@pytest.mark.slow
@pytest.mark.parametrize("way", FRAME_WAYS)
def test_a_change_of_a_large_frame_is_seen(way: str) -> None:
    assert is_seen(frame(), FRAME_WAYS[way])


DATA: Any = None
OTHER: Any = None


def _reads() -> object:
    return DATA, OTHER


@pytest.mark.parametrize("name", SMALL)
def test_a_function_has_the_very_same_key_while_its_globals_stand(name: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(globals(), "DATA", SMALL[name]())
    monkeypatch.setitem(globals(), "OTHER", [1, 2])
    subject = Subject.of_function(_reads)
    key = subject.key()
    assert all(subject.key() is key for _ in range(3))
    OTHER.append(3)
    changed = subject.key()
    assert key.content != changed.content
    OTHER.pop()
    assert key.content == subject.key().content


@pytest.mark.parametrize("way", SMALL_WAYS)
def test_a_change_of_a_global_is_a_change_of_the_key(way: str, monkeypatch: Any) -> None:
    name, change = SMALL_WAYS[way]
    value = SMALL[name]()
    monkeypatch.setitem(globals(), "DATA", value)
    subject = Subject.of_function(_reads)
    before = [subject.key() for _ in range(3)][-1]
    change(value)
    after = [subject.key() for _ in range(3)][-1]
    assert before.content != after.content
    assert Subject.of_function(_reads).key().content == after.content


def test_a_global_bound_to_an_equal_array_keeps_the_key(monkeypatch: Any) -> None:
    monkeypatch.setitem(globals(), "DATA", np.arange(float(ROWS)))
    subject = Subject.of_function(_reads)
    before = subject.key()
    monkeypatch.setitem(globals(), "DATA", np.arange(float(ROWS)))
    assert subject.key().content == before.content


def test_what_two_values_share_is_part_of_what_stands() -> None:
    table = np.arange(3.0 * ROWS)
    apart = look(a=table, b=table[:ROWS].copy())
    view = table[:ROWS]
    together = look(a=table, b=view)
    assert together != apart
    assert look(a=table, b=view) == together
    assert look(a=table, b=table) != look(a=table, b=table.copy())
    labels = [1]
    assert look(a=table, b=labels, c=labels) != look(a=table, b=labels, c=[1])


def test_a_type_that_is_registered_is_asked_each_time() -> None:
    from resonate_nb.fingerprint.values._registered import _by_type
    from resonate_nb.fingerprint.values._values import register_type

    table = SMALL["frame"]()
    before = look(it=table)
    asked = []
    register_type(pd.DataFrame, lambda value: asked.append(value) or "all the same")
    try:
        told = look(it=table)
        assert told != before
        table.iloc[0, 0] = 9.0
        assert look(it=table) == told
        assert len(asked) > 6
    finally:
        del _by_type[pd.DataFrame]


def test_memory_of_a_file_does_not_stand(tmp_path: Any) -> None:
    path = tmp_path / "table"
    path.write_bytes(bytes(8 * ROWS))
    array = np.asarray(np.memmap(path, "f8", "r"))
    before = look(it=array)
    assert standing(array) is None
    with path.open("r+b") as file:
        file.seek(100_000)
        file.write(b"\1" * 8)
    assert look(it=array) != before


@pytest.mark.slow
def test_nothing_is_kept_of_frames_that_are_gone() -> None:
    for place in list(_standing._standing):
        del _standing._standing[place]
    gc.collect()
    values = [SMALL[name]() for name in SMALL] + [frame()]
    for number in range(len(values)):
        look(it=values[number])
    assert bool(_standing._standing) is NOTES
    values.clear()
    gc.collect()
    assert all(known.value is None for known in _standing._standing.values())  # arrays, which nobody may refer to


def test_a_collection_in_the_middle_of_a_look_may_end_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was remembered of the memory that it shares with another is let go then, under the feet of the look."""
    column = pd.Series(np.zeros(ROWS), index=np.arange(ROWS) * 3)
    look(it=column)
    array = column.index.to_numpy()
    before = look(it=array)
    holds, is_over = _Entry.holds, False

    def collecting(entry: _Entry) -> bool:
        nonlocal is_over
        found = holds(entry)
        is_over = gc.collect() > 0 or is_over
        return found

    cycle: list[object] = [column]
    cycle.append(cycle)
    gc.collect()
    gc.disable()
    try:
        del column, cycle
        monkeypatch.setattr(_Entry, "holds", collecting)
        assert before[0] == walked_values({"it": array}, reach).joint
        assert is_over or not NOTES
    finally:
        gc.enable()


def test_a_child_process_looks_for_itself() -> None:
    array, reader_writer = np.zeros(ROWS), os.pipe()
    before = look(it=array)
    child = os.fork()
    if child == 0:
        array[ROWS // 2] = 1.0
        os.write(reader_writer[1], look(it=array)[0].encode())
        os._exit(0)
    os.close(reader_writer[1])
    with open(reader_writer[0], encoding="ascii") as pipe:
        changed = pipe.read()
    os.waitpid(child, 0)
    assert look(it=array) == before
    array[ROWS // 2] = 1.0
    assert look(it=array)[0] == changed


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_run_of_changes_is_told_as_a_walk_tells_it(data: st.DataObject) -> None:
    """Several values that may share memory, looked at in any company; `look` compares with a walk, which reads."""
    table = np.arange(12.0).reshape(3, 4)
    large = np.arange(2.0 * ROWS)
    values: dict[str, Any] = {
        "table": table,
        "row": table[1],
        "over": pd.DataFrame(table, copy=False),
        "frame": SMALL["frame"](),
        "series": SMALL["series"](),
        "large": large,
        "half": large[:ROWS],
        "column": pd.Series(large, copy=False),
        "list": [1],
    }
    values["again"] = values["list"]
    numbers = st.sampled_from([0.0, -1.0, 7.0])
    changes: list[Callable[[], object]] = [
        lambda: table.__setitem__((data.draw(st.integers(0, 2)), 1), data.draw(numbers)),
        lambda: values["over"].iloc.__setitem__((1, 2), data.draw(numbers)),
        lambda: values["frame"].isetitem(0, [data.draw(numbers), 2.0]),
        lambda: values["frame"].insert(0, f"new {values['frame'].shape[1]}", data.draw(numbers)),
        lambda: setattr(values["series"], "name", data.draw(st.sampled_from(["s", "t"]))),
        lambda: large.__setitem__(data.draw(st.integers(0, 2 * ROWS - 1)), data.draw(numbers)),
        lambda: values["column"].iloc.__setitem__(5_000, data.draw(numbers)),
        lambda: values["list"].append(1),
        lambda: values.__setitem__("row", table[data.draw(st.integers(0, 2))]),
    ]
    for _ in range(data.draw(st.integers(1, 10))):
        if data.draw(st.booleans()):
            data.draw(st.sampled_from(changes))()
        names = data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4, unique=True))
        look(**{name: values[name] for name in names})
