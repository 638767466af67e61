"""Several processes over one store: killed owners, waiters, races. Real processes, real SIGKILL."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STEP = """
import os, sys, time
from resonate_nb import durable
import resonate_nb as rnb

rnb.configure(durability="process")

def note(line):
    with open("runs.log", "a") as log:
        log.write(line + "\\n")

@durable(ignore=("note",))
def step(x):
    note(f"run {x}")
    if os.path.exists("hold"):
        print("in the middle", flush=True)
        sys.stdin.readline()
    return {"x": x, "by": "whoever ran it"}
"""


class Folder:
    """One working directory with its store; every script in it is a process of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def start(self, body: str, *arguments: str) -> subprocess.Popen[str]:
        self.count += 1
        # A file for each text, written once: another process may be about to read it.
        script = self.path / f"script{zlib.crc32(body.encode())}.py"
        if not script.exists():
            script.write_text(STEP + body)
        return subprocess.Popen(
            [sys.executable, script.name, *arguments],
            cwd=self.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(self.path / "store")},
        )

    def run(self, body: str) -> tuple[str, str]:
        process = self.start(body)
        out, err = process.communicate("\n", timeout=300)
        assert 0 == process.returncode, err
        return out, err

    @property
    def runs(self) -> list[str]:
        log = self.path / "runs.log"
        return log.read_text().split("\n")[:-1] if log.exists() else []

    def hold(self, on: bool) -> None:
        if on:
            (self.path / "hold").touch()
        else:
            (self.path / "hold").unlink()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_result_outlives_its_process(folder: Folder):
    out, _ = folder.run("print(step(1)['x'])\nos.kill(os.getpid(), 9) if False else None")
    again, _ = folder.run("print(step(1)['x'])")
    assert ("1\n", "1\n") == (out, again)
    assert ["run 1"] == folder.runs


def test_a_process_killed_right_after_the_call_has_lost_nothing(folder: Folder):
    process = folder.start("step(1)\nprint('returned', flush=True)\nos.kill(os.getpid(), 9)")
    out, _ = process.communicate(timeout=300)
    assert ("returned\n", -signal.SIGKILL) == (out, process.returncode)
    folder.run("step(1)")
    assert ["run 1"] == folder.runs


def test_a_killed_owner_is_replaced_at_once_and_named(folder: Folder):
    folder.hold(True)
    owner = folder.start("step(1)")
    assert "in the middle\n" == owner.stdout.readline()
    owner.send_signal(signal.SIGKILL)
    owner.wait(60)
    folder.hold(False)
    out, err = folder.run("print(step(1)['x'], [a.outcome for a in step.get(1).attempts])")
    assert "1 ['lost', 'resolved']\n" == out
    assert f"attempt 2, taken over after owner {owner.pid} died" in err
    assert ["run 1", "run 1"] == folder.runs


def test_others_wait_say_for_whom_and_get_the_value(folder: Folder):
    folder.hold(True)
    owner = folder.start("print(step(1)['x'])")
    assert "in the middle\n" == owner.stdout.readline()
    waiters = [folder.start("print(step(1)['x'])") for _ in range(2)]
    for waiter in waiters:
        line = next(line for line in waiter.stderr if "waiting for" in line)
        assert f"runs in process {owner.pid}" in line
    owner.communicate("\n", timeout=300)
    assert ["1\n", "1\n"] == [waiter.communicate(timeout=300)[0] for waiter in waiters]
    assert ["run 1"] == folder.runs


def test_a_waiter_takes_over_when_the_owner_is_killed(folder: Folder):
    folder.hold(True)
    owner = folder.start("step(1)")
    assert "in the middle\n" == owner.stdout.readline()
    waiter = folder.start("print(step(1)['x'])")
    next(line for line in waiter.stderr if "waiting for" in line)
    folder.hold(False)
    owner.send_signal(signal.SIGKILL)
    assert "1\n" == waiter.communicate(timeout=300)[0]
    assert ["run 1", "run 1"] == folder.runs


def test_a_stopped_owner_is_replaced_after_its_lease_and_refused_when_it_goes_on(folder: Folder):
    """While its lease lasts a stopped process may go on; a lapsed lease alone, without a stop, takes nothing away."""
    folder.hold(True)
    owner = folder.start("print(step(1)['x'])")
    assert "in the middle\n" == owner.stdout.readline()
    folder.hold(False)
    running = "from resonate_nb.runtime import engine\nprint(engine().tasks.is_owned(engine().find(step.get(1).id)))"
    database = sqlite3.connect(folder.path / "store" / "promises.db")
    assert "True\n" == folder.run(running)[0]
    owner.send_signal(signal.SIGSTOP)
    assert owner.pid == os.waitpid(owner.pid, os.WUNTRACED)[0]
    assert "True\n" == folder.run(running)[0]
    told = "from resonate_nb.runtime import _whom, engine\nprint(_whom.whom(engine(), engine().find(step.get(1).id)))"
    assert re.match(rf"runs in process {owner.pid} on .*, which is stopped, for ", folder.run(told)[0])
    with database:  # each waiter's own clock measures the lease, from when it sees the stop
        assert 1 == database.execute("UPDATE promises SET lease_ms = 50").rowcount
    out, err = folder.run("print(step(1)['x'])")
    assert "1\n" == out
    assert f"attempt 2, taken over after owner {owner.pid} was stopped for a whole lease" in err
    owner.send_signal(signal.SIGCONT)
    out, err = owner.communicate("\n", timeout=300)
    assert "1\n" == out
    assert "another owner took it over" in err
    assert "1 ['lost', 'resolved']\n" == folder.run("print(step(1)['x'], [a.outcome for a in step.get(1).attempts])")[0]
    assert ["run 1", "run 1"] == folder.runs


