"""A result that cannot be stored is its caller's all the same: said with its place in the value and the way out."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bodies import when_said
from disks import open_to_all, run

import resonate_nb as rnb
from resonate_nb import durable, runtime
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import State
from resonate_nb.store import SqliteStore

runs: list[object] = []


class Reduced:
    """Whoever pickles it is told off."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Stale:
    """It is pickled, and does not come back."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@contextmanager
def heard() -> Iterator[list[str]]:
    """The texts of the warnings of a block."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # what the collector finds of earlier tests
        yield texts
    texts += [str(each.message) for each in warned]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda: {"rows": [1, sys.__stdout__]}, "['rows'][1]: an io.TextIOWrapper cannot", id="open file"),
        pytest.param(lambda: (x for x in "ab"), "a generator cannot be stored", id="generator"),
        pytest.param(lambda: [threading.Lock()], "[0]: a thread.lock cannot be stored", id="lock"),
        pytest.param(lambda: {"a": Reduced(OSError("no"))}, "['a']: a ", id="pickling raises"),
        pytest.param(lambda: Reduced(Unspeakable()), "Unspeakable", id="pickling raises what cannot be said"),
        pytest.param(lambda: [Reduced(MemoryError())], "(MemoryError)", id="no memory"),
        pytest.param(lambda: nested(100_000), "nested too deeply", id="nested"),
        pytest.param(Stale, "does not come back", id="does not come back"),
    ],
)
def test_what_cannot_be_pickled_is_returned(make: Callable[[], Any], said: str):
    """The row says that it was not stored, and why; the next use runs again, and so does the one after it."""
    makes = [make() for _ in range(3)]

    @durable(name="f", id="f", version=1, ignore=("makes", "runs"))
    def f():
        runs.append("f")
        return makes[-1]

    runs.clear()
    with heard() as warned:
        assert makes[-1] is f()
        assert makes[-1] is f()
    assert 2 * ["f"] == runs
    assert warned[0].startswith("f: the value is returned but not stored: ")
    assert said in warned[0]
    # The line before it says why it runs again, which is the same reason.
    assert ["f: again the value is returned but not stored"] == warned[1:]
    handle = rnb.get("f")
    assert (State.RESOLVED, 2) == (handle.state, len(rnb.search("f*")))
    assert handle.record.again == (f"not stored: {warned[0].partition('not stored: ')[2]}",)
    assert "<Handle 'f@1~2' resolved, not stored>" == repr(handle)
    with pytest.raises(rnb.NotStoredError, match=r"the value of 'f@1~2' was not stored \("):
        handle.result()
    with heard() as warned:
        assert handle.exception() is None
    assert [] == warned


@pytest.mark.usefixtures("disk")
def test_an_awaited_result_is_as_well():
    @durable
    async def f():
        return (x for x in "ab")

    with heard() as warned:
        assert ["a", "b"] == list(asyncio.run(f()))
    assert 1 == len(warned)


@pytest.mark.usefixtures("disk")
def test_a_child_that_cannot_be_stored_runs_again_and_no_other_does():
    @durable(name="child", keyed_by="call", ignore=("runs",))
    def child(x):
        runs.append(x)
        return (each for each in [x]) if x == 2 else [x]

    @durable(ignore=("runs",))
    def parent():
        found = [next(iter(child(x))) for x in (1, 2, 3)]
        runs.append("parent")
        if runs.count("parent") == 1:
            raise KeyboardInterrupt
        return found

    runs.clear()
    with heard() as warned:
        with pytest.raises(KeyboardInterrupt):
            parent()
        assert [1, 2, 3] == parent()
    assert [1, 2, 3, "parent", 2, "parent"] == runs
    assert warned[0].startswith("child: the value is returned but not stored: ")
    assert "child: again the value is returned but not stored" in warned


@pytest.mark.slow
@pytest.mark.usefixtures("disk")
def test_whoever_waits_for_it_runs_the_body_itself(caplog: pytest.LogCaptureFixture):
    """Each gets a value of its own, that nobody else has used up."""
    caplog.set_level("INFO", logger="resonate_nb")
    values: list[list[str]] = []

    @durable(id="letters", version=1, ignore=("runs", "is_waiting", "waiter"))
    def letters():
        runs.append("letters")
        if len(runs) == 1:
            waiter.start()
            is_waiting.wait(60)
        return (letter for letter in "ab")

    waiter = threading.Thread(target=lambda: values.append(list(letters())))
    runs.clear()
    with heard() as warned, when_said("waiting for") as is_waiting:
        values.append(list(letters()))
        waiter.join(60)
    assert 2 * [["a", "b"]] == values
    assert 2 == len(runs)
    assert 2 == len(warned)


