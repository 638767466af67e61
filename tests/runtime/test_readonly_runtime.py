"""A store that may only be read gives what it holds; what is missing runs, and is not stored, which is said once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disks import open_to_all, run

import resonate_nb as rnb
from resonate_nb import durable, runtime
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.errors import DurableWarning, ReadOnlyStoreError
from resonate_nb.store import Query, SqliteStore

runs: list[object] = []


@durable(ignore=("runs",))
def add(x: int) -> int:
    runs.append(x)
    return x + 1


@durable(ignore=("runs",))
def made(size: int) -> bytes:
    runs.append(size)
    return b"x" * size


@durable(keyed_by="call", ignore=("runs",))
def child(x: int) -> int:
    runs.append(x)
    return x


@durable(ignore=("runs",), tags={"kind": "parent"})
def parent(x: int) -> int:
    return child(x) + child(x + 1) + add(x)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A store that holds `add(1)`, `made(100_000)` and `parent(10)` and is read from here on."""
    path = tmp_path / "store"
    runtime.configure(store=path, durability="process")
    assert (2, 100_000, 32) == (add(1), len(made(100_000)), parent(10))
    runs.clear()
    reading(path)
    yield path
    runtime.engine().close()


def reading(path: Path) -> None:
    runtime.engine().close()
    runtime.configure(store=SqliteStore.open_to_read(path, clock=SystemClock()))


@contextmanager
def heard() -> Iterator[list[warnings.WarningMessage]]:
    """The warnings of a block."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # what the collector finds of earlier tests
        yield warned


def files(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_what_it_holds_is_hit(path: Path):
    """Small, large, and with children; nothing is said of it."""
    before = files(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rnb.DurableWarning)
        assert (2, 100_000, 32) == (add(1), len(made(100_000)), parent(10))
        assert 2 == add(1)
    assert [] == runs
    assert before == files(path)


def test_what_is_missing_runs_at_each_use_and_is_said_once(path: Path):
    """Once for the process, whatever the function and however often."""
    before = files(path)
    with heard() as warned:
        assert 2 * [3] == [add(2) for _ in range(2)]
        assert 5 == len(made(5))
        assert 3 == sum(child(x) for x in range(3))
        assert 62 == parent(20)
    assert [2, 2, 5, 0, 1, 2, 20, 21, 20] == runs
    (only,) = warned
    assert __file__ == only.filename
    assert str(only.message).startswith(f"the store '{path}' is read-only: what it holds is used, and nothing new ")
    assert "Make it writable and restart the kernel, or name another store with rnb.configure(" in str(only.message)
    assert before == files(path)


def test_a_rerun_runs_and_the_stored_result_stays(path: Path):
    with pytest.warns(DurableWarning, match="is read-only"):
        assert 2 == add.rerun(1)
    assert [1] == runs
    assert 2 == add(1)
    assert [1] == runs


def test_what_cannot_be_stored_anyway_says_nothing_more(path: Path):
    """It is not even looked at."""

    @durable(ignore=("runs",))
    def letters():
        return (letter for letter in "ab")

    with heard() as warned:
        assert ["a", "b"] == list(letters())
    assert 1 == len(warned)


def test_awaited_calls_retries_and_errors_are_as_everywhere(path: Path):
    tries: list[int] = []

    @durable(ignore=("runs",))
    async def fetch(x):
        runs.append(x)
        return x

    @durable(ignore=("tries",), retry=rnb.Constant(max_attempts=3, delay=0))
    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise OSError("busy")
        return len(tries)

    @durable
    def fails():
        raise KeyError("x")

    async def both():
        return await asyncio.gather(fetch(1), fetch(1))

    with heard() as warned:
        assert [1, 1] == asyncio.run(both())
        assert 3 == flaky()
        with pytest.raises(KeyError, match="x"):
            fails()
    assert 1 == len(warned)


@pytest.mark.usefixtures("path")
def test_a_deadline_is_one_without_a_row(monkeypatch: pytest.MonkeyPatch):
    has_begun = threading.Event()
    clock = ManualClock()
    monkeypatch.setattr(runtime.engine(), "clock", clock)

    @durable(timeout=0.05, ignore=("has_begun", "clock"))
    def slow():
        has_begun.set()
        clock.advance(50)
        threading.Event().wait()

    with heard() as warned, pytest.raises(rnb.DurableTimeoutError, match="timed out"):
        slow()
    assert has_begun.is_set()
    assert 1 == len(warned)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: rnb.forget("add/*"), id="forget by pattern"),
        pytest.param(lambda: add.forget(1), id="forget of a call"),
        pytest.param(lambda: made.forget(100_000), id="forget of a large value"),
        pytest.param(lambda: runtime.mark_rerun(add.get(1).id), id="mark"),
        pytest.param(lambda: rnb.check(repair=True), id="repair"),
    ],
)
def test_what_would_change_it_is_refused_with_the_way_out(path: Path, ask: Callable[[], object]):
    before = files(path)
    with pytest.raises(ReadOnlyStoreError, match=r"is read-only: .*configure\(store=...\) or RESONATE_NB_STORE"):
        ask()
    assert before == files(path)


def test_looking_is_as_everywhere(path: Path):
    assert ["parent"] == [handle.tags["kind"] for handle in rnb.search(tags={"kind": "parent"})]
    assert 2 == rnb.get(add.get(1).id).result()
    assert len(rnb.search()) == len(rnb.to_frame()) == len(runtime.source().look(Query()))
    assert rnb.check().is_sound
    assert ["resolved"] == [attempt.outcome for attempt in add.get(1).attempts]
    assert add.get(5) is None
    runtime.source().watch(print)()


def test_another_store_can_be_named(path: Path, tmp_path: Path):
    runtime.configure(store=tmp_path / "other", durability="process")
    assert [3, 3] == [add(2), add(2)]
    assert [2] == runs


WRITER = """
import sys
import resonate_nb as rnb
from resonate_nb import durable

