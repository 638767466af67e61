"""Fifty processes ask for the same hundred promises."""

from __future__ import annotations

import pytest
from asking import PROMISES
from tortured import Tortured

PROCESSES = 50


@pytest.mark.slow
def test_fifty_processes_run_each_of_a_hundred_promises_once(tortured: Tortured) -> None:
    """And nobody waits for a tick: there is none, so whoever the feed did not wake would hang. See `asking.py`."""
    values, different, waits = map(int, tortured.run("asking.py", tortured.store, PROCESSES).split())
    assert PROCESSES * PROMISES == values
    assert PROMISES == different
    # For the first promise all but one; of the others, in its own order, each has met some that another was at.
    assert waits > 2 * PROCESSES
    assert [0] == tortured.runs("held")
    assert list(range(1, PROMISES)) == sorted(x for x in tortured.runs("once") if x)
