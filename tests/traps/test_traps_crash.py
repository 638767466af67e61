"""Traps 82 to 87: kernels die, processes race, disks fill up, entries are damaged and planted."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trap_sessions import Notebook, Running

pytestmark = pytest.mark.slow

LIMIT = 60.0
"""Seconds after which a session counts as stuck; a guard, not a measurement."""


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.002)


def has_run(book: Notebook) -> bool:
    """Whether a body has left its mark; the file alone is there a moment before."""
    log = book.folder / "f.log"
    return log.exists() and log.stat().st_size > 0


def kill(running: Running) -> None:
    os.kill(running.pid, signal.SIGKILL)


def check(book: Notebook) -> list[str]:
    """What the consistency check of the store finds, in a process of its own."""
    outcome = book.run(
        "from resonate_nb.runtime import engine\ngot['check'] = [str(found) for found in engine().store.check()]"
    )
    assert not outcome.errors
    found: list[str] = outcome.got["check"]
    return found


def test_82_a_call_whose_kernel_was_killed_is_taken_over_and_the_dead_is_named(tmp_path: Path) -> None:
    """The lock of a dead process is gone with it: nobody waits for a lease."""
    book = Notebook(tmp_path)
    cells = """
import os, time
@durable
def f(x):
    ran()
    while not os.path.exists("go"): time.sleep(0.01)
    return x + 1
# %%
got["value"] = f(1)
# %%
got["attempts"] = len(rnb.get(rnb.search("f/*")[0].id).attempts)
"""
    running = book.begin(cells)
    until(lambda: has_run(book), "the body")
    kill(running)
    first = running.end()
    assert (1, {}) == (first.runs, first.got)
    (book.folder / "go").touch()
    second, third = book.run(cells), book.run(cells)
    assert [2, 2] == [second.got["value"], third.got["value"]]
    assert [1, 0] == [second.runs, third.runs]
    assert re.search(rf"attempt 2, taken over after owner {first.pid} died", second.said)
    assert 2 == third.got["attempts"]
    assert [] == check(book)


@pytest.mark.parametrize("written", [1, 60_000_000, 150_000_000], ids=["begun", "a third", "most"])
def test_83_a_kernel_killed_while_a_large_result_is_written_leaves_nothing_that_is_used(
    written: int, tmp_path: Path
) -> None:
    """A row names a file only once the file is whole."""
    book = Notebook(tmp_path, ("numpy",))
    cells = """
import hashlib, numpy as np
@durable
def f():
    ran()
    return np.arange(25_000_000)
# %%
got["value"] = hashlib.blake2b(f().data).hexdigest()
"""
    running = book.begin(cells)
    values = tmp_path / "store" / "values"
    until(lambda: any(size(path) >= written for path in files(values)), "a value file")
    kill(running)
    killed = running.end()
    second, third = book.run(cells), book.run(cells)
    expected = hashlib.blake2b(b"".join(n.to_bytes(8, "little") for n in range(25_000_000))).hexdigest()
    assert [expected, expected] == [second.got["value"], third.got["value"]]
    assert 1 == killed.runs
    assert [1, 0] == [second.runs, third.runs]
    assert [] == check(book)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def said(running: Running) -> str:
    """What the session has said until now."""
    path = Path(running.job["said"])
    return path.read_text() if path.exists() else ""


def test_84_three_processes_that_make_one_call_at_once_run_it_once(tmp_path: Path) -> None:
    """The others wait for the one that runs, and say on whom when it takes long."""
    book = Notebook(tmp_path)
    cells = """
import os, time
@durable
def f(x):
    ran()
    while not os.path.exists("go"): time.sleep(0.01)
    return [x, os.getpid()]
# %%
open(f"ready.{os.getpid()}", "w").close()
while len([name for name in os.listdir() if name.startswith("ready.")]) < 3: time.sleep(0.005)
# %%
got["value"] = f(1)
"""
    running = [book.begin(cells) for _ in range(3)]
    until(lambda: 2 == sum("waiting for" in said(one) for one in running), "the waits of two")
    (book.folder / "go").touch()
    outcomes = [one.end() for one in running]
    assert 1 == (book.folder / "f.log").stat().st_size
    values = [outcome.got["value"] for outcome in outcomes]
    assert values[0] == values[1] == values[2]
    runner = values[0][1]
    assert runner in [outcome.pid for outcome in outcomes]
    waiters = [outcome for outcome in outcomes if outcome.pid != runner]
    assert all(f"runs in process {runner}" in outcome.said for outcome in waiters)
    assert [] == check(book)


def test_84_a_waiter_takes_over_from_the_one_it_waits_for_when_that_is_killed(tmp_path: Path) -> None:
    """The relative of 82 and 84: nothing waits for the dead."""
    book = Notebook(tmp_path)
    cells = """
import os, time
@durable
def f(x):
    ran()
    open("running", "w").close()
    while not os.path.exists("go"): time.sleep(0.01)
    return x + 1
# %%
got["value"] = f(1)
"""
    first = book.begin(cells)
    until(lambda: (book.folder / "running").exists(), "the body")
    second = book.begin(cells)
    until(lambda: "waiting for" in said(second), "the wait")
    kill(first)
    first.end()
    (book.folder / "go").touch()
    outcome = second.end()
    assert 2 == outcome.got["value"]
    assert 2 == (book.folder / "f.log").stat().st_size
    assert f"taken over after owner {first.pid} died" in outcome.said


def test_85_a_write_that_fails_gives_the_value_and_a_warning(tmp_path: Path) -> None:
    """A limit of the size of files stands in for a full disk."""
    book = Notebook(tmp_path, ("numpy",))
    cells = """
