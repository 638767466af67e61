"""What is to be seen of a wait: who waits for whom, in this process, and whether the owner runs at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bodies import Work

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine, Record, Shown, record_of


def record(id: str) -> Record:
    found = rnb.get(id)
    assert found is not None
    return found.record


def until(engine: Engine, is_so: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if is_so():
            return
        engine.feed.wait(engine.feed.now(), 0.01)
    raise AssertionError("it never was so")


def test_a_body_that_waits_for_a_promise_is_shown_as_waiting_and_the_promise_as_awaited(
    engine: Engine, work: Work
) -> None:
    @durable(id="inner", ignore=("work",))
    def inner() -> int:
        work()
        return 1

    @durable(id="outer")
    def outer() -> int:
        return inner() + 1

    @durable(id="around")
    def around() -> int:
        return outer() + 1

    work.begin(inner)
    assert (Shown.RUNNING, False, True) == (
        record("inner").shown,
        record("inner").is_awaited,
        record("inner").is_ours,
    )
    other = threading.Thread(target=around)
    other.start()
    until(engine, lambda: bool(rnb.search("outer*")) and record("outer").shown is Shown.WAITING)
    assert record("outer").waits_for == (record("inner").promise.id,)
    assert repr(rnb.get("outer")).endswith(f" waiting for {record('inner').promise.id!r}>")
    assert (Shown.RUNNING, True) == (record("inner").shown, record("inner").is_awaited)
    # The call around it waits for nobody: it runs a step.
    assert (Shown.RUNNING, ()) == (record("around").shown, record("around").waits_for)
    assert {"around": "running", "inner": "running", "outer": "waiting"} == {
        id.partition("@")[0]: shown for id, shown in rnb.to_frame()[["id", "shown"]].itertuples(index=False)
    }
    work.go.set()
    other.join(60)
    assert [(Shown.RESOLVED, (), False)] * 3 == [
        (found.shown, found.waits_for, found.is_awaited) for found in map(record, ("inner", "outer", "around"))
    ]


def test_a_wait_outside_of_any_call_is_seen_on_the_promise(engine: Engine, work: Work) -> None:
    @durable(id="inner", ignore=("work",))
    def inner() -> None:
        work()

    work.begin(inner)
    handle = rnb.get("inner")
    assert handle is not None
    waiters = [threading.Thread(target=handle.wait) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
    until(engine, lambda: handle.record.is_awaited)
    assert () == handle.record.waits_for
    work.go.set()
    for waiter in waiters:
        waiter.join(60)
    assert not handle.record.is_awaited


def test_a_promise_that_settles_between_two_glances_is_not_taken_for_an_interrupted_one(
    engine: Engine, work: Work
) -> None:
    """With thousands of short calls many end between the look at their rows and the question who runs them."""

    @durable(id="short", ignore=("work",))
    def short() -> None:
        work()

    work.begin(short)
    read_before = record("short").promise
    work.go.set()
    work.threads[0].join(60)
    assert Shown.RESOLVED is record_of(engine, read_before).shown


OWNER = """
import sys
import resonate_nb as rnb

@rnb.durable(id="held")
def held():
    print("runs", flush=True)
    sys.stdin.read()

held()
"""


@pytest.mark.slow
def test_an_owner_that_is_stopped_is_seen_as_such(disk: Engine, tmp_path: Path) -> None:
    (tmp_path / "owner.py").write_text(OWNER)
    environment = {**os.environ, "RESONATE_NB_STORE": str(disk.store.path)}
    owner = subprocess.Popen(
        [sys.executable, "owner.py"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "runs\n"

    def seen() -> tuple[Shown, bool, bool]:
        found = record("held")
        return found.shown, found.is_ours, found.is_stopped

    assert (Shown.RUNNING, False, False) == seen()
    os.kill(owner.pid, signal.SIGSTOP)
    os.waitpid(owner.pid, os.WUNTRACED)
    assert (Shown.RUNNING, False, True) == seen()
    os.kill(owner.pid, signal.SIGCONT)
    owner.communicate()
    assert (Shown.RESOLVED, False, False) == seen()