def test_what_is_larger_than_a_row_may_be_is_returned(disk: runtime.Engine):
    """The value, or what goes with it: the row is written without them."""

    @durable(name="f", id="f/{size}", version=1)
    def f(size):
        return "x" * size

    f(1)
    connection = disk.store._directory.pool.writer().connection
    before = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    with heard() as warned:
        assert 15_000 == len(f(15_000))
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
    (warning,) = warned
    assert warning.startswith("f: the value is returned but not stored: the store '")
    assert "a row is larger than SQLite allows" in warning
    assert (State.RESOLVED, 1) == (f.get(15_000).state, len(f.get(15_000).record.again))
    assert 15_000 == len(f(15_000)) == len(f(15_000))
    assert () == f.get(15_000).record.again


@pytest.mark.slow
def test_without_memory_for_its_bytes_a_value_is_returned(tmp_path: Path):
    """A real limit: the pickle would be as large as the value."""
    ran = run(
        "limit",
        tmp_path,
        """
import resource

runs = []

@durable(ignore=("runs", "tighten"))
def f():
    runs.append(1)
    value = {"image": bytearray(200_000_000)}
    tighten()
    return value

def tighten():
    with open("/proc/self/statm") as status:
        used = int(status.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))

value = f()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
said["size"] = len(value["image"])
said["again"] = f.get().record.again
""",
    )
    assert 200_000_000 == ran.said["size"]
    (warning,) = ran.warned
    assert warning.startswith("f: the value is returned but not stored: ")
    assert "MemoryError" in warning
    assert 1 == len(ran.said["again"])


def test_a_store_that_is_deleted_while_the_body_runs_costs_no_value(tmp_path: Path):
    """What was computed is returned, and it is said that nothing is stored any more."""
    path, clock = tmp_path / "store", ManualClock()
    runtime.configure(store=SqliteStore.open(path, durability="process", clock=clock))

    def delete() -> None:
        shutil.rmtree(path)
        clock.advance(1000)

    @durable(name="small", ignore=("delete",))
    def small(x):
        delete()
        return x

    with heard() as warned:
        assert 1 == small(1)
    (warning,) = warned
    assert warning.startswith(f"small: the value is returned but not stored: the store '{path}' was deleted while ")
    assert warning.endswith("Restart the kernel, or go on with a new one: rnb.configure(store=...).")
    assert not path.exists()
    runtime.engine().close()


def test_a_failure_while_the_store_is_deleted_is_raised(tmp_path: Path):
    """The error is the body's, not ours."""
    path, clock = tmp_path / "store", ManualClock()
    runtime.configure(store=SqliteStore.open(path, durability="process", clock=clock))

    def delete() -> None:
        shutil.rmtree(path)
        clock.advance(1000)

    @durable(name="fails", ignore=("delete",))
    def fails():
        delete()
        raise KeyError("mine")

    with heard() as warned, pytest.raises(KeyError, match="mine"):
        fails()
    (warning,) = warned
    assert warning.startswith(f"fails: what it raised is not stored: the store '{path}' was deleted")
    runtime.engine().close()


