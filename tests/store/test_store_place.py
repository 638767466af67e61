"""Where a store lies when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from children import CLOCK

from resonate_nb.errors import StoreError
from resonate_nb.store import SqliteStore, _place, locate
from resonate_nb.store._place import NAME, choose


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home" / "ada"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("RESONATE_NB_STORE", raising=False)
    return home


def folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_variable_wins_and_is_taken_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else there is, and whether it is there or not."""
    folder(home / "work" / NAME)
    monkeypatch.setenv("RESONATE_NB_STORE", str(home / "anywhere"))
    assert home / "anywhere" == locate(home / "work")
    monkeypatch.setenv("RESONATE_NB_STORE", "~/mine")
    assert home / "mine" == locate(home / "work")
    monkeypatch.chdir(folder(home / "work"))
    monkeypatch.setenv("RESONATE_NB_STORE", "here")
    assert home / "work" / "here" == locate(home)
    monkeypatch.setenv("RESONATE_NB_STORE", "")
    assert home / "work" / NAME == locate()


@pytest.mark.parametrize("mark", ["directory", "file"])
def test_repository_has_one_store_at_its_root(home: Path, mark: str) -> None:
    """A work tree's `.git` is a file."""
    root = folder(home / "project")
    if mark == "directory":
        folder(root / ".git")
    else:
        (root / ".git").write_text("gitdir: elsewhere")
    deep = folder(root / "a" / "b")
    folder(home / NAME)
    assert root / NAME == locate(deep)
    folder(root / NAME)
    assert root / NAME == locate(deep)
    folder(root / "a" / NAME)
    assert root / "a" / NAME == locate(deep)
    assert root / NAME == locate(root)


def test_repository_outside_home_counts_too(home: Path, tmp_path: Path) -> None:
    """Where the repository lies does not matter."""
    folder(tmp_path / "srv" / "project" / ".git")
    folder(tmp_path / "srv" / NAME)
    deep = folder(tmp_path / "srv" / "project" / "deep")
    assert tmp_path / "srv" / "project" / NAME == locate(deep)


def test_inner_repository_is_the_one(home: Path) -> None:
    """The nearest root ends the search."""
    folder(home / "outer" / ".git")
    folder(home / "outer" / NAME)
    inner = folder(home / "outer" / "inner")
    folder(inner / ".git")
    assert inner / NAME == locate(inner)


def test_under_home_the_nearest_one_short_of_home(home: Path) -> None:
    """One that lies in home itself serves only who works there."""
    folder(home / NAME)
    deep = folder(home / "a" / "b")
    assert deep / NAME == locate(deep)
    folder(home / "a" / NAME)
    assert home / "a" / NAME == locate(deep)
    assert home / NAME == locate(home)


def test_elsewhere_only_the_working_directory(home: Path, tmp_path: Path) -> None:
    """`/tmp` belongs to everybody."""
    deep = folder(tmp_path / "tmp" / "a")
    folder(tmp_path / "tmp" / NAME)
    assert deep / NAME == locate(deep)
    assert tmp_path / "tmp" / NAME == locate(tmp_path / "tmp")


def test_links_are_followed(home: Path, tmp_path: Path) -> None:
    """A store belongs to the place, not to the way there."""
    root = folder(home / "project")
    folder(root / ".git")
    (tmp_path / "link").symlink_to(folder(root / "deep"))
    assert root / NAME == locate(tmp_path / "link")


def test_without_home_only_the_working_directory(tmp_path: Path) -> None:
    """Some containers have none."""
    deep = folder(tmp_path / "a" / "b")
    folder(tmp_path / "a" / NAME)
    assert deep / NAME == choose(deep, home=None, environ={})


