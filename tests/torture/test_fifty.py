"""Fifty processes ask for the same hundred promises."""

from __future__ import annotations

import pytest
from asking import PROMISES
from tortured import Tortured

PROCESSES = 50


@pytest.mark.slow
def test_fifty_processes_run_each_of_a_hundred_promises_once(tortured: Tortured) -> None:
    """And nobody waits for a tick: there is none, so whoever the feed did not wake would hang."""
    processes = [tortured.start("asking.py", seed) for seed in range(PROCESSES)]
    assert ["ready\n"] * PROCESSES == [process.stdout.readline() for process in processes]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    # One has the first promise and holds it until all others say that they wait.
    said = [process.stdout.readline() for process in processes]
    assert ["in the middle\n", *["waiting\n"] * (PROCESSES - 1)] == sorted(said)
    processes[said.index("in the middle\n")].stdin.write("go on\n")
    processes[said.index("in the middle\n")].stdin.flush()
    ends = [tortured.end(process).splitlines() for process in processes]
    assert PROMISES == len(set(ends[0][-2].split()))
    assert {ends[0][-2]} == {end[-2] for end in ends}
    assert [0] == tortured.runs("held")
    assert list(range(1, PROMISES)) == sorted(tortured.runs("once"))
    # Of the ninety-nine in its own order each process has met some that another one was at.
    assert sum(int(end[-1]) for end in ends) > 2 * PROCESSES
