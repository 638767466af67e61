"""What a body reads through Python is recorded, and looked at again before its result is used."""

from __future__ import annotations

import asyncio
import contextvars
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.runtime import _aside, _reads
from resonate_nb.runtime._file_read import ABSENT, DECLARED, FileRead, changed, from_json, to_json
from resonate_nb.runtime._reads import add_to_current, recording


def rested() -> ManualClock:
    """A clock by which every file has long been at rest, so that its times count."""
    return ManualClock(SystemClock().now_ms() + 60_000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    return path


def names(reads: _reads.Reads) -> list[str]:
    return [file.path for file in reads.files()]


def record(root: Path, body: Callable[[], Any]) -> tuple[FileRead, ...]:
    with recording(root, rested()) as reads:
        body()
    return reads.files()


READERS: dict[str, Callable[[Path], Any]] = {
    "open": lambda path: open(path).close(),
    "bytes path": lambda path: open(os.fsencode(path), "rb").close(),
    "pathlib": lambda path: path.read_text(),
    "os.open": lambda path: os.close(os.open(path, os.O_RDONLY)),
    "read and write": lambda path: open(path, "r+").close(),
    "pandas": pd.read_csv,
    "numpy": lambda path: np.loadtxt(path, delimiter=",", skiprows=1),
    "twice": lambda path: (path.read_text(), path.read_bytes()),
    "copied": lambda path: shutil.copy(path, path.with_name("copy")),
}


@pytest.mark.parametrize("way", READERS)
def test_a_file_that_is_read_is_recorded(way: str, data: Path) -> None:
    """Once, with all by which it is known again."""
    (file,) = record(data.parent, lambda: READERS[way](data))
    found = data.stat()
    assert (file.path, file.size, file.mtime_ns) == ("data.csv", found.st_size, found.st_mtime_ns)
    assert (file.ctime_ns, file.inode, len(file.digest)) == (found.st_ctime_ns, found.st_ino, 64)


def test_a_relative_path_is_made_absolute_at_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The body may change the working directory afterwards."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def body() -> None:
        Path("data.csv").read_text()
        os.chdir("elsewhere")

    assert [file.path for file in record(tmp_path, body)] == ["data.csv"]


def test_a_relative_path_leads_to_another_file_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body would read that one. The same content there is unchanged, as for a moved folder."""
    for name, text in (("one", "x"), ("two", "x"), ("three", "y"), ("four", None)):
        (tmp_path / name / "sub").mkdir(parents=True)
        if text is not None:
            (tmp_path / name / "sub" / "data.csv").write_text(text)
    monkeypatch.chdir(tmp_path / "one")

    def body() -> None:
        os.chdir("sub")
        Path("data.csv").read_text()

    files = record(tmp_path, body)
    assert [("one/sub/data.csv", os.path.join("sub", "data.csv"))] == [(file.path, file.given) for file in files]
    found = []
    for name in ("one", "two", "three", "four"):
        monkeypatch.chdir(tmp_path / name)
        found.append(changed(files, tmp_path))
    assert [None, None, "one/sub/data.csv", "one/sub/data.csv"] == found


def test_a_file_given_both_ways_counts_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From elsewhere one of the two is another file."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text(name)
    monkeypatch.chdir(tmp_path / "one")
    files = record(tmp_path, lambda: (Path("data.csv").read_text(), (tmp_path / "one" / "data.csv").read_text()))
    assert ["", "data.csv"] == [file.given for file in files]
    monkeypatch.chdir(tmp_path / "two")
    assert "one/data.csv" == changed(files, tmp_path)


def test_a_file_looked_for_in_vain_counts_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`settings.local.toml` may be there tomorrow."""
    monkeypatch.chdir(tmp_path)
    files = record(tmp_path, lambda: (missing(tmp_path / "a"), missing(Path("b"))))
    assert [("a", ABSENT), ("b", ABSENT)] == [(file.path, file.size) for file in files]
    assert from_json(to_json(files)) == files
    assert changed(files, tmp_path) is None
    Path("b").touch()
    assert "b" == changed(files, tmp_path)


def test_a_file_outside_the_root_is_named_absolutely(data: Path, tmp_path: Path) -> None:
    """It does not move with the store."""
    (tmp_path / "project").mkdir()
    (file,) = record(tmp_path / "project", data.read_text)
    assert file.path == str(data)


def test_a_root_behind_a_link_still_contains_its_files(data: Path, tmp_path: Path) -> None:
    """Home directories are often links."""
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert [file.path for file in record(tmp_path / "link", data.read_text)] == ["data.csv"]
    assert [file.path for file in record(tmp_path, (tmp_path / "link" / "data.csv").read_text)] == ["link/data.csv"]


def test_a_link_to_a_file_is_followed(data: Path, tmp_path: Path) -> None:
    """`latest.csv` may point elsewhere tomorrow."""
    link = tmp_path / "latest.csv"
    link.symlink_to(data)
    files = record(tmp_path, link.read_text)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,3\n")
    link.unlink()
    link.symlink_to(other)
    assert changed(files, tmp_path) == "latest.csv"


def write_and_read(path: Path) -> None:
    path.write_text("made")
    path.read_text()


def write_beside_and_move(path: Path) -> None:
    beside = path.with_suffix(".part")
    beside.write_text("made")
    beside.replace(path)
    path.read_text()


def write_by_child_and_remove(path: Path) -> None:
    subprocess.run(["touch", str(path)], check=True)
    path.read_text()
    path.unlink()


def missing(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        path.read_text()


ASIDE: dict[str, Callable[[Path], Any]] = {
    "written": lambda folder: (folder / "data.csv").write_text("x"),
    "appended": lambda folder: open(folder / "data.csv", "a").close(),
    "written, then read": lambda folder: write_and_read(folder / "new"),
    "written over, then read": lambda folder: write_and_read(folder / "data.csv"),
    "written and read at once": lambda folder: open(folder / "new", "w+").close(),
    "made by a read-write open": lambda folder: os.close(os.open(folder / "new", os.O_RDWR | os.O_CREAT)),
    "made exclusively": lambda folder: open(folder / "new", "x+").close(),
    "moved into place": lambda folder: write_beside_and_move(folder / "new"),
    "missing, then made": lambda folder: (missing(folder / "new"), (folder / "new").write_text("x")),
    "missing, then moved into place": lambda folder: (missing(folder / "new"), write_beside_and_move(folder / "new")),
    "directory": lambda folder: os.close(os.open(folder, os.O_RDONLY)),
    "device": lambda _: Path("/dev/null").read_text(),
    "kernel": lambda _: Path("/proc/self/status").read_text(),
    "standard library": lambda _: Path(os.__file__).read_text(),
    "package": lambda _: Path(pd.__file__).with_name("_version_meson.py").read_text(),
    "loaded module": lambda _: Path(__file__).read_text(),
    "system": lambda _: Path("/etc/passwd").read_text(),
    "descriptor": lambda folder: os.close(os.open(folder, os.O_RDONLY)),
}


@pytest.mark.parametrize("what", ASIDE)
def test_what_is_no_input_is_left_aside(what: str, data: Path) -> None:
    """Or every body that writes a log would run again for ever."""
    assert record(data.parent, lambda: ASIDE[what](data.parent)) == ()


def test_what_a_child_process_makes_and_the_body_removes_is_left_aside(tmp_path: Path) -> None:
    """Nobody but this body ever saw it."""
    with recording(tmp_path) as reads:
        write_by_child_and_remove(tmp_path / "new")
    assert reads.files() == ()


def test_a_cache_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries keep there what they can make again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _aside._aside.cache_clear()
    _aside.aside_of.cache_clear()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file").write_text("x")
    assert record(tmp_path / "project", (tmp_path / "cache" / "file").read_text) == ()
    # But somebody's notebooks may lie in such a folder.
    assert len(record(tmp_path / "cache", (tmp_path / "cache" / "file").read_text)) == 1
    monkeypatch.undo()
    _aside._aside.cache_clear()
    _aside.aside_of.cache_clear()


def test_importing_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's code is counted by the key."""
    (tmp_path / "module_of_a_test.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def body() -> None:
        import module_of_a_test  # type: ignore[import-not-found]

        assert module_of_a_test.X == 1

    assert record(tmp_path, body) == ()
    del sys.modules["module_of_a_test"]


def test_opens_of_our_own_are_left_aside(data: Path) -> None:
    """Reading value files or digesting must not become an input of the call around it."""
    files = record(data.parent, data.read_text)
    assert record(data.parent, lambda: changed([*files, FileRead("data.csv", 8, 0, 0, 0, "x")], data.parent)) == ()


def test_nothing_is_recorded_outside(data: Path) -> None:
    """Idle before and after."""
    data.read_text()
    with recording(data.parent) as reads:
        pass
    data.read_text()
    assert reads.files() == ()
    assert _reads._active == {}


def test_recordings_nest(tmp_path: Path) -> None:
    """The outer call depends on what the inner one read."""
    for name in "abc":
        (tmp_path / name).write_text(name)
    with recording(tmp_path) as outer:
        (tmp_path / "a").read_text()
        with recording(tmp_path) as inner:
            (tmp_path / "b").read_text()
        (tmp_path / "c").read_text()
    assert (["a", "b", "c"], ["b"]) == (names(outer), names(inner))


def test_awaited_bodies_keep_apart(tmp_path: Path) -> None:
    """They take turns on one thread."""
    for name in "ab":
        (tmp_path / name).write_text(name)

    async def body(name: str, mine: asyncio.Event, other: asyncio.Event) -> list[str]:
        with recording(tmp_path) as reads:
            mine.set()
            await other.wait()
            (tmp_path / name).read_text()
        return names(reads)

    async def main() -> list[list[str]]:
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(body("a", one, two), body("b", two, one))

    assert asyncio.run(main()) == [["a"], ["b"]]


def test_a_thread_of_the_body_counts_for_it(data: Path) -> None:
    """Threads do not inherit the context; what cannot be told apart counts for all."""
    with recording(data.parent) as one, ThreadPoolExecutor(1) as pool:
        pool.submit(data.read_text).result()
    assert names(one) == ["data.csv"]


def test_a_recording_in_a_thread_of_the_body_stands_inside_it(data: Path) -> None:
    """A pool of threads that makes durable calls: the body depends on what they read, or replayed."""
    files = record(data.parent, data.read_text)

    def child() -> None:
        with recording(data.parent):
            data.read_text()

    for what in (child, lambda: add_to_current(files)):
        with recording(data.parent) as reads, ThreadPoolExecutor(1) as pool:
            pool.submit(what).result()
        assert ["data.csv"] == names(reads)


def test_a_context_whose_recording_has_ended_counts_for_all(data: Path) -> None:
    """A task may outlive the call that started it."""
    with recording(data.parent):
        old = contextvars.copy_context()
    with recording(data.parent) as reads:
        thread = threading.Thread(target=old.run, args=(data.read_text,))
        thread.start()
        thread.join()
    assert names(reads) == ["data.csv"]


def test_a_replayed_call_passes_its_files_on(data: Path, tmp_path: Path) -> None:
    """Its body did not run, and yet the parent's result depends on them."""
    files = record(tmp_path, data.read_text)
    with recording(tmp_path) as outer, recording(tmp_path) as inner:
        add_to_current(files)
    assert outer.files() == inner.files() == files
    add_to_current(files)


def test_what_the_body_made_is_not_passed_on_to_it(tmp_path: Path) -> None:
    """A parent writes a file and a replayed child has read one of the same content."""
    (tmp_path / "a").write_text("x")
    files = record(tmp_path, (tmp_path / "a").read_text)
    with recording(tmp_path) as reads:
        (tmp_path / "a").write_text("x")
        add_to_current(files)
    assert reads.files() == ()


def test_a_file_of_a_working_directory_that_is_gone_equals_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say where it was, and the body's value is not lost for that."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    declared = FileRead("gone/a", DECLARED, 0, 0, 0, "x", "a")
    with recording(tmp_path) as reads:
        add_to_current([declared])
        (tmp_path / "gone").rmdir()
        add_to_current([replace(declared, path="gone/b", given="b")])
    assert {"gone/a": "", "gone/b": ""} == {file.path: file.digest for file in reads.files()}
    assert "gone/a" == changed(reads.files(), tmp_path)


def test_what_was_declared_is_digested_anew_only_where_the_body_has_put_files(tmp_path: Path) -> None:
    """A digest of now would vouch for what somebody else has changed meanwhile."""
    (tmp_path / "folder").mkdir()
    paths = ("data", "folder", "folder/p*")
    with recording(tmp_path) as reads:
        add_to_current([FileRead(path, DECLARED, 0, 0, 0, "then") for path in paths])
        for name in ("data.bak", "folders", "folder.zip"):
            (tmp_path / name).touch()
        assert {"then"} == {file.digest for file in reads.files()}
        (tmp_path / "folder" / "part").touch()
    assert ["data"] == [file.path for file in reads.files() if file.digest == "then"]


def test_two_contents_of_one_file_equal_nothing(data: Path, tmp_path: Path) -> None:
    """A child read it, then it changed, then the parent read it."""
    files = record(tmp_path, data.read_text)
    with recording(tmp_path) as reads:
        add_to_current(files)
        os.truncate(data, 3)
        data.read_text()
    (file,) = reads.files()
    assert (file.path, file.digest) == ("data.csv", "")


class Odd(os.PathLike[str]):
    def __fspath__(self) -> str:
        raise RuntimeError("no path today")

    def __repr__(self) -> str:
        return "odd"


def test_the_hook_never_breaks_an_open_and_never_vouches_blindly(tmp_path: Path) -> None:
    """What it cannot look at equals nothing."""
    with recording(tmp_path) as reads:
        _reads._hook("open", (Odd(), "r", os.O_RDONLY))
    files = reads.files()
    assert [(file.path, file.digest) for file in files] == [("odd", "")]
    assert changed(files, tmp_path) == "odd"


@pytest.mark.slow
def test_the_hook_is_added_only_when_something_records(tmp_path: Path) -> None:
    """And only once: it cannot be taken away."""
    code = f"""
    import sys
    added = []
    def spy(event, args):
        if event == "sys.addaudithook":
            added.append(event)
    from resonate_nb.runtime import _reads
    sys.addaudithook(spy)
    del added[:]
    open({str(tmp_path / "x")!r}, "w").close()
    before = len(added)
    for _ in range(3):
        with _reads.recording(None):
            pass
    print(before, len(added))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stdout == "0 1\n", done.stderr


def test_the_store_itself_is_no_input_of_a_body(tmp_path: Path) -> None:
    """A widget or a waiter opens files of the store while a body runs, by whatever way."""
    store = tmp_path / ".resonate_nb"
    store.mkdir()
    for folder in (store, tmp_path):
        (folder / "data.csv").write_text("1")
    with recording(tmp_path, rested(), store) as reads:
        (store / "data.csv").read_bytes()
        (tmp_path / "data.csv").read_bytes()
    assert [file.path for file in reads.files()] == ["data.csv"]
