"""Large memory is hashed once while nobody writes to it, and again after any write, whoever makes it."""

from __future__ import annotations

import ctypes
import io
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_under_test import fp, reach

from resonate_nb.fingerprint.memory import _remembered
from resonate_nb.fingerprint.memory._pages import opened
from resonate_nb.fingerprint.memory._remembered import LEAST_BYTES, array_written
from resonate_nb.fingerprint.values._values import Walker, fingerprint_values, walked_values
from resonate_nb.fingerprint.values._walk import memory_of

ROWS = LEAST_BYTES // 8 + 1_000
"""Of eight bytes each: large enough to be remembered, and with ends that fill no page."""

NOTES = opened() is not None
"""Whether this kernel notes who writes; elsewhere everything is hashed each time, and all else holds as well."""


def reads(array: Any, times: int = 3) -> int:
    """How often an array is read in so many walks, nothing being written meanwhile."""
    found = 0

    def write() -> None:
        nonlocal found
        found += 1
        array.sum()

    for _ in range(times):
        array_written(Walker(reach), array, "test", write)
    return found


def plain(value: Any) -> bytes:
    """The content of an array, series or frame, found by other means, and without looking at memory twice."""
    if isinstance(value, pd.DataFrame):
        about = repr((value.index.name, value.index[[0, -1]].tolist(), value.attrs)).encode()
        return b"".join(plain(value[name]) + name.encode() for name in value) + about
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.tobytes()
    return str(hash(tuple(value))).encode()


class Seen:
    """What was seen of values in a run: equal contents must have had equal fingerprints, and others others."""

    def __init__(self) -> None:
        self._by_content: dict[bytes, str] = {}
        self._by_print: dict[str, bytes] = {}

    def look(self, value: Any) -> None:
        content = plain(value)
        for _ in range(2):
            found = fp(value)
            assert self._by_content.setdefault(content, found) == found
            assert self._by_print.setdefault(found, content) == content
        for _ in range(2):
            assert walked_values({"it": value}, reach)[:3] == fingerprint_values({"it": value}, reach)[:3]


@pytest.fixture(autouse=True)
def _nothing_is_known() -> None:
    """An array of the last test may have lain where one of this lies."""
    _remembered.forget()


def test_an_array_that_nobody_writes_to_is_read_once() -> None:
    assert (1 if NOTES else 3) == reads(np.random.default_rng(1).random(ROWS))


def test_a_small_array_is_read_each_time() -> None:
    assert reads(np.arange(10.0)) == 3


def test_an_array_of_untouched_zeros_is_read_once() -> None:
    assert (1 if NOTES else 3) == reads(np.zeros(ROWS))


def test_a_view_is_known_by_its_place_whoever_makes_it() -> None:
    table = np.random.default_rng(1).random((ROWS, 3))
    before = fp(table[:, 1])
    for name in ("seen", "again"):
        assert fp(table[:, 1]) == before, name
    assert len({fp(table[:, column]) for column in range(3)}) == 3
    assert fp(table[::-1, 1]) != before
    assert fp(table[::-1, 1]) == fp(table[::-1, 1].copy())


def _from_bytearray() -> tuple[np.ndarray, Callable[[], None]]:
    buffer = bytearray(8 * ROWS)
    return np.frombuffer(buffer, "f8"), lambda: buffer.__setitem__(slice(80_000, 80_001), b"\1")


def _from_file() -> tuple[np.ndarray, Callable[[], None]]:
    array = np.zeros(ROWS)

    def read() -> None:
        """The kernel itself writes."""
        end, start = os.pipe()
        os.write(start, b"\1" * 100)
        with io.FileIO(end) as file:
            file.readinto(memoryview(array).cast("B")[100_000:100_100])
        os.close(start)

    return array, read


