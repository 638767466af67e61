"""Many threads ask for the same promises: one body, and nobody's claim ends another's."""

from __future__ import annotations

import threading

from resonate_nb import durable
from resonate_nb.runtime import Engine

_ran: list[int] = []


@durable(ignore=("_ran",))
def step(x: int) -> int:
    _ran.append(x)
    return x


def test_one_body_runs_however_many_threads_ask_at_once(disk: Engine) -> None:
    """A thread whose claim comes too late must not take the claim of the one that was first for abandoned."""
    _ran.clear()
    rounds = 30
    barrier = threading.Barrier(6)
    got: list[int] = []

    def work() -> None:
        for number in range(rounds):
            barrier.wait()
            got.append(step(number))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(rounds)) == _ran
    assert sorted([*range(rounds)] * 6) == sorted(got)
