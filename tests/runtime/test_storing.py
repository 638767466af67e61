"""Between the end of a body and its promise's settlement: an interrupt waits, and nothing that finished is lost."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.protocol import State
from resonate_nb.store import INLINE_BYTES

pytestmark = pytest.mark.usefixtures("disk")


class Interrupts:
    """While it is pickled the user presses the stop button."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __reduce__(self):
        if Interrupts.is_armed:
            Interrupts.is_armed = False
            os.kill(os.getpid(), signal.SIGINT)
        return Interrupts, (self.value,)

    is_armed = False


def test_an_interrupt_is_held_back_while_a_result_is_stored():
    runs: list[int] = []

    @durable(id="made", version=1, ignore=("runs", "Interrupts"))
    def make():
        runs.append(1)
        return Interrupts(7)

    Interrupts.is_armed = True
    with pytest.raises(KeyboardInterrupt):
        make()
    assert not Interrupts.is_armed
    assert State.RESOLVED is rnb.get("made").state
    assert ["resolved"] == [attempt.outcome for attempt in rnb.get("made").attempts]
    assert 7 == make().value
    assert [1] == runs


def test_an_interrupt_is_held_back_while_an_awaited_result_is_stored():
    runs: list[int] = []

    @durable(id="fetched", version=1, ignore=("runs", "Interrupts"))
    async def fetch():
        runs.append(1)
        return Interrupts(7)

    Interrupts.is_armed = True
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(fetch())
    assert State.RESOLVED is rnb.get("fetched").state
    assert 7 == asyncio.run(fetch()).value
    assert [1] == runs


def test_large_values_lie_in_a_file_and_small_ones_in_their_row():
    @durable(id="bytes/{size}", version=1)
    def made(size):
        return b"x" * size

    for size in (INLINE_BYTES - 1_000, INLINE_BYTES + 1):
        assert size == len(made(size)) == len(made(size))
        value = made.get(size).record.promise.value
        assert size <= value.size_bytes
        assert (value.size_bytes <= INLINE_BYTES) == (value.file is None) == (value.data is not None)
    assert 30_000 == INLINE_BYTES