def test_directory_of_another_user_is_never_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it is nearest, and not when a new one would have its name."""
    root = folder(home / "project")
    folder(root / ".git")
    deep = folder(root / "a" / "b")
    folder(root / "a" / NAME)
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    assert root / NAME == locate(deep)
    folder(root / NAME)
    assert deep / NAME == locate(deep)
    folder(deep / NAME)
    with pytest.raises(StoreError, match="another user") as raised:
        locate(deep)
    assert "RESONATE_NB_STORE" in str(raised.value)


def test_file_of_that_name_is_no_store(home: Path) -> None:
    """It is passed over, and not overwritten."""
    deep = folder(home / "a" / "b")
    (home / "a" / NAME).write_text("")
    assert deep / NAME == locate(deep)


def test_looking_makes_nothing(home: Path) -> None:
    """The directory comes with the first durable use."""
    place = locate(folder(home / "a"))
    assert not place.exists()


def test_new_store_is_private_and_unseen_by_git(home: Path) -> None:
    """0700, and a `.gitignore` for all that is in it."""
    path = home / "deep" / NAME
    SqliteStore.open(path, clock=CLOCK).close()
    assert 0o700 == path.stat().st_mode & 0o777
    assert "*\n" == (path / ".gitignore").read_text()
    for file in path.rglob("*"):
        assert 0 == file.stat().st_mode & 0o022
    for room in ("values", "owners"):
        assert 0o700 == (path / room).stat().st_mode & 0o777


@pytest.mark.parametrize("left", [(), ("paper.tex",)], ids=["empty", "with other things"])
def test_values_are_private_in_a_directory_that_others_may_enter(tmp_path: Path, left: tuple[str, ...]) -> None:
    """An empty one that the user made becomes a store like any other; another stays as open as it was."""
    path = folder(tmp_path / "mine")
    path.chmod(0o755)
    for name in left:
        (path / name).write_text("")
    store = SqliteStore.open(path, clock=CLOCK)
    with store.write() as transaction:
        transaction.put_note("a", "b", b"secret")
    assert (0o755 if left else 0o700) == path.stat().st_mode & 0o777
    for file in (path / "promises.db", path / "promises.db-wal", path / "signal", path / "values", path / "owners"):
        assert 0 == file.stat().st_mode & 0o077, file
    store.close()


def test_directory_with_other_things_in_it_keeps_them(tmp_path: Path) -> None:
    """A user may name a directory that git knows: hiding all of it would be a harm."""
    (folder(tmp_path / "mine") / "paper.tex").write_text("")
    SqliteStore.open(tmp_path / "mine", clock=CLOCK).close()
    assert not (tmp_path / "mine" / ".gitignore").exists()
    SqliteStore.open(folder(tmp_path / "empty"), clock=CLOCK).close()
    assert (tmp_path / "empty" / ".gitignore").exists()


def test_files_in_a_folder_of_the_same_name_stay_where_they_are(tmp_path: Path) -> None:
    """Not taken for what is left of a lost store, nor set aside when the store is damaged."""
    mine = folder(tmp_path / "mine" / "values") / "measured.csv"
    mine.write_text("1,2,3")
    said: list[str] = []
    for _ in range(2):
        SqliteStore.open(tmp_path / "mine", clock=CLOCK, warn=said.append).close()
        assert "1,2,3" == mine.read_text()
    assert [] == said
    (tmp_path / "mine" / "promises.db").write_bytes(b"scribble" * 1_000)
    SqliteStore.open(tmp_path / "mine", clock=CLOCK, warn=said.append).close()
    assert 1 == len(said)
    assert "1,2,3" == mine.read_text()


def test_a_name_that_no_directory_can_have_is_said(tmp_path: Path) -> None:
    """As every other that cannot be used."""
    with pytest.raises(StoreError, match="its path is too long"):
        SqliteStore.open(tmp_path / ("b" * 300), clock=CLOCK)
    assert SqliteStore.exists(tmp_path / ("b" * 300))


def test_store_is_there_once_it_was_opened(tmp_path: Path) -> None:
    """Asking does not make it."""
    assert not SqliteStore.exists(tmp_path / "store")
    assert not (tmp_path / "store").exists()
    SqliteStore.open(tmp_path / "store", clock=CLOCK).close()
    assert SqliteStore.exists(tmp_path / "store")


def test_two_rooms_of_a_store_are_named_once() -> None:
    """`locate` and the store agree on names."""
    assert (".resonate_nb", "values", "owners") == (_place.NAME, _place.VALUES, _place.OWNERS)