import numpy as np, resource
@durable
def f():
    ran()
    §
    return np.arange(500_000)
# %%
got["value"] = int(f().sum())
# %%
got["state"] = [(str(h.state)) for h in rnb.search("f/*")]
"""
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))"
    first = book.run(cells.replace("§", f"if not __import__('os').path.exists('room'): {limited}"))
    (book.folder / "room").touch()
    second = book.run(cells.replace("§", f"if not __import__('os').path.exists('room'): {limited}"))
    third = book.run(cells.replace("§", f"if not __import__('os').path.exists('room'): {limited}"))
    total = 500_000 * 499_999 // 2
    assert [total] * 3 == [outcome.got["value"] for outcome in (first, second, third)]
    assert [1, 1, 0] == [outcome.runs for outcome in (first, second, third)]
    assert "returned but not stored" in first.said
    assert ["resolved"] == first.got["state"]
    assert [] == check(book)


def value_file(book: Notebook) -> Path:
    (found,) = (path for path in files(book.place / "store" / "values") if path.stat().st_size > 100_000)
    return found


LARGE = """
import numpy as np
@durable
def f():
    ran()
    return np.arange(500_000)
# %%
got["value"] = int(f().sum())
"""
SUM = 500_000 * 499_999 // 2


@pytest.mark.parametrize("damage", ["cut", "gone", "flipped", "empty"])
def test_86_a_damaged_entry_is_computed_again(damage: str, tmp_path: Path) -> None:
    """Half a file, none, or other bytes: never a wrong value, never an error."""
    book = Notebook(tmp_path, ("numpy",))
    first = book.run(LARGE)
    path = value_file(book)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "gone":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    second, third = book.run(LARGE), book.run(LARGE)
    assert [SUM] * 3 == [outcome.got["value"] for outcome in (first, second, third)]
    assert [1, 1, 0] == [outcome.runs for outcome in (first, second, third)]
    assert "computed again" in second.said


class Planted:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.path), "w"))


def test_87_a_pickle_planted_in_a_value_file_is_never_loaded(tmp_path: Path) -> None:
    """Bytes that this user did not sign are not unpickled, whatever else is right about them."""
    book = Notebook(tmp_path, ("numpy",))
    book.run(LARGE)
    path = value_file(book)
    trace = tmp_path / "planted"
    payload = pickle.dumps(Planted(trace))
    path.write_bytes(payload.ljust(path.stat().st_size, b"\0"))
    second, third = book.run(LARGE), book.run(LARGE)
    assert [SUM, SUM] == [second.got["value"], third.got["value"]]
    assert [1, 0] == [second.runs, third.runs]
    assert 1 == second.said.count("DurableWarning: ")
    assert "not signed with your key" in second.said
    assert not trace.exists()


@pytest.mark.parametrize("how", ["other bytes", "another promise's", "an earlier generation's"])
def test_87_a_value_planted_in_a_row_is_never_loaded(how: str, tmp_path: Path) -> None:
    """A signature binds the bytes to their promise and to the version of its task."""
    book = Notebook(tmp_path)
    cells = "@durable\ndef f(x):\n    ran()\n    return [x + 1]\n# %%\ngot['value'] = [f(1), f(2)]§"
    first = book.run(cells.replace("§", "\nf.rerun(1)"))
    assert ([[2], [3]], 3) == (first.got["value"], first.runs)
    trace = tmp_path / "planted"
    with sqlite3.connect(tmp_path / "store" / database(tmp_path / "store")) as db:
        rows = db.execute(
            "SELECT row, generation, value_data, value_headers, signature FROM promises ORDER BY base, generation"
        ).fetchall()
        latest = {row: rest for row, *rest in rows}
        by_value = {row: pickle.loads(rest[1]) for row, rest in latest.items()}
        ones = sorted((row for row in by_value if by_value[row] == [2]), key=lambda row: latest[row][0])
        (two,) = (row for row in by_value if by_value[row] == [3])
        target = ones[-1]
        if how == "other bytes":
            data, (headers, signature) = pickle.dumps(Planted(trace)), latest[target][2:]
        elif how == "another promise's":
            data, headers, signature = latest[two][1:]
        else:
            data, headers, signature = latest[ones[0]][1:]
        db.execute(
            "UPDATE promises SET value_data = ?, value_headers = ?, signature = ?, value_size = ? WHERE row = ?",
            (data, headers, signature, len(data), target),
        )
    db.close()
    second, third = book.run(cells.replace("§", "")), book.run(cells.replace("§", ""))
    assert [[2], [3]] == second.got["value"] == third.got["value"]
    assert not trace.exists()
    assert [1, 0] == [second.runs, third.runs]
    assert 1 == second.said.count("DurableWarning: ")
    assert "not signed with your key" in second.said


def database(store: Path) -> str:
    (found,) = (
        path.name for path in store.iterdir() if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"
    )
    return found


def test_87_values_of_another_user_s_key_count_as_absent(tmp_path: Path) -> None:
    """A store from elsewhere is read by nobody's unpickler until it is trusted."""
    book = Notebook(tmp_path)
    cells = "@durable\ndef f(x):\n    ran()\n    return [x]\n# %%\ngot['value'] = f(1)"
    book.run(cells)
    second = book.run(cells, RESONATE_NB_KEY="somebody else")
    third = book.run(cells, RESONATE_NB_KEY="somebody else")
    assert [1, 0] == [second.runs, third.runs]
    assert [[1], [1]] == [second.got["value"], third.got["value"]]
    assert "not signed with your key" in second.said
