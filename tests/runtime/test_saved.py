"""What replays saved together: the time of computing, of what had run at once counted once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.runtime import Engine, saved_in_all

Spans = list[tuple[int | None, int, int]]


@pytest.mark.parametrize(
    ("saved", "spans"),
    [
        pytest.param(0, [], id="nothing"),
        pytest.param(70, [(100, 30, 1), (140, 40, 1)], id="one after the other"),
        pytest.param(50, [(100, 30, 1), (120, 40, 1)], id="in part at once"),
        pytest.param(40, [(100, 40, 1)] * 5_000, id="all at once"),
        pytest.param(90, [(100, 90, 3), (100, 30, 1), (95, 20, 1)], id="the one that was replayed most often counts"),
        pytest.param(140, [(100, 30, 1), (200, 120, 1), (None, 7, 1), (None, 3, 2)], id="of some no time is known"),
    ],
)
def test_what_had_run_at_the_same_time_counts_once(saved: int, spans: Spans) -> None:
    assert saved == saved_in_all(spans)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(1, 4)), max_size=12))
def test_it_is_at_each_instant_as_much_as_was_replayed_most_often(spans: list[tuple[int, int, int]]) -> None:
    by_the_instant = sum(
        max((times for end, length, times in spans if end - length <= instant < end), default=0)
        for instant in range(-20, 60)
    )
    assert by_the_instant == saved_in_all([(end, length * times, times) for end, length, times in spans])


def test_awaited_calls_that_ran_together_have_saved_what_one_of_them_took(manual: Engine, clock: ManualClock) -> None:
    together = asyncio.Barrier(4)

    @durable(ignore=("clock", "together"))
    async def fetch(n: int) -> int:
        if await together.wait() == 0:
            clock.advance(30_000)
        await together.wait()
        return n

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(fetch, range(4)))

    assert [0, 1, 2, 3] == asyncio.run(all_of_them())
    manual.hits.take()
    assert [0, 1, 2, 3] == asyncio.run(all_of_them())
    (counts, saved_ms) = manual.hits.take()
    assert ([4], 30_000) == (list(counts.values()), saved_ms)
