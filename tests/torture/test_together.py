"""Threads, tasks, pools, forks and the body itself ask for the same promise: it runs once, and nobody hangs."""

from __future__ import annotations

import signal
import sys
from collections import Counter

import pytest
import together
from tortured import Tortured

pytestmark = pytest.mark.slow


def each_once(tortured: Tortured, **runs: int) -> None:
    """Each of these functions ran for 0, 1, 2 … once, and nothing else ran."""
    assert {name: [*range(count)] for name, count in runs.items()} == {
        name: sorted(tortured.runs(name)) for name in {words[1] for words in tortured.lines if words[0] == "run"}
    }


def test_threads(tortured: Tortured) -> None:
    calls = together.THREADS * together.PROMISES
    assert f"{calls} {together.PROMISES}\n" == tortured.run("together.py", "threads")
    each_once(tortured, once=together.PROMISES)


def test_a_hundred_tasks(tortured: Tortured) -> None:
    assert "100 1\n" == tortured.run("together.py", "tasks")
    assert [7] == tortured.runs("awaited")


def test_tasks_of_several_loops(tortured: Tortured) -> None:
    assert f"{8 * 50} 10\n" == tortured.run("together.py", "loops")
    each_once(tortured, awaited=10)


def test_threads_and_tasks(tortured: Tortured) -> None:
    calls = together.THREADS // 2 * (6 + 11)
    assert f"{calls} 11\n" == tortured.run("together.py", "threads_and_tasks")
    each_once(tortured, once=6, awaited=5)


# macOS cannot fork safely once its frameworks are in use; there these ways are not Python's default either.
METHODS = ["spawn", "forkserver", *(["fork"] if sys.platform != "darwin" else [])]


@pytest.mark.parametrize("method", METHODS)
def test_a_pool(tortured: Tortured, method: str) -> None:
    assert f"{10 + 2 * len(together.ASKED)} 10\n" == tortured.run("together.py", "pool", method)
    each_once(tortured, once=10)


@pytest.mark.parametrize("method", METHODS)
def test_an_executor(tortured: Tortured, method: str) -> None:
    assert f"{len(together.ASKED)} 10\n" == tortured.run("together.py", "executor", method)
    each_once(tortured, once=10)


def test_a_pool_inside_a_body(tortured: Tortured) -> None:
    assert f"{len(together.ASKED)} 10\n" * 2 == tortured.run("together.py", "pool_in_a_body")
    assert [1] == tortured.runs("pooled")
    assert [*range(10)] == sorted(tortured.runs("once"))


def test_forks_at_any_instant_of_what_threads_do(tortured: Tortured) -> None:
    """No child is held up by a lock of a thread that it does not have, and none refuses the store."""
    assert "True\n" == tortured.run("together.py", "fork_among_threads")
    assert 1 == max(Counter(tortured.runs("once")).values())


def test_a_child_that_is_killed_is_replaced_by_its_parent(tortured: Tortured) -> None:
    """They are two owners, though the child began as a copy of the other."""
    assert "4 1\n" == tortured.run("together.py", "killed_child")
    assert [1, 1] == tortured.runs("slow")


def test_a_body_that_calls_itself_with_other_arguments(tortured: Tortured) -> None:
    assert "465 55\n" == tortured.run("together.py", "other_arguments")
    each_once(tortured, descend=31, descend_async=11)


def test_a_body_that_calls_itself_with_the_same_arguments_is_refused(tortured: Tortured) -> None:
    """By whatever way it comes back to itself; and what was refused is left in nobody's hands."""
    ways = [*together.WAYS, *(f"async {way}" for way in together.ASYNC_WAYS)]
    *said, left = tortured.run("together.py", "same_arguments").splitlines()
    assert [f"{way} is refused" for way in ways] == said
    assert "left pending: awaited/1@1" == left  # it was awaited beside one that was refused, and cancelled


def test_a_body_that_waits_for_itself_through_a_bare_thread_says_so(tortured: Tortured) -> None:
    """Only a context tells that a thread belongs to a call. The wait says on what, and an interrupt ends it."""
    process = tortured.start("together.py", "through_a_bare_thread")
    assert any("waiting for through_a_bare_thread@1" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in errors


def test_threads_that_wait_for_each_other(tortured: Tortured) -> None:
    assert "2 True\n" == tortured.run("together.py", "ring_of_threads")