@durable(id="shared", version=1)
def shared():
    print("in the middle", flush=True)
    sys.stdin.readline()
    return "theirs"

rnb.configure(store=sys.argv[1], durability="process")
shared()
"""


@pytest.mark.slow
def test_what_a_writer_runs_is_waited_for(path: Path, tmp_path: Path):
    """Another process may write there; its value is seen as soon as it is settled."""

    @durable(id="shared", version=1, ignore=("runs",))
    def shared():
        runs.append("shared")
        return "ours"

    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writer = subprocess.Popen([sys.executable, str(script), str(path)], text=True, **pipes)
    assert writer.stdin is not None
    assert writer.stdout is not None
    assert "in the middle\n" == writer.stdout.readline()
    assert "running" == rnb.get("shared").record.shown.value
    values: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runtime.configure(enabled=True)
        waiter = threading.Thread(target=lambda: values.append(shared()))
        waiter.start()
        writer.communicate("\n")
        waiter.join()
    assert (["theirs"], []) == (values, runs)


READING = """
import contextlib, io
import filled
from IPython.core.interactiveshell import InteractiveShell

CELL = "%%durable first --ignore runs\\nruns.append(1)\\na = [1]\\nprint('one')"
OTHER = "%%durable other --ignore runs\\nruns.append(2)\\nb = [2]\\nprint('two')"
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "resonate_nb")
shell.user_ns["runs"] = []

def cell(text):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        result = shell.run_cell(text)
    return out.getvalue()

@durable
def f(x):
    return x + 1

cell(CELL)
f(1)
rnb.configure(store=STORE)
shell.user_ns["runs"].clear()
filled.read_only()
said["values"] = [f(1), f(2), f(2)]
said["cells"] = [cell(CELL), cell(OTHER), cell(OTHER), shell.user_ns["a"], shell.user_ns["b"]]
said["runs"] = shell.user_ns["runs"]
said["magics"] = [cell(f"%durable {word}") for word in ("ls", "show first", "check", "rerun first", "forget first/*")]
filled.read_only(False)
"""


@pytest.mark.slow
def test_a_process_without_the_right_to_write():
    """A real one: of another user, if the tests run as root. Functions, a cell, the magics."""
    with open_to_all() as folder:
        ran = run("limit", folder, READING)
    assert [2, 3, 3] == ran.said["values"]
    first, other, again, a, b = ran.said["cells"]
    assert "replayed" in first
    assert ["two\n", "two\n"] == [other, again]
    assert ([1], [2], [2, 2]) == (a, b, ran.said["runs"])
    listed, shown, checked, rerun, forgotten = ran.said["magics"]
    assert "first" in listed
    assert "first" in shown
    assert "sound" in checked
    assert "is read-only" in rerun
    assert "is read-only" in forgotten
    (warning,) = ran.warned
    assert warning.startswith(f"the store '{folder}/room/store' is read-only: ")
    assert f"[resonate_nb] store: {folder}/room/store (read-only)" in ran.lines
