"""A declared folder or pattern that has changed says which file in it, in the same session and in a later one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine
from resonate_nb.runtime._entries import entry_digest
from resonate_nb.runtime._inventory import inventory_changes, inventory_of

TREE = {"a.csv": "1", "b.csv": "2", "sub/c.csv": "3", "sub/deep/d.csv": "4"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def changed(folder: Path, change: Callable[[], Any], spelled: str = "") -> str:
    path = os.path.join(folder, spelled)
    before = inventory_of(entry_digest(path).hex())
    assert before is not None
    stored = json.loads(json.dumps(before))
    change()
    return inventory_changes(stored, inventory_of(entry_digest(path).hex()))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path / "data", TREE)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: write(f, {"e.csv": "5"}), "file `e.csv` added"),
        (lambda f: (f / "a.csv").unlink(), "file `a.csv` removed"),
        (lambda f: write(f, {"sub/deep/d.csv": "5"}), "file `sub/deep/d.csv` changed"),
        (lambda f: (f / "a.csv").rename(f / "sub/z.csv"), "file `a.csv` renamed to `sub/z.csv`"),
        (lambda f: (f / "new").mkdir(), "folder `new/` added"),
        (
            lambda f: (write(f, {"e.csv": "5", "b.csv": "x"}), (f / "a.csv").unlink()),
            "file `e.csv` added, file `a.csv` removed, file `b.csv` changed",
        ),
        (
            lambda f: write(f, {f"{number}.csv": f"new {number}" for number in range(9)}),
            "files `0.csv`, `1.csv`, `2.csv`, `3.csv` and 5 more added",
        ),
        (lambda f: None, ""),
    ],
    ids=["added", "removed", "changed", "renamed", "empty folder", "several", "many", "nothing"],
)
def test_each_file_that_differs_is_named(tree: Path, change: Callable[[Path], Any], expected: str) -> None:
    assert expected == changed(tree, lambda: change(tree))


def test_a_pattern_names_what_it_finds(tree: Path) -> None:
    assert "file `e.csv` added" == changed(tree, lambda: write(tree, {"e.csv": "5", "e.txt": "5"}), "*.csv")
    assert "file `sub/c.csv` changed" == changed(tree, lambda: write(tree, {"sub/c.csv": "x"}), "**/*.csv")


def test_of_many_files_it_is_said_where_they_lie(tree: Path) -> None:
    """A summary is small, whatever the folder is."""
    write(tree, {f"sub/{number:050}.csv": str(number) for number in range(500)})
    digest = entry_digest(tree).hex()
    assert ["a.csv", "b.csv", "sub/"] == [name for name, _ in inventory_of(digest)["names"]]  # type: ignore[index]
    assert "folder `sub/` changed" == changed(tree, lambda: write(tree, {f"sub/{0:050}.csv": "x"}))
    assert "504 → 505 files, folder `sub/` changed" == changed(tree, lambda: write(tree, {"sub/more.csv": "x"}))
    write(tree, {f"{number:050}.csv": str(number) for number in range(500)})
    assert "1,005 → 1,006 files" == changed(tree, lambda: write(tree, {"e.csv": "5"}))
    assert [] == inventory_of(entry_digest(tree).hex())["names"]  # type: ignore[index]


def test_a_damaged_summary_says_nothing(tree: Path) -> None:
    now = inventory_of(entry_digest(tree).hex())
    for damaged in ({}, {"files": 1}, {"files": 1, "whole": True, "names": 5}, {"files": "x", "whole": False}):
        assert "" == inventory_changes(damaged, now)
    assert "" == inventory_changes({"files": 1, "whole": True, "names": []}, None)


@pytest.mark.parametrize("how", ["folder", "pattern", "argument", "more arguments than are told apart"])
def test_why_the_line_and_the_record_name_the_file(
    disk: Engine, tree: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    given, paths = {
        "folder": (f"{tree}", ()),
        "pattern": (f"{tree}/*.csv", ()),
        "argument": ("paths", str(tree)),
        "more arguments than are told apart": ("paths", [str(tree / name) for name in TREE] * 10),
    }[how]

    @durable(files=given)
    def load(paths: Any) -> int:
        return 1

    load(paths)
    write(tree, {"a.csv": "x"})
    name = f"{tree}/a.csv" if how.startswith("more") else "a.csv"
    title = {"pattern": f"files {tree}/*.csv", "more arguments than are told apart": "files of `paths`"}
    expected = f"{title.get(how, f'folder {tree}')}: file `{name}` changed"
    assert expected == load.why(paths).reason
    with caplog.at_level("INFO", "resonate_nb"):
        load(paths)
    assert [expected] == [line.partition("load runs: ")[2] for line in caplog.messages if "load runs" in line]
    assert expected == rnb.search("*load*", name="*load*")[0].why().reason


def test_a_folder_of_a_fixed_version_is_named_too(engine: Engine, tree: Path) -> None:
    @durable(files=str(tree), version=1)
    def load() -> int:
        return 1

    load()
    write(tree, {"a.csv": "x"})
    assert f"folder {tree}: file `a.csv` changed" == load.why().reason