def _by_thread() -> tuple[np.ndarray, Callable[[], None]]:
    array = np.zeros(ROWS)

    def write() -> None:
        thread = threading.Thread(target=lambda: array.__setitem__(ROWS // 3, 1.0))
        thread.start()
        thread.join()

    return array, write


def _own(write: Callable[[Any], object], make: Callable[[int], Any] = np.zeros) -> Callable[[], Any]:
    def made() -> tuple[Any, Callable[[], object]]:
        array = make(ROWS)
        return array, lambda: write(array)

    return made


def _unlocked(array: Any) -> None:
    array.flags.writeable = True
    array[ROWS // 2] = 1.0
    array.flags.writeable = False


def _locked(rows: int) -> Any:
    array = np.zeros(rows)
    array.flags.writeable = False
    return array


def _strings(rows: int) -> Any:
    return np.array([f"word {number}" for number in range(rows)], dtype=object)


WAYS: dict[str, Callable[[], tuple[Any, Callable[[], object]]]] = {
    "item": _own(lambda array: array.__setitem__(7, 1.0)),
    "first": _own(lambda array: array.__setitem__(0, 1.0)),
    "last": _own(lambda array: array.__setitem__(-1, 1.0)),
    "slice": _own(lambda array: array.__setitem__(slice(5, 50_000), 1.0)),
    "view": _own(lambda array: array[10_000:].__setitem__(0, 1.0)),
    "view of a view": _own(
        lambda array: array[10:].reshape(-1, 2)[:, 1].__setitem__(0, 1.0), lambda n: np.zeros(n * 2)
    ),
    "other dtype": _own(lambda array: array.view("u1").__setitem__(100_001, 1)),
    "in place": _own(lambda array: array.__iadd__(1)),
    "out": _own(lambda array: np.add(array, 1, out=array)),
    "fill": _own(lambda array: array.fill(2)),
    "sort": _own(lambda array: array.sort(), lambda n: np.arange(n, 0.0, -1)),
    "byteswap": _own(lambda array: array.byteswap(inplace=True), lambda n: np.arange(float(n))),
    "copyto": _own(lambda array: np.copyto(array, np.ones(ROWS))),
    "put": _own(lambda array: array.put([44_444 % ROWS], 1.0)),
    "shuffle": _own(lambda array: np.random.default_rng(0).shuffle(array), lambda n: np.arange(float(n))),
    "memoryview": _own(lambda array: memoryview(array).__setitem__(9_999, 1.0)),
    "ctypes": _own(lambda array: ctypes.memset(memory_of(array)[0] + 99_999, 1, 1)),
    "writeable": _own(_unlocked, _locked),
    "flat": _own(lambda array: array.flat.__setitem__(1_234, 1.0)),
    "bytearray": _from_bytearray,
    "readinto": _from_file,
    "thread": _by_thread,
    "objects": _own(lambda array: array.__setitem__(ROWS // 2, "another"), _strings),
    "object at the edge": _own(lambda array: array.__setitem__(-1, "another"), _strings),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_write_is_seen_however_it_was_made(way: str) -> None:
    array, write = WAYS[way]()
    seen = Seen()
    seen.look(array)
    before = fp(array)
    write()
    seen.look(array)
    assert fp(array) != before


def test_a_write_through_an_overlapping_array_is_seen_though_that_was_looked_at_since() -> None:
    """To look at the view makes the kernel forget what it noted of the pages that both have."""
    table = np.zeros(3 * ROWS)
    inner, outer = table[ROWS : 2 * ROWS], table[: 2 * ROWS + 100]
    before = fp(outer), fp(inner)
    inner[ROWS // 2] = 1.0
    changed = fp(inner)
    assert changed != before[1]
    assert fp(outer) != before[0]
    assert fp(table[ROWS : 2 * ROWS].copy()) == changed


def test_fields_that_begin_at_one_place_are_apart() -> None:
    whole = np.dtype({"names": ["half", "whole"], "formats": ["u4", "u8"], "offsets": [0, 0], "itemsize": 8})
    records = np.arange(2.0 * ROWS).view(whole)
    for name in (*whole.names, *whole.names):
        assert fp(records[name]) == fp(records[name].copy())


@pytest.mark.slow
def test_an_object_that_took_the_place_of_another_in_memory_is_another() -> None:
    """At the ends of an array only the pointers are compared: what they pointed to is kept alive for that."""
    array = _strings(ROWS)
    before = fp(array)
    for number in range(20):
        array[-1] = None
        array[-1] = f"other {number}"
        assert fp(array) != before


@pytest.mark.slow
def test_long_texts_are_not_kept_alive() -> None:
    array = np.array([f"{number} ".ljust(5_000) for number in range(ROWS // 8)] * 8, dtype=object)
    before = fp(array)
    assert not _remembered._entries
    assert fp(array) == before


@pytest.mark.slow
@pytest.mark.parametrize("cell", [["a list"], {"a": 1}, np.zeros(2)], ids=["list", "dict", "array"])
def test_objects_that_change_by_themselves_are_read_each_time(cell: Any) -> None:
    array = _strings(ROWS)
    array[5] = cell
    before = fp(array)
    if isinstance(cell, list):
        cell.append(1)
    elif isinstance(cell, dict):
        cell["a"] = 2
    else:
        cell[0] = 1
    assert fp(array) != before


def test_an_array_written_to_between_looks_is_watched_less_and_less_often() -> None:
    array = np.zeros(ROWS)
    watched = 0
    for number in range(100):
        array[number] = number
        fp(array)
        watched += any(not entry.is_lost for entry in _remembered._entries.values())
    assert (0 < watched < 20) is NOTES


def test_nothing_keeps_memory_alive() -> None:
    array = np.random.default_rng(1).random(ROWS)
    frame = pd.DataFrame({"a": array, "t": ["word"] * ROWS})
    fp([array, frame])
    fingerprint_values({"array": array, "frame": frame}, reach)
    gone = weakref.ref(array), weakref.ref(frame), weakref.ref(frame._mgr.blocks[0])
    del array, frame
    assert [each() for each in gone] == [None, None, None]


def test_an_array_can_still_be_resized() -> None:
    """Which numpy refuses where anybody refers to it, weakly or not."""
    array = np.zeros(ROWS)
    before = fingerprint_values({"it": array}, reach).joint
    array.resize(2 * ROWS, refcheck=False)
    assert fingerprint_values({"it": array}, reach).joint != before


def test_memory_that_is_used_again_for_another_array_is_read() -> None:
    """A new array often lies where the last one lay."""
    seen = Seen()
    for number in range(20):
        seen.look(np.full(ROWS, float(number % 7)))


@pytest.mark.slow
def test_what_is_kept_is_bounded() -> None:
    arrays = [np.zeros(LEAST_BYTES, "u1") for _ in range(_remembered._MOST + 10)]
    for array in arrays:
        fp(array)
    assert len(_remembered._entries) <= _remembered._MOST


def test_a_child_process_reads_for_itself() -> None:
    array = np.zeros(ROWS)
    before = fp(array)
    fp(array)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        array[ROWS // 2] = 1.0
        os.write(writer, f"{fp(array)} {fp(array)}".encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="ascii") as pipe:
        first, second = pipe.read().split()
    os.waitpid(child, 0)
    changed = np.zeros(ROWS)
    changed[ROWS // 2] = 1.0
    assert [fp(changed)] * 2 == [first, second]
    assert fp(array) == before


def test_memory_of_a_file_is_read_each_time(tmp_path: Any) -> None:
    """Another process may write to it unseen."""
    path = tmp_path / "table"
    path.write_bytes(bytes(8 * ROWS))
    array = np.memmap(path, "f8", "r")
    before = fp(array)
    with path.open("r+b") as file:
        file.seek(100_000)
        file.write(b"\1" * 8)
    assert fp(array) != before


def test_memory_of_a_driver_is_read_each_time() -> None:
    """A device would write to it past all pages."""

    class Pinned:
        def __init__(self, array: np.ndarray) -> None:
            self.array = array
            self.__array_interface__ = array.__array_interface__

    assert 3 == reads(np.asarray(Pinned(np.zeros(ROWS))))


def test_threads_that_look_at_overlapping_arrays_find_the_same() -> None:
    table = np.arange(4.0 * ROWS)
    views = [table[number * 1_000 : number * 1_000 + 2 * ROWS] for number in range(4)]
    expected = [fp(view.copy()) for view in views]
    found: list[list[str]] = [[] for _ in views]

    def look(number: int) -> None:
        for _ in range(20):
            found[number].append(fp(views[number]))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[one] * 20 for one in expected] == found


def frame(rows: int = 20_000) -> pd.DataFrame:
    words = [f"word {number % 1000}" for number in range(rows)]
    return pd.DataFrame(
        {
            "a": np.arange(float(rows)),
            "b": np.arange(float(rows)) * 2,
            "i": pd.array(np.arange(rows), dtype="Int64"),
            "t": pd.Series(words, dtype="str"),
            "o": pd.Series(words, dtype=object),
            "d": pd.date_range("2020-01-01", periods=rows, freq="s"),
            "c": pd.Categorical(words),
        }
    )


def _column(name: str, value: object) -> Callable[[pd.DataFrame], object]:
    return lambda table: table.__setitem__(name, value)


FRAME_WAYS: dict[str, Callable[[pd.DataFrame], object]] = {
    "iloc": lambda table: table.iloc.__setitem__((9_999, 0), -1.0),
    "loc": lambda table: table.loc.__setitem__((9_999, "b"), -1.0),
    "at": lambda table: table.at.__setitem__((9_999, "a"), -1.0),
    "iat": lambda table: table.iat.__setitem__((9_999, 1), -1.0),
    "mask": lambda table: table.loc.__setitem__((table["a"] > 9_999, "a"), 0.0),
    "column": _column("a", 1.0),
    "by position": lambda table: table.isetitem(0, table["a"] + 1),
    "update": lambda table: table.update({"a": [7.0] * len(table)}),
    "clip": lambda table: table.isetitem(1, table["b"].clip(5, 10)),
    "text": lambda table: table.iloc.__setitem__((5_000, 3), "another"),
    "object": lambda table: table.iloc.__setitem__((5_000, 4), "another"),
    "missing": lambda table: table.iloc.__setitem__((5_000, 2), pd.NA),
    "instant": lambda table: table.iloc.__setitem__((5_000, 5), pd.Timestamp("1999-01-01")),
    "category": lambda table: table.iloc.__setitem__((5_000, 6), "word 1"),
    "array": lambda table: table["a"].array.__setitem__(9_000, -1.0),
    "array of integers": lambda table: table["i"].array.__setitem__(9_000, 5),
    "array of text": lambda table: table["t"].array.__setitem__(9_000, "another"),
    "array of instants": lambda table: table["d"].array.__setitem__(9_000, pd.Timestamp("1999-01-01")),
    "array of categories": lambda table: table["c"].array.__setitem__(9_000, "word 1"),
    "insert": lambda table: table.insert(1, "z", 1.0),
    "pop": lambda table: table.pop("b"),
    "columns": lambda table: setattr(table, "columns", list("xbitodc")),
    "index": lambda table: setattr(table, "index", table.index[::-1]),
    "name": lambda table: setattr(table.index, "name", "row"),
    "attrs": lambda table: table.attrs.update(unit="m"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", FRAME_WAYS)
def test_a_change_of_a_frame_is_seen_however_it_was_made(way: str) -> None:
    table = frame(ROWS)
    before = fp(table)
    assert fp(table) == before
    FRAME_WAYS[way](table)
    after = fp(table)
    assert after != before
    assert after == fp(table) == fp(table.copy())


def test_a_frame_over_an_array_of_the_users_changes_with_it() -> None:
    array = np.arange(2.0 * ROWS).reshape(ROWS, 2)
    table = pd.DataFrame(array, copy=False)
    before = fp(table)
    array[ROWS // 2, 1] = -1.0
    assert fp(table) != before
    assert fp(table) == fp(table.copy())


def test_a_frame_over_a_wide_table_is_read_again_column_by_column() -> None:
    table = pd.DataFrame(np.arange(4.0 * ROWS).reshape(ROWS, 4).copy(), copy=False, columns=list("abcd"))
    before = fp(table)
    assert fp(table) == before
    table.iloc[ROWS // 2, 2] = -1.0
    assert fp(table) != before
    assert fp(table) == fp(table.copy())


def test_arrow_memory_over_an_array_of_the_users_changes_with_it() -> None:
    array = np.arange(float(ROWS))
    column = pd.Series(pa.array(array), dtype=pd.ArrowDtype(pa.float64()))
    before = fp(column)
    array[ROWS // 2] = -1.0
    assert fp(column) != before


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_sequence_of_writes_is_seen_whole(data: st.DataObject) -> None:
    """Arrays, views of them and frames over them, written to and looked at in any order."""
    table = np.arange(4.0 * ROWS)
    shown: list[Any] = [
        table,
        table[ROWS : 3 * ROWS],
        table.reshape(2, -1).T,
        pd.DataFrame(table.reshape(4, -1).T, copy=False, columns=list("abcd")),
        pd.Series(np.arange(float(ROWS))),
    ]
    seen = [Seen() for _ in shown]
    places = st.one_of(st.integers(0, len(table) - 1), st.sampled_from([0, ROWS - 1, ROWS, len(table) - 1]))
    for _ in range(data.draw(st.integers(1, 12))):
        which = data.draw(st.integers(0, len(shown) - 1))
        match data.draw(st.sampled_from(["look", "write", "series", "frame", "view"])):
            case "look":
                seen[which].look(shown[which])
            case "write":
                table[data.draw(places)] = data.draw(st.sampled_from([-1.0, -2.0]))
            case "series":
                shown[4].iloc[data.draw(st.integers(0, ROWS - 1))] = data.draw(st.sampled_from([-1.0, -2.0]))
            case "frame":
                shown[3].iloc[data.draw(st.integers(0, ROWS - 1)), 2] = -3.0
            case "view":
                shown[1][data.draw(st.integers(0, ROWS))] = data.draw(st.sampled_from([-1.0, -2.0]))
    for each, value in zip(seen, shown, strict=True):
        each.look(value)
