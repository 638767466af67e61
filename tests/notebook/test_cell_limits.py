"""`%%durable --timeout --retries --max-age`: a cell is tried again, ends in time, and is fresh, as a function is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from kernel import LIMIT, Kernel, Ran

from resonate_nb.clock import SystemClock
from resonate_nb.notebook._magic import DurableMagics, parse_cell_line
from resonate_nb.retry import Exponential, Never
from resonate_nb.runtime import Engine
from resonate_nb.store import Attempt, SqliteStore

SETUP = """
%load_ext resonate_nb
import asyncio, os, time
from pathlib import Path
import resonate_nb as rnb
rnb.configure(durability="process")
tries = []

class Busy(Exception):
    def __init__(self, seconds=0.001):
        super().__init__("429")
        self.retry_after = seconds
"""


def started(folder: Path) -> Kernel:
    kernel = Kernel(folder, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(folder / "store")})
    kernel.ok(SETUP)
    return kernel


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with started(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture
def kernel(shared: Kernel) -> Kernel:
    """One kernel for the cells that need no restart; each test has labels of its own."""
    shared.ok("tries.clear()")
    return shared


def marks(ran: Ran) -> list[str]:
    return [text for text in ran.bundles() if text.startswith("[replayed")]


def attempts(folder: Path, label: str, count: int) -> list[Attempt]:
    """The tries of the newest promise with this label, once so many have come to an end and somebody is at it."""
    engine = Engine(SqliteStore.open(folder / "store", durability="process", clock=SystemClock()))
    clock = SystemClock()
    until = clock.monotonic() + LIMIT
    try:
        while clock.monotonic() < until:
            seen = engine.feed.now()
            found = engine.newest(label)
            if found is not None and engine.tasks.is_owned(found):
                tries = [each for each in engine.attempts(found.id) if each.outcome is not None]
                if len(tries) >= count:
                    return tries
            engine.feed.wait(seen, 1)
    finally:
        engine.close()
    raise TimeoutError(f"{label} has not come to {count} tries")


FLAKY = """%%durable flaky --retries 3 --ignore tries
tries.append(1)
print("try", len(tries))
if len(tries) < 3:
    raise Busy
value = len(tries)
"""


@pytest.mark.slow
class TestRetries:
    def test_a_replay_shows_the_last_try_and_says_that_others_failed(self, kernel: Kernel) -> None:
        ran = kernel.ok(FLAKY)
        assert "try 1\ntry 2\ntry 3\n" == ran.text()
        assert [f"[resonate_nb] cell `flaky`: attempt {number} of 4 failed (Busy: 429)" for number in (1, 2)] == [
            line for line in ran.said.splitlines() if "store:" not in line
        ]
        again = kernel.ok(FLAKY)
        assert ("try 3\n", 3) == (again.text(), kernel.value("value"))
        (mark,) = marks(again)
        assert re.fullmatch(r"\[replayed · \d+ ms saved · after 2 failed tries\]", mark)
        shown = kernel.ok("%durable show flaky")
        (table,) = [text for text in shown.bundles() if "attempts" in text]
        assert ["failed", "failed", "resolved"] == re.findall("failed|resolved", table[table.index("attempts") :])

    def test_each_try_begins_with_the_names_as_they_were(self, kernel: Kernel) -> None:
        cell = """%%durable counted --retries 3 --ignore tries
tries.append(1)
total = total + 1
half_way = len(tries)
del gone
if len(tries) < 3:
    raise Busy
"""
        kernel.ok("total, gone = 1, 2")
        kernel.ok(cell)
        assert (2, 3, False) == kernel.value("total, half_way, 'gone' in globals()")
        kernel.ok("total, gone = 1, 2")
        assert marks(kernel.ok(cell))
        assert (2, 3, False) == kernel.value("total, half_way, 'gone' in globals()")

    def test_what_a_failed_try_changed_in_place_is_no_replay(self, kernel: Kernel) -> None:
        cell = """%%durable changes --retries 3 --ignore tries
