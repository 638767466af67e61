"""Digests that are remembered beside a store: bytes only, by many processes, and lost without a word."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from resonate_nb.store import DigestMemory

KEY, DIGEST = b"k" * 32, b"d" * 32


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.path,)


def database(store: Path) -> Path:
    return store / "digests" / "cache.db"


def test_what_was_put_is_there_in_another_process(tmp_path: Path) -> None:
    """That is what it is for."""
    memory = DigestMemory(tmp_path)
    assert memory.get(KEY) is None
    memory.put(KEY, DIGEST)
    assert DIGEST == memory.get(KEY)
    memory.close()
    assert DIGEST == DigestMemory(tmp_path).get(KEY)
    assert 0o700 == (tmp_path / "digests").stat().st_mode & 0o777


def cut(store: Path) -> None:
    os.truncate(database(store), database(store).stat().st_size // 2)


def garble(store: Path) -> None:
    data = bytearray(database(store).read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    database(store).write_bytes(data)


def replace_folder(store: Path) -> None:
    shutil.rmtree(store / "digests")
    (store / "digests").write_text("no folder")


def other_tables(store: Path) -> None:
    for file in (store / "digests").iterdir():
        file.unlink()
    with sqlite3.connect(database(store)) as connection:
        connection.execute("CREATE TABLE Cache (key TEXT)")
    connection.close()


DAMAGES = [
    cut,
    garble,
    replace_folder,
    other_tables,
    lambda store: database(store).write_bytes(b""),
    lambda store: database(store).write_bytes(b"no database at all" * 100),
    lambda store: shutil.rmtree(store / "digests"),
    lambda store: (database(store).unlink(), database(store).mkdir()),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_open", [False, True])
def test_what_is_damaged_is_rebuilt(damage: Callable[[Path], object], is_open: bool, tmp_path: Path) -> None:
    """It may be lost: then it is empty, never wrong, and takes what comes next."""
    memory = DigestMemory(tmp_path)
    memory.put(KEY, DIGEST)
    if not is_open:
        memory.close()
        memory = DigestMemory(tmp_path)
    damage(tmp_path)
    assert memory.get(KEY) in (None, DIGEST)
    memory.put(b"other", DIGEST)
    if is_open:
        memory = DigestMemory(tmp_path)  # what one process holds open of files that are gone is its own affair
        memory.get(KEY)
        memory.put(b"other", DIGEST)
    assert DIGEST == DigestMemory(tmp_path).get(b"other")
    assert [] == list(tmp_path.glob("digests.broken*"))


def scribbled(store: Path, mode: int, filename: str | None, value: object) -> None:
    with sqlite3.connect(database(store)) as connection:
        connection.execute("UPDATE Cache SET mode = ?, filename = ?, value = ?", (mode, filename, value))
    connection.close()


@pytest.mark.parametrize("mode", range(6))
def test_nothing_is_ever_unpickled_or_opened(mode: int, tmp_path: Path) -> None:
    """A row that somebody else wrote is no digest, whatever kind it says it is of."""
    bomb = tmp_path / "bomb"
    memory = DigestMemory(tmp_path)
    memory.put(KEY, DIGEST)
    memory.close()
    scribbled(tmp_path, mode, None, pickle.dumps(Bomb(str(bomb))))
    assert DigestMemory(tmp_path).get(KEY) is None
    memory = DigestMemory(tmp_path)
    memory.put(KEY, DIGEST)
    memory.close()
    (tmp_path / "digests" / "other.val").write_bytes(pickle.dumps(Bomb(str(bomb))))
    scribbled(tmp_path, mode, "other.val", None)
    assert DigestMemory(tmp_path).get(KEY) is None
    assert not bomb.exists()


@pytest.mark.parametrize("value", [b"", b"short", b"x" * 40, DIGEST, None, 7, "text"])
def test_a_digest_that_was_changed_is_none(value: object, tmp_path: Path) -> None:
    """Each carries a check of itself and of what it is the digest of."""
    memory = DigestMemory(tmp_path)
    memory.put(KEY, DIGEST)
    memory.close()
    scribbled(tmp_path, 1, None, value)
    assert DigestMemory(tmp_path).get(KEY) is None


def test_a_store_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    """Whoever deleted it wants it gone."""
    store = tmp_path / "store"
    memory = DigestMemory(store)
    memory.put(KEY, DIGEST)
    assert memory.get(KEY) is None
    assert not store.exists()


def test_keys_and_values_are_bytes(tmp_path: Path) -> None:
    """What is none is not kept: diskcache would pickle it."""
    memory = DigestMemory(tmp_path)
    with pytest.raises(TypeError):
        memory.put("text", DIGEST)  # type: ignore[arg-type]
    memory.put(KEY, DIGEST)
    with sqlite3.connect(database(tmp_path)) as connection:
        assert {"blob"} == {kind for (kind,) in connection.execute("SELECT typeof(value) FROM Cache")}
    connection.close()


PROCESS = """
import random, shutil, sys
from pathlib import Path
from resonate_nb.store import DigestMemory
store, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
memory = DigestMemory(store)
for turn in range(400):
    number = chance.randrange(50)
    key = str(number).encode()
    if chance.random() < 0.5:
        memory.put(key, bytes([number]) * 32)
    else:
        found = memory.get(key)
        assert found in (None, bytes([number]) * 32), found
    if seed == 0 and turn % 100 == 50:
        for file in (store / "digests").glob("cache.db*"):
            file.write_bytes(b"scribble" * 1000)
        memory = DigestMemory(store)
"""


@pytest.mark.slow
def test_many_processes_and_one_that_scribbles(tmp_path: Path) -> None:
    """None of them gets a digest that is not the one that was put, and none fails."""
    racing = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(seed)], stderr=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    for process in racing:
        _, said = process.communicate()
        assert 0 == process.returncode, said


def test_a_forked_child_shares_it(tmp_path: Path) -> None:
    """Connections are not carried over a fork."""
    memory = DigestMemory(tmp_path)
    memory.put(KEY, DIGEST)
    child = os.fork()
    if child == 0:
        is_there = memory.get(KEY) == DIGEST
        memory.put(b"child", DIGEST)
        os._exit(0 if is_there else 1)
    _, status = os.waitpid(child, 0)
    assert 0 == os.waitstatus_to_exitcode(status)
    assert DIGEST == memory.get(b"child")