def test_a_lapsed_lease_takes_nothing_from_an_owner_that_lives(folder: Folder):
    """A long call into C starves the heartbeat: the lock is what counts."""
    folder.hold(True)
    owner = folder.start("step(1)")
    assert "in the middle\n" == owner.stdout.readline()
    with sqlite3.connect(folder.path / "store" / "promises.db") as database:
        database.execute("UPDATE promises SET lease_until = 1")
    waiter = folder.start("print(step(1)['x'])")
    assert any(f"runs in process {owner.pid}" in line for line in waiter.stderr)
    owner.communicate("\n", timeout=300)
    assert "1\n" == waiter.communicate(timeout=300)[0]
    assert ["run 1"] == folder.runs


def test_an_interrupted_process_gives_the_task_back(folder: Folder):
    folder.hold(True)
    owner = folder.start("step(1)")
    assert "in the middle\n" == owner.stdout.readline()
    owner.send_signal(signal.SIGINT)
    _, err = owner.communicate(timeout=300)
    assert "KeyboardInterrupt" in err
    folder.hold(False)
    out, _ = folder.run(
        "h = step.get(1)\nprint(h.state, h)\nprint(step(1)['x'], [a.outcome for a in step.get(1).attempts])"
    )
    assert "pending" in out
    assert "interrupted>" in out
    assert "1 ['interrupted', 'resolved']\n" == out.splitlines(keepends=True)[-1]


def test_an_interrupt_ends_an_awaited_body(folder: Folder):
    process = folder.start(
        """
import asyncio
@durable
async def slow():
    print("in the middle", flush=True)
    await asyncio.sleep(60)

async def main():
    try:
        await slow()
    except asyncio.CancelledError:
        print("cancelled", slow.get(), flush=True)

asyncio.run(main())
"""
    )
    assert "in the middle\n" == process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert "cancelled" in out
    assert "interrupted" in out


def test_a_race_of_processes_runs_each_promise_once(folder: Folder):
    processes = [folder.start("print(sum(step(x)['x'] for x in range(20)))") for _ in range(4)]
    assert ["190\n"] * 4 == [process.communicate(timeout=300)[0] for process in processes]
    assert sorted(f"run {x}" for x in range(20)) == sorted(folder.runs)


def test_a_planted_value_is_not_unpickled(folder: Folder):
    folder.run("step(1)")
    out, err = folder.run(
        """
import pickle, sqlite3
class Evil:
    def __reduce__(self):
        return (open, ("pwned", "w"))
db = sqlite3.connect(next(p for p in __import__("pathlib").Path("store").iterdir() if p.suffix == ".db"))
columns = [row[1] for row in db.execute("pragma table_info(promises)")]
name = next(c for c in columns if "value" in c and "data" in c)
with db:
    db.execute(f"update promises set {name} = ?", (pickle.dumps(Evil()),))
print(step(1)["x"], os.path.exists("pwned"))
"""
    )
    assert "1 False\n" == out
    assert "not signed with your key" in err
    assert ["run 1", "run 1"] == folder.runs


def test_a_forked_child_asks_like_any_other_process(folder: Folder):
    out, _ = folder.run(
        """
step(1)
pid = os.fork()
if pid == 0:
    step(1); step(2)
    os._exit(0)
os.waitpid(pid, 0)
step(2)
print("ok")
"""
    )
    assert "ok\n" == out
    assert ["run 1", "run 2"] == folder.runs


RING = """
import sys
@durable(name="left", version=1)
def left():
    if "left" in sys.argv:
        print("in the middle", flush=True)
        sys.stdin.readline()
    return right()

@durable(name="right", version=1)
def right():
    if "right" in sys.argv:
        print("in the middle", flush=True)
        sys.stdin.readline()
    return left()

try:
    (left if "left" in sys.argv else right)()
except rnb.ResonateNbError as error:
    print(error, flush=True)
"""


def test_two_processes_that_wait_for_each_other_are_refused(folder: Folder):
    """Neither can see the other's waits in memory: the store must tell."""
    both = [folder.start(RING, side) for side in ("left", "right")]
    for process in both:
        assert "in the middle\n" == process.stdout.readline()
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    outs = [process.communicate(timeout=300)[0] for process in both]
    assert all("would wait for itself" in out for out in outs), outs
