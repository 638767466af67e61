"""What a body is told of the names in a folder is recorded, and looked at again before its result is used."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.runtime._file_read import LISTED, changed, from_json, to_json
from resonate_nb.runtime._reads import recording

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("data/a.csv", "data/b.csv", "data/deep/c.csv", "data/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    return tmp_path


def listed(root: Path, body: Callable[[], Any]) -> Any:
    with recording(root, ManualClock(SystemClock().now_ms() + 60_000)) as reads:
        body()
    files = from_json(to_json(reads.files()))
    assert all(file.size == LISTED for file in files)
    return files


FOLDER: dict[str, Callable[[Path], Any]] = {
    "listdir": os.listdir,
    "listdir of bytes": lambda path: os.listdir(os.fsencode(path)),
    "scandir": lambda path: list(os.scandir(path)),
    "iterdir": lambda path: list(path.iterdir()),
    "walk": lambda path: list(os.walk(path)),
    "a path's walk": lambda path: list(getattr(path, "walk", path.iterdir)()),  # since 3.12
    "copytree": lambda path: shutil.copytree(path, path.with_name("copy"), copy_function=lambda *_: None),
}
PATTERN: dict[str, Callable[[Path], Any]] = {
    "glob": lambda path: glob.glob(f"{path}/*.csv"),
    "iglob": lambda path: list(glob.iglob(f"{path}/*.csv")),
    "glob with a root": lambda path: glob.glob("*.csv", root_dir=path),
    "a path's glob": lambda path: list(path.glob("*.csv")),
}
DEEP: dict[str, Callable[[Path], Any]] = {
    "glob": lambda path: glob.glob(f"{path}/**/*.csv", recursive=True),
    "a path's rglob": lambda path: list(path.rglob("*.csv")),
    "a path's glob": lambda path: list(path.glob("**/*.csv")),
}


@pytest.mark.parametrize("way", FOLDER)
def test_a_folder_that_is_listed_counts_by_its_names(way: str, folder: Path) -> None:
    files = listed(folder, lambda: FOLDER[way](folder / "data"))
    assert files[0].path == "data"
    assert changed(files, folder) is None
    (folder / "data" / "a.csv").write_text("other content")
    assert changed(files, folder) is None
    (folder / "data" / "z").write_text("")
    assert changed(files, folder) == "data/"
    (folder / "data" / "z").unlink()
    assert changed(files, folder) is None
    (folder / "data" / "b.csv").unlink()
    assert changed(files, folder) == "data/"


@pytest.mark.parametrize("way", PATTERN)
def test_a_pattern_counts_by_what_it_finds(way: str, folder: Path) -> None:
    files = listed(folder, lambda: PATTERN[way](folder / "data"))
    assert [file.path for file in files] == ["data/*.csv"]
    (folder / "data" / "z.txt").write_text("")
    (folder / "data" / "deep" / "z.csv").write_text("")
    assert changed(files, folder) is None
    (folder / "data" / "z.csv").write_text("")
    assert changed(files, folder) == "data/*.csv"


@pytest.mark.parametrize("way", DEEP)
def test_a_deep_pattern_counts_by_what_it_finds(way: str, folder: Path) -> None:
    files = listed(folder, lambda: DEEP[way](folder / "data"))
    assert [file.path for file in files] == ["data/**/*.csv"]
    assert changed(files, folder) is None
    (folder / "data" / "deep" / "z.csv").write_text("")
    assert changed(files, folder) == "data/**/*.csv"


def test_a_relative_folder_is_looked_for_from_where_one_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    files = listed(folder, lambda: os.listdir("data"))
    other = folder / "other"
    (other / "data").mkdir(parents=True)
    monkeypatch.chdir(other)
    assert changed(files, folder) == "data/"


def test_a_folder_that_was_not_there_counts_as_absent(folder: Path) -> None:
    def body() -> None:
        with pytest.raises(FileNotFoundError):
            os.listdir(folder / "none")

    files = listed(folder, body)
    assert changed(files, folder) is None
    (folder / "none").mkdir()
    assert changed(files, folder) == "none/"


def test_what_the_body_makes_itself_is_no_news(folder: Path) -> None:
    def body() -> None:
        os.listdir(folder / "data")
        (folder / "data" / "made.csv").write_text("1")
        (folder / "data" / "folder").mkdir()
        (folder / "data" / "folder" / "made").write_text("1")

    files = listed(folder, body)
    assert changed(files, folder) is None
    (folder / "data" / "made.csv").unlink()
    assert changed(files, folder) == "data/"


def test_a_folder_that_changes_while_the_body_runs_equals_nothing(folder: Path) -> None:
    def body() -> None:
        os.listdir(folder / "data")
        (folder / "data" / "a.csv").unlink()

    assert changed(listed(folder, body), folder) == "data/"


def test_a_folder_that_the_body_makes_is_left_aside(folder: Path) -> None:
    def body() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as made:
            Path(made, "x").write_text("")
            os.listdir(made)
        (folder / "out").mkdir()
        os.listdir(folder / "out")

    assert listed(folder, body) == ()


def test_what_the_body_takes_away_is_no_input(folder: Path) -> None:
    with recording(folder) as reads:
        shutil.rmtree(folder / "data")
    assert [file.path for file in reads.files() if file.size == LISTED] == []


def test_a_folder_that_was_there_before_it_was_to_be_made_counts(folder: Path) -> None:
    def body() -> None:
        os.makedirs(folder / "data", exist_ok=True)
        os.listdir(folder / "data")

    assert [file.path for file in listed(folder, body)] == ["data"]


def test_imports_and_what_is_no_input_are_left_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    (folder / "just_now.py").write_text("")

    def body() -> None:
        __import__("just_now")
        os.listdir(os.path.dirname(os.__file__))
        os.listdir(folder / "__pycache__") if (folder / "__pycache__").exists() else None

    assert [file for file in listed(folder, body) if "pycache" not in file.path] == []
