"""A process that forks: calls belong to who began them, and a child is never held up by a thread it does not have."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from resonate_nb import durable, search
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine, _config, _reads, _say

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@durable
def step(x: int) -> int:
    return x


def in_child(work: Callable[[], object]) -> int:
    """Exit code of a forked child that did this work; it has ten seconds."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Leave(BaseException):
    """How a child leaves a body that its parent is still in, but for returning."""


@pytest.mark.parametrize("way", ["returns", "raises", "exits"])
def test_a_child_that_leaves_the_body_settles_nothing(disk: Engine, way: str) -> None:
    """It comes out of the call as well, and whatever it brings, the parent's own outcome is what counts."""
    parent = os.getpid()

    @durable(ignore=("parent",))
    def forks(way: str) -> str:
        pid = os.fork()
        if pid == 0:
            match way:
                case "raises":
                    raise ValueError("in the child")
                case "exits":
                    raise Leave
            return "child"
        os.waitpid(pid, 0)
        return "parent"

    try:
        assert "parent" == forks(way)
    finally:
        if os.getpid() != parent:
            os._exit(0)
    assert [State.RESOLVED] == [handle.state for handle in search("*forks*")]
    assert "parent" == forks(way)


def test_a_child_is_not_held_up_by_locks_of_the_parents_threads(disk: Engine) -> None:
    """Whichever lock another thread has at the moment of the fork."""
    step(1)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with disk.memo._lock, disk._lock, disk.feed._lock, _config._lock:
            taken.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    try:
        assert 0 == in_child(lambda: (step(1), step(2)))
    finally:
        done.set()
        thread.join()


def test_a_fork_waits_for_locks_that_are_held_for_an_instant(disk: Engine) -> None:
    """They are free in the child, and what they guard is whole."""
    assert 0 == in_child(lambda: _say._lock.acquire() and _reads._lock.acquire())
