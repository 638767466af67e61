"""A file that a body has read is looked at again before the result is used: content counts, times only spare a look."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_reads import data as data
from test_reads import record

from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.runtime._file_read import FileRead, changed, from_json, to_json
from resonate_nb.runtime._reads import recording


def rewrite_same_size(path: Path) -> None:
    path.write_text("a,b\n1,3\n")


def rewrite_and_set_back(path: Path) -> None:
    before = path.stat()
    rewrite_same_size(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_same_size(path: Path) -> None:
    other = path.with_name("other")
    rewrite_same_size(other)
    other.replace(path)


CHANGES: dict[str, Callable[[Path], Any]] = {
    "longer": lambda path: path.write_text("a,b\n1,2\n3,4\n"),
    "same size": rewrite_same_size,
    "same size, times set back": rewrite_and_set_back,
    "replaced": replace_same_size,
    "removed": lambda path: path.unlink(),
    "a directory now": lambda path: (path.unlink(), path.mkdir()),
    "unreadable now": lambda path: (path.unlink(), path.symlink_to(path)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_seen(change: str, data: Path) -> None:
    """TRAPS 65, whatever was done to hide it."""
    files = record(data.parent, data.read_text)
    CHANGES[change](data)
    assert changed(files, data.parent) == "data.csv"


SAME: dict[str, Callable[[Path], Any]] = {
    "untouched": lambda _: None,
    "touched": lambda path: os.utime(path),
    "rewritten": lambda path: path.write_text("a,b\n1,2\n"),
    "replaced by a copy": lambda path: shutil.copy2(path, path.with_name("c")).replace(path),
    "more permissions": lambda path: path.chmod(0o600),
    "a link to a copy now": lambda path: path.rename(path.with_name("d")) and path.symlink_to(path.with_name("d")),
}


@pytest.mark.parametrize("what", SAME)
def test_equal_content_is_unchanged(what: str, data: Path) -> None:
    """Times alone are no reason to compute for an hour."""
    files = record(data.parent, data.read_text)
    SAME[what](data)
    assert changed(files, data.parent) is None


def test_a_moved_folder_is_unchanged(data: Path, tmp_path: Path) -> None:
    """TRAPS 81: the record is relative to the folder of the store."""
    files = record(tmp_path, data.read_text)
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    shutil.copytree(tmp_path, moved)
    data.write_text("gone")
    assert changed(files, moved) is None


def test_content_is_not_read_while_the_times_stand(data: Path, tmp_path: Path) -> None:
    """A hit costs one stat per file: the digest is not even looked at."""
    (file,) = record(tmp_path, data.read_text)
    lying = FileRead(file.path, file.size, file.mtime_ns, file.ctime_ns, file.inode, "0" * 64)
    assert changed([lying], tmp_path) is None


def test_fresh_times_are_not_trusted(data: Path, tmp_path: Path) -> None:
    """A second write in the same tick of the file system's clock leaves them as they were."""
    with recording(tmp_path) as reads:
        data.read_text()
    (file,) = reads.files()
    assert file.ctime_ns == 0
    assert changed([file], tmp_path) is None
    lying = FileRead(file.path, file.size, file.mtime_ns, file.ctime_ns, file.inode, "0" * 64)
    assert changed([lying], tmp_path) == "data.csv"


@pytest.mark.parametrize(
    "meanwhile",
    [rewrite_same_size, replace_same_size, lambda path: path.unlink()],
    ids=["rewritten", "replaced", "removed"],
)
def test_a_file_that_changes_while_the_body_runs_equals_nothing(meanwhile: Callable[[Path], Any], data: Path) -> None:
    """Nobody can say which content the body saw."""
    old = data.stat().st_mtime_ns - 10**10
    os.utime(data, ns=(old, old))
    clock = ManualClock(SystemClock().now_ms() + 60_000)
    with recording(data.parent, clock) as reads:
        data.read_text()
        meanwhile(data)
    files = reads.files()
    assert [(file.path, file.digest) for file in files] == [("data.csv", "")]
    assert changed(files, data.parent) == "data.csv"


def test_an_empty_file_that_is_only_touched_is_stable(tmp_path: Path) -> None:
    """Lock files."""
    lock = tmp_path / "lock"
    lock.touch()

    def body() -> None:
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT))
        os.utime(lock)

    assert changed(record(tmp_path, body), tmp_path) is None


def test_it_survives_json(data: Path) -> None:
    """It lies in the promise's row."""
    files = record(data.parent, data.read_text)
    assert from_json(to_json(files)) == files
    assert from_json(to_json(())) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "[[]]", '[["a"]]', '[["a","b",1,1,1,"x"]]', '[["a",-3,0,0,9,"x"]]', "null", "3"]
)
def test_a_damaged_record_is_changed(text: str, tmp_path: Path) -> None:
    """The body runs again; nothing crashes."""
    assert changed(from_json(text), tmp_path) is not None


def test_json_is_compact(data: Path) -> None:
    """Thousands of rows are read at a resume."""
    assert ": " not in to_json(record(data.parent, data.read_text))
    assert len(json.loads(to_json(record(data.parent, data.read_text)))) == 1