tries.append(1)
if not items:
    items.append(1)
if len(tries) < 2:
    raise Busy
"""
        kernel.ok("items = []")
        assert "it changed `items` (line 4) in place" in kernel.ok(cell).said
        assert [1] == kernel.value("items")
        kernel.ok("items = []")
        assert not marks(kernel.ok(cell))

    def test_when_all_have_failed_the_last_error_is_shown(self, kernel: Kernel) -> None:
        cell = "%%durable hopeless --retries 1 --ignore tries\ntries.append(1)\nraise Busy(len(tries) / 1000)"
        ran = kernel.run(cell)
        assert (("Busy", "429"), 2) == (ran.error, kernel.value("len(tries)"))
        assert "resonate_nb/" not in ran.traceback
        assert ["failed", "rejected"] == kernel.value(
            "[attempt.outcome for attempt in rnb.search(name='hopeless')[0].attempts]"
        )

    def test_what_no_second_try_can_mend_is_not_tried_again(self, kernel: Kernel) -> None:
        ran = kernel.run("%%durable typo --retries 5 --ignore tries\ntries.append(1)\nno_such_name")
        assert ("NameError", 1) == (ran.error[0] if ran.error else None, kernel.value("len(tries)"))

    def test_a_cell_that_awaits_is_tried_again(self, kernel: Kernel) -> None:
        cell = """%%durable awaits --retries 3 --ignore tries
await asyncio.sleep(0)
tries.append(1)
if len(tries) < 3:
    raise Busy
print(rnb.current().id, rnb.current().attempt)
"""
        assert re.fullmatch(r"awaits/\w+@\w+ 3\n", kernel.ok(cell).text())
        assert "after 2 failed tries" in marks(kernel.ok(cell))[0]


@pytest.mark.slow
class TestTimeout:
    @pytest.mark.parametrize(
        ("label", "wait"), [("sleeps", "time.sleep(60)"), ("dozes", "await asyncio.sleep(60)")], ids=["sync", "awaited"]
    )
    def test_a_cell_ends_at_its_deadline_and_its_next_run_is_a_new_one(
        self, kernel: Kernel, label: str, wait: str
    ) -> None:
        cell = f"""%%durable {label} --timeout 2s --ignore tries
tries.append(1)
begun = True
print("begun")
if len(tries) == 1:
    {wait}
ended = len(tries)
"""
        ran = kernel.run(cell)
        assert ran.error is not None
        assert ("DurableTimeoutError", True) == (ran.error[0], "was not finished by its deadline" in ran.error[1])
        assert "resonate_nb/" not in ran.traceback
        assert (True, False) == kernel.value("begun, 'ended' in globals()")
        handle = f"rnb.search(name={label!r})[0]"
        assert ("rejected_timedout", ["late"]) == kernel.value(
            f"{handle}.state.value, [attempt.outcome for attempt in {handle}.attempts]"
        )
        shown = kernel.ok(f"%durable show {label}")
        assert any("begun" in text for text in shown.bundles())
        kernel.ok(cell)
        assert (2, "resolved") == kernel.value(f"ended, {handle}.state.value")
        assert "~2" in kernel.value(f"{handle}.id")
        kernel.ok("del ended")


@pytest.mark.slow
def test_max_age_makes_an_older_result_run_again(kernel: Kernel) -> None:
    body = "\ntries.append(1)\nprice = len(tries)\n"
    kernel.ok(f"%%durable prices --ignore tries{body}")
    assert marks(kernel.ok(f"%%durable prices --max-age 1d --ignore tries{body}"))
    ran = kernel.ok(f"%%durable prices --max-age 1ms --ignore tries{body}")
    assert "cell `prices`: runs again, expired: it is" in ran.said
    assert 2 == kernel.value("price")


@pytest.mark.slow
class TestAKernelThatStops:
    def test_an_interrupt_of_the_wait_gives_the_cell_back_as_it_was(self, tmp_path: Path) -> None:
        cell = """%%durable stopped --retries 3 --ignore tries
