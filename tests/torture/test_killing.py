"""SIGKILL at random instants, a thousand times: nothing acknowledged is lost, nothing runs twice, nothing is stuck."""

from __future__ import annotations

import pytest
from tortured import Tortured

STORES = 10
ROUNDS = 20
KILLS_A_ROUND = 5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(STORES))
def test_a_hundred_kills_lose_nothing_and_leave_nothing(tortured: Tortured, number: int) -> None:
    """Ten stores, every second one synced, so that kills also come while a sync lasts. See `killing.py`."""
    durability = "full" if number % 2 else "process"
    said = tortured.run("killing.py", tortured.store, ROUNDS, durability, number)
    kills, acknowledged, takeovers = map(int, said.split())
    assert ROUNDS * KILLS_A_ROUND == kills
    assert acknowledged > 0
    assert takeovers > 0
