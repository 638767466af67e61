"""What is to be seen of a call that is tried again: between two tries, after the last, and in the log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.runtime import Engine, Shown, speak_on
from resonate_nb.runtime._whom import whom

T0 = 1_700_000_000_000


@pytest.fixture
def clock(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    found = ManualClock(T0)
    monkeypatch.setattr(engine, "clock", found)
    return found


class Between:
    """A call that has failed once, in another thread, and waits a minute by the engine's clock before its next try."""

    def __init__(self, engine: Engine) -> None:
        failed = threading.Event()
        self.runs: list[int] = []
        runs = self.runs

        @durable(
            id="sync",
            name="sync",
            version=1,
            retry=rnb.Constant(3, delay=60),
            timeout="10m",
            tags={"team": "growth"},
            ignore=("failed", "runs"),
        )
        def sync() -> int:
            runs.append(1)
            if len(runs) == 1:
                failed.set()
                raise ConnectionError("503")
            return 7

        self.thread = threading.Thread(target=sync)
        self.thread.start()
        failed.wait(60)
        self.handle = sync.get()
        self.until(engine, lambda: self.handle.attempts[0].outcome is not None)

    def until(self, engine: Engine, is_so: Callable[[], bool]) -> None:
        while not is_so():
            engine.feed.wait(engine.feed.now(), 0.1)


@pytest.mark.slow
def test_between_two_tries_it_is_shown_as_retrying(
    engine: Engine, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "resonate_nb"):
        between = Between(engine)
        handle = between.handle
        record = handle.record
        assert (Shown.RETRYING, T0 + 60_000, T0 + 600_000) == (record.shown, record.retry_at, record.timeout_at)
        assert "<Handle 'sync@1' retrying in 1 m 00 s, times out in 10 m 00 s, team=growth>" == repr(handle)
        told = whom(engine, engine.find("sync@1") or record.promise)
        assert told.startswith("attempt 1 failed, retrying in 1 m 00 s in this process on ")
        assert told.endswith("; times out in 10 m 00 s")
        assert [("failed", "ConnectionError: 503", T0 + 60_000)] == [
            (attempt.outcome, attempt.error, attempt.retry_at) for attempt in handle.attempts
        ]
        between.until(engine, lambda: any(", retrying in" in line for line in caplog.messages))
        clock.advance(60_000)
        between.thread.join(60)
    assert [(1, "failed", T0), (2, "resolved", T0 + 60_000)] == [
        (attempt.number, attempt.outcome, attempt.started_at) for attempt in handle.attempts
    ]
    assert ("<Handle 'sync@1' resolved, attempt 2, team=growth>", 7) == (repr(handle), handle.result())
    assert "[<Attempt 1 failed after 0 s: ConnectionError: 503>, <Attempt 2 resolved after 0 s>]" == repr(
        handle.attempts
    )
    assert [
        "sync@1: raised ConnectionError, 0 ms: attempt 1 of 3, retrying in 1 m 00 s",
        "sync: attempt 1 of 3 failed, retrying in 1 m 00 s (ConnectionError: 503)",
        "sync@1: ran, 0 ms: first run",
    ] == [line for line in caplog.messages if "sync" in line]


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
def test_a_wait_that_is_interrupted_says_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The countdown stands before an error of any length: a terminal cuts the end of a line that it rewrites."""
    told: list[str | None] = []

    class OnPage:
        end = staticmethod(told.append)

        def update(self, text: str) -> None:
            told.append(text)
            signal.raise_signal(signal.SIGINT)

    @durable(name="sync", retry=rnb.Constant(3, delay=3600))
    def sync() -> None:
        raise ConnectionError("no route to host " * 100)

    monkeypatch.setattr(sys, "stderr", None)  # the store's own line
    speak_on(lambda line: True, lambda text: OnPage())
    try:
        with pytest.raises(KeyboardInterrupt):
            sync()
    finally:
        speak_on(None)
    why = f"ConnectionError: {'no route to host ' * 7}"[:119].rstrip() + "…"
    assert [
        f"[resonate_nb] sync: attempt 1 of 3 failed, retrying in 1 h 00 m ({why})",
        f"[resonate_nb] sync: attempt 1 of 3 failed ({why}); interrupted: its next call goes on to attempt 2",
    ] == told


@pytest.mark.slow
def test_each_call_has_one_line_that_says_why(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    @durable(id="{x}", version=1, name="half")
    def half(x: int) -> float:
        return 1 / x

    @durable(version=1, name="late", timeout=0.05, ignore=("clock",))
    def late() -> None:
        clock.advance(50)

    @durable(name="all")
    def reads_a_stream() -> bool:
        return stream.closed

    with open(os.devnull) as stream, caplog.at_level("DEBUG", "resonate_nb"):
        half(2)
        half(2)
        half.rerun(2)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                half(0)
        with pytest.raises(rnb.DurableTimeoutError):
            late()
        with pytest.warns(rnb.DurableWarning, match="stream"):
            reads_a_stream()
    lines = [re.sub(r"\d+ ms", "_ ms", record.message) for record in caplog.records if record.levelname == "DEBUG"]
    (undurable,) = lines[6:]
    assert undurable.startswith("all: runs plainly: ")
    assert lines[:6] == [
        "half (2@1): ran, _ ms: first run",
        "half (2@1): hit, _ ms saved",
        "half (2@1~2): ran, _ ms: rerun asked for",
        "half (0@1): raised ZeroDivisionError, _ ms: first run with these arguments",
        "half (0@1~2): raised ZeroDivisionError, _ ms: it raised last time",
        "late/0000000000000000@1: timed out, _ ms: first run",
    ]


FLAKY = """
import sys
from pathlib import Path
import resonate_nb as rnb
rnb.configure(durability="process")

@rnb.durable(name="flaky", version=1, id="flaky", retry=rnb.Constant(3, delay=2), ignore=("Path",))
def flaky():
    runs = Path("runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    if len(runs.read_text()) < 3:
        raise ConnectionError("503")
    return 7

if sys.argv[1] == "run":
    print(flaky())
handle = flaky.get()
print(handle)
print([(attempt.number, attempt.outcome) for attempt in handle.attempts])
"""


@pytest.mark.slow
def test_who_is_killed_between_two_tries_leaves_the_count_as_it_was(tmp_path: Path) -> None:
    """No try has begun before its time: none is lost with the process."""
    (tmp_path / "flaky.py").write_text(FLAKY)
    environment = {**os.environ, "RESONATE_NB_STORE": str(tmp_path / "store")}

    def start(what: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "flaky.py", what],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    owner = start("run")
    assert owner.stderr is not None
    assert any("attempt 1 of 3 failed" in line for line in owner.stderr)
    owner.kill()
    owner.communicate()
    assert start("look").communicate(timeout=300)[0].splitlines() == [
        "<Handle 'flaky@1' interrupted>",
        "[(1, 'failed')]",
    ]
    out, err = start("run").communicate(timeout=300)
    assert out.splitlines() == [
        "7",
        "<Handle 'flaky@1' resolved, attempt 3>",
        "[(1, 'failed'), (2, 'failed'), (3, 'resolved')]",
    ], err
    assert "attempt 2 of 3, taken over after owner" in err