tries.append(1)
total = total + 1
if len(tries) == 1:
    raise Busy(3600)
"""
        with started(tmp_path) as kernel:
            kernel.ok("total = 1")
            request = kernel.submit(cell)
            attempts(tmp_path, "stopped", 1)
            kernel.interrupt()
            ran = kernel.collect(request)
            assert ran.error is not None
            assert "KeyboardInterrupt" == ran.error[0]
            assert 1 == kernel.value("total")
            handle = "rnb.search(name='stopped')[0]"
            assert "interrupted" in kernel.value(f"repr({handle})")
            # It is the same promise that goes on, in what is left of the wait.
            request = kernel.submit(cell)
            (found,) = attempts(tmp_path, "stopped", 1)
            assert "failed" == found.outcome
            kernel.interrupt()
            assert "cell `stopped`: attempt 2 of 4 is to follow" in kernel.collect(request).said
            assert 1 == kernel.value("len(rnb.search(name='stopped'))")

    def test_after_a_kill_the_next_kernel_counts_on(self, tmp_path: Path) -> None:
        cell = """%%durable killed --retries 3
with open("runs", "a") as log:
    log.write("x")
run = os.path.getsize("runs")
print("run", run)
if run == 1 or run == 3:
    raise Busy
while os.path.exists("hold"):
    Path("held").touch()
    time.sleep(0.01)
"""
        with started(tmp_path) as kernel:
            (tmp_path / "hold").touch()
            kernel.submit(cell)
            kernel.wait_for(tmp_path / "held")
            kernel.restart()
            (tmp_path / "hold").unlink()
            kernel.ok(SETUP)
            ran = kernel.ok(cell)
            assert "cell `killed`: attempt 3 of 4, taken over after owner" in ran.said
            assert "cell `killed`: attempt 3 of 4 failed (Busy: 429)" in ran.said
            assert "run 3\nrun 4\n" == ran.text()
            again = kernel.ok(cell)
            assert "run 4\n" == again.text()
            assert "after 2 failed tries" in marks(again)[0]
            assert ["failed", "lost", "failed", "resolved"] == kernel.value(
                "[attempt.outcome for attempt in rnb.search(name='killed')[0].attempts]"
            )


class TestTheMagicsLine:
    def test_the_options_are_those_of_a_function(self) -> None:
        options = parse_cell_line("train --timeout 2h --retries 5 --max-age 1d").options
        assert (7200, Exponential(6), 86_400) == (options.timeout, options.retry, options.max_age)

    def test_without_them_there_is_no_limit(self) -> None:
        for line in ("train", "train --retries 0"):
            options = parse_cell_line(line).options
            assert (None, 1, None) == (options.timeout, (options.retry or Never()).max_attempts, options.max_age)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("--timeout soon", "--timeout must be a length of time: seconds such as 90 or 0.5, a text such as '90s'"),
            ("--timeout 0", "--timeout must be longer than nothing, not '0'"),
            ("--max-age 1y", "--max-age must be a length of time"),
            ("--retries many", "--retries takes how often to run again what fails, e.g. --retries 3, not 'many'"),
            ("--retries -1", "--retries"),
            ("--retries", "expected one argument"),
            ("--tries 3", "--timeout TIME] [--retries N] [--max-age TIME]"),
        ],
    )
    def test_what_is_wrong_is_refused_with_what_is_right(self, line: str, said: str) -> None:
        with pytest.raises(UsageError, match=re.escape(said)):
            parse_cell_line(f"train {line}")

    def test_the_help_tells_of_each(self) -> None:
        told = re.sub(r"\s+", " ", DurableMagics.durable.__doc__ or "")
        for said in (
            "--timeout TIME",
            "--retries N",
            "--max-age TIME",
            "run again up to N times",
            "over restarts",
        ):
            assert said in told
