"""`check` says in one sentence that a store is sound, or what is not and what was done; and Run All goes on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from resonate_nb import DurableFunction, durable, runtime
from resonate_nb.clock import SystemClock
from resonate_nb.errors import DurableWarning, InvalidOptionError, NotStoredError
from resonate_nb.runtime import check
from resonate_nb.store import MemoryStore, SqliteStore

runs: list[int] = []


@durable(id="large-{n}", version=1, ignore=("runs",))
def large(n: int) -> bytes:
    runs.append(n)
    return bytes([n]) * 50_000


@durable(id="small-{n}", version=1, ignore=("runs",))
def small(n: int) -> int:
    runs.append(n)
    return n


@pytest.fixture(autouse=True)
def no_runs() -> None:
    runs.clear()


def changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path / "promises.db", isolation_level=None)
    connection.execute(statement)
    connection.close()


def scribble(file: Path, at: int, size_bytes: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"scribble" * (size_bytes // 8))


def page_of_rows(path: Path) -> int:
    """Where the page begins that holds promises, not their index."""
    data = (path / "promises.db").read_bytes()
    return next(at for at in range(4096, len(data), 4096) if 5 < data[at : at + 4096].count(b"resolved"))


def restarted(path: Path) -> None:
    """As a kernel that is started anew."""
    runtime.configure(store=path, durability="process")


def test_no_store_is_said(tmp_path: Path) -> None:
    """And none is made."""
    runtime.configure(store=tmp_path / "store")
    assert "there is no store here yet" == repr(check())
    assert not (tmp_path / "store").exists()


def test_sound_store_is_one_sentence(disk: runtime.Engine) -> None:
    """With how much it holds."""
    large(1)
    small(1)
    report = check()
    assert report.is_sound
    assert (2, 1, 0) == (report.promises, report.value_files, report.set_aside_bytes)
    assert repr(report).startswith("sound: 2 promises, 1 value file, ")
    assert repr(report).endswith(f"kB ({disk.store.path})")


def test_store_in_memory_is_checked_too(engine: runtime.Engine) -> None:
    """The same sentence."""
    large(1)
    assert repr(check()).startswith("sound: 1 promise, 1 value file, 50.")


def test_finding_is_told_and_nothing_changed(disk: runtime.Engine) -> None:
    """Until repairs are asked for."""
    large(1)
    (file,) = (disk.store.path / "values").iterdir()
    file.write_bytes(b"half")
    for _ in range(2):
        report = check()
        assert [("damaged value file", "large-1@1")] == [row[:2] for row in report.rows]
        assert "1 finding among 1 promise" in report.headline
        assert report.headline.endswith("rnb.check(repair=True) mends")
    report = check(repair=True)
    assert [("damaged value file", "large-1@1")] == [row[:2] for row in report.rows]
    assert "counts as not stored" in report.rows[0][3]
    assert report.set_aside_bytes == 4
    assert "; 4 bytes set aside in its folder 'damaged', which you may delete" in report.headline
    shutil.rmtree(disk.store.path / "damaged")
    assert 0 == check().set_aside_bytes
    assert check().is_sound
    assert bytes([1]) * 50_000 == large(1)
    assert [1, 1] == runs


def test_repair_reaches_what_this_process_remembers(disk: runtime.Engine) -> None:
    """A hit from memory would say that the value is stored."""
    small(1)
    assert 1 == small(1)
    changed(disk.store.path, "UPDATE promises SET state = 'no state'")
    report = check(repair=True)
    assert [("row that makes no sense", "small-1@1")] == [row[:2] for row in report.rows]
    assert 1 == small(1)
    assert [1, 1] == runs
    assert ["small-1@1", "small-1@1~2"] == sorted(handle.id for handle in runtime.search())


@pytest.mark.parametrize("function", [large, small])
def test_value_that_was_changed_is_found(tmp_path: Path, function: DurableFunction[[int], object]) -> None:
    """Of the right length, in a file or a row; it counts as absent when it is used."""
    path = tmp_path / "store"
    restarted(path)
    function(1)
    if function is large:
        (file,) = (path / "values").iterdir()
        file.write_bytes(b"\0" * file.stat().st_size)
    else:
        changed(path, "UPDATE promises SET value_data = zeroblob(length(value_data))")
    restarted(path)
    for repair in (False, True):
        (row,) = check(repair=repair).rows
        assert ("value not signed with your key", f"{function.__name__}-1@1") == row[:2]
    with pytest.warns(DurableWarning, match="not signed"):
        function(1)
    assert [1, 1] == runs
    assert check().is_sound, "what was computed again has superseded it"
    runtime.engine().close()


@pytest.mark.slow
def test_run_all_goes_on_over_a_scribbled_database(tmp_path: Path) -> None:
    """One warning with the numbers; what could be read is replayed, the rest is computed, and the damaged is kept."""
    path = tmp_path / "store"
    restarted(path)
    for n in range(200):
        small(n)
    runtime.engine().close()
    scribble(path / "promises.db", 0, 100)
    scribble(path / "promises.db", page_of_rows(path), 4096)
    damaged = (path / "promises.db").read_bytes()
    runs.clear()
    restarted(path)
    with pytest.warns(DurableWarning, match=r"was damaged .* could be read") as warned:
        assert list(range(200)) == [small(n) for n in range(200)]
    assert 1 == len(warned)
    assert 0 < len(runs) < 50
    (kept,) = path.glob("damaged/*/promises.db")
    assert damaged == kept.read_bytes()
    assert check().is_sound
    assert check().set_aside_bytes >= len(damaged)
    runs.clear()
    assert list(range(200)) == [small(n) for n in range(200)]
    assert [] == runs
    runtime.engine().close()


@pytest.mark.slow
def test_damage_met_on_the_way_is_mended_by_repair(tmp_path: Path) -> None:
    """In the middle of a kernel, without a restart."""
    path = tmp_path / "store"
    restarted(path)
    for n in range(200):
        small(n)
    runtime.engine().close()
    scribble(path / "promises.db", page_of_rows(path), 4096)
    restarted(path)
    assert "damaged database" == check().rows[0][0]
    report = check(repair=True)
    assert "damaged database" == report.rows[0][0]
    assert "could be read" in report.rows[0][3]
    assert check().is_sound
    assert list(range(200)) == [small(n) for n in range(200)]
    runtime.engine().close()


@pytest.mark.slow
def test_damage_met_on_the_way_stops_nobody(tmp_path: Path) -> None:
    """The call that meets it runs plainly; at the next use the database is another one, and calls are durable again."""
    path = tmp_path / "store"
    restarted(path)
    for n in range(200):
        small(n)
    runtime.engine().close()
    scribble(path / "promises.db", page_of_rows(path), 4096)
    runs.clear()
    restarted(path)
    with pytest.warns(DurableWarning) as warned:
        assert list(range(200)) == [small(n) for n in range(200)]
    plainly, saved = (str(warning.message) for warning in warned)
    assert plainly.startswith(
        f"small runs plainly, not durably: the store '{path}' cannot be used: its database is dam"
    )
    assert "could be read and are in a new one" in saved
    assert 0 < len(runs) < 50
    runs.clear()
    assert list(range(200)) == [small(n) for n in range(200)]
    assert 1 >= len(runs)
    assert check().is_sound
    runtime.engine().close()


def call_until(is_seen: Callable[[], bool]) -> None:
    """New calls until something is seen, and then some more: a store is looked for ten times a second."""
    n = next(n for n in range(2, 1_000_000) if small(n) == n and is_seen())
    assert list(range(n + 1, n + 100)) == [small(m) for m in range(n + 1, n + 100)]


def deleted(path: Path) -> None:
    shutil.rmtree(path)


def replaced(path: Path) -> None:
    path.rename(path.with_name("before"))
    shutil.copytree(path.with_name("before"), path)


def raised(path: Path) -> None:
    changed(path, "UPDATE meta SET schema = 99")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(deleted, "was deleted while this process was using it", id="deleted"),
        pytest.param(replaced, "was moved, deleted or replaced while this process", id="replaced"),
        pytest.param(raised, "has schema 99", id="newer"),
    ],
)
def test_store_that_is_no_more_ours_stops_nobody(tmp_path: Path, change: Callable[[Path], None], said: str) -> None:
    """A new package beside an old kernel, a folder that was cleared away: said once, with what to do."""
    path = tmp_path / "store"
    restarted(path)
    small(1)
    change(path)
    with pytest.warns(DurableWarning, match=said) as warned:
        call_until(lambda: len(warned) > 0)
    # A call that was in the middle says so of its own; those that follow say nothing new.
    assert len(warned) <= 4
    assert "estart the kernel" in str(warned[0].message)
    runtime.engine().close()


def test_wrong_option_is_refused() -> None:
    """Before anything is looked at."""
    with pytest.raises(InvalidOptionError, match="True or False"):
        check(repair="yes")  # type: ignore[arg-type]


def test_runtime_passes_on_what_the_store_says(tmp_path: Path) -> None:
    """As warnings at the user's line."""
    path = tmp_path / "store"
    SqliteStore.open(path, clock=runtime.engine().clock).close()
    (path / "promises.db").write_bytes(b"not a database")
    restarted(path)
    with pytest.warns(DurableWarning, match="kept in") as warned:
        small(1)
    assert __file__ == warned[0].filename
    runtime.engine().close()


class Rotten(MemoryStore):
    """One of its value files lies on a bad part of the disk."""

    rotten = ""

    def read_file(self, name: str, size_bytes: int) -> bytes:
        if name == self.rotten:
            raise NotStoredError(f"the value file {name!r} cannot be read (Input/output error)")
        return super().read_file(name, size_bytes)


def test_a_value_file_that_cannot_be_read_is_found() -> None:
    """Its size is right, and still there is no value: the next use computes it again."""
    store = Rotten(SystemClock())
    runtime.configure(store=store)
    large(1)
    store.rotten = runtime.engine().peek(["large-1@1"])[0].value.file or ""  # type: ignore[union-attr]
    report = check()
    assert [("unreadable_file", "large-1@1")] == [(each.kind, each.subject) for each in report.problems]
    assert "value file that cannot be read: large-1@1: " in repr(report)
    assert "repair" not in report.headline
    large.rerun(1)
    assert check().is_sound