@pytest.mark.slow
class TestWithoutPermission:
    """In processes of a user to whom the system can refuse something."""

    def test_a_value_file_that_may_not_be_read_is_computed_again(self):
        """Once, and stored under the next generation; the file is left alone."""
        with open_to_all() as folder:
            ran = run(
                "limit",
                folder,
                """
import filled

runs = []

@durable(ignore=("runs",))
def f(x):
    runs.append(x)
    return b"x" * x

f(100_000)
rnb.configure(store=STORE)
filled.as_nobody()
values = os.path.join(STORE, "values")
for name in os.listdir(values):
    os.chmod(os.path.join(values, name), 0)
said["values"] = [len(f(100_000)), len(f(100_000))]
said["runs"] = runs
said["files"] = len(os.listdir(values))
""",
            )
        assert {"values": [100_000, 100_000], "runs": [100_000, 100_000], "files": 2} == ran.said
        (warning,) = ran.warned
        assert warning.startswith("f: the value file '")
        assert warning.endswith("cannot be read (Permission denied); it is computed again")

    def test_without_the_key_calls_run_plainly_and_no_stored_value_is_hidden(self):
        """A hit cannot be verified, and a new result not be signed."""
        with open_to_all() as folder:
            key = folder / "key"
            ran = run(
                "limit",
                folder,
                """
import filled

runs = []

@durable(ignore=("runs",))
def f(x):
    runs.append(x)
    return x

elsewhere()
os.close(os.open(os.environ["RESONATE_NB_KEY_FILE"], os.O_CREAT, 0))
filled.as_nobody()
said["without"] = [f(1), f(1), f(2)]
said["runs"] = list(runs)
try:
    f.get(1).result()
except rnb.StoreError as error:
    said["error"] = str(error)
said["promises"] = len(rnb.search())
os.environ["RESONATE_NB_KEY"] = "tests"
rnb.configure(store=STORE)
said["with"] = [f(1), f(2), f(2)]
""",
                elsewhere="""
os.environ["RESONATE_NB_KEY"] = "tests"

@durable(ignore=("runs",))
def f(x):
    runs.append(x)
    return x

runs = []
f(1)
""",
                RESONATE_NB_KEY="",
                RESONATE_NB_KEY_FILE=str(key),
            )
        error = ran.said.pop("error")
        assert {"without": [1, 1, 2], "runs": [1, 1, 2], "promises": 1, "with": [1, 2, 2]} == ran.said
        (warning,) = ran.warned
        assert warning.startswith(
            "f runs plainly, not durably: the key that signs stored values cannot be read or kept"
        )
        assert f"'{key}' (Permission denied); set RESONATE_NB_KEY_FILE to a file that you can write" in warning
        assert error.startswith("the key that signs stored values cannot be read or kept at ")

    @pytest.mark.parametrize("where", ["ROOM", "STORE"])
    def test_a_folder_that_may_not_be_entered_or_written_stops_no_call(self, where: str):
        """And as soon as it may be, results are stored."""
        with open_to_all() as folder:
            ran = run(
                "limit",
                folder,
                f"""
import filled

@durable
def f(x):
    return x

os.mkdir(STORE)
filled.as_nobody()
os.chmod({where}, 0o500 if {where} == ROOM else 0)
said["values"] = [f(1), f(1)]
os.chmod({where}, 0o700)
said["later"] = [f(1), f(1)]
said["promises"] = len(rnb.search())
""",
            )
        assert {"values": [1, 1], "later": [1, 1], "promises": 1} == ran.said

    def test_permissions_that_are_taken_away_while_the_body_runs_cost_no_value(self):
        """What is open stays open; where a file is needed it is said."""
        with open_to_all() as folder:
            ran = run(
                "limit",
                folder,
                """
import filled

@durable(ignore=("filled",))
def f(x):
    filled.read_only()
    return b"x" * x

filled.as_nobody()
f.get(1)
said["values"] = [len(f(100_000))]
filled.read_only(False)
said["values"] += [len(f(100_000))]
filled.read_only(False)
""",
            )
        assert {"values": [100_000, 100_000]} == ran.said
        assert all(each.startswith("f: the value is returned but not stored: the store '") for each in ran.warned)
        assert "access is denied" in ran.warned[0]


@pytest.mark.slow
def test_a_cell_that_binds_what_cannot_be_stored_runs_again(tmp_path: Path):
    """Its names are bound, the variable is named, and it is not replayed with a name missing."""
    ran = run(
        "limit",
        tmp_path,
        """
import contextlib, io
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "resonate_nb")
shell.user_ns["runs"] = []

def cell(text):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        shell.run_cell(text).raise_error()
    return out.getvalue()

LOCK = "%%durable first --ignore runs\\nimport threading\\nruns.append(1)\\nlock = [threading.Lock()]\\nprint('one')"
said["outputs"] = [cell(LOCK), cell(LOCK)]
said["runs"] = shell.user_ns["runs"]
said["lock"] = repr(shell.user_ns["lock"])
""",
    )
    assert [1, 1] == ran.said["runs"]
    assert ran.said["lock"].startswith("[<unlocked _thread.lock")
    assert all("one\n" in each for each in ran.said["outputs"])
    everything = "".join([*ran.said["outputs"], *ran.warned, *ran.lines])
    assert "lock" in everything
    assert "cannot be stored" in everything
