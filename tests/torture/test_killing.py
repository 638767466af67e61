"""SIGKILL at random instants, a thousand times: nothing acknowledged is lost, nothing runs twice, nothing is stuck."""

from __future__ import annotations

from typing import get_args

import pytest
from killing import KILLS
from tortured import Tortured

from resonate_nb.store import Durability

STORES = 10
ROUNDS = 10


@pytest.mark.slow
@pytest.mark.parametrize("number", range(STORES))
def test_a_hundred_kills_lose_nothing_and_leave_nothing(tortured: Tortured, number: int) -> None:
    """Ten stores; where there are syncs, kills also come while one lasts. See `killing.py`."""
    durability = get_args(Durability)[number % len(get_args(Durability))]
    said = tortured.run("killing.py", tortured.store, ROUNDS, durability, number)
    kills, acknowledged, takeovers = map(int, said.split())
    assert ROUNDS * KILLS == kills
    assert acknowledged > 0
    assert takeovers > 0
