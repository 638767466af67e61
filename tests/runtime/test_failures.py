"""What a body raises reaches the caller as it is and is stored as text, however badly it behaves."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from resonate_nb import configure, durable, search
from resonate_nb.clock import SystemClock
from resonate_nb.errors import DamagedStoreError
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine
from resonate_nb.store import MemoryStore, Reader


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class KeepsItsTraceback(Exception):
    def with_traceback(self, trace: object) -> KeepsItsTraceback:
        raise RuntimeError("not mine")


class Text(str):
    def __str__(self) -> str:
        raise RuntimeError("no text")


ERRORS = {
    "unprintable": Unprintable(),
    "unpicklable": Unpicklable(),
    "with a traceback of its own": KeepsItsTraceback(),
    "with a text that cannot be printed": ValueError(Text("x")),
    "with a lone surrogate": ValueError("caf\udcff"),
    "group": ExceptionGroup("several", [ValueError(1), Unprintable()]),
    "StopIteration": StopIteration(5),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_the_error_itself_comes_out_and_is_stored(disk: Engine, error: Exception) -> None:
    """The promise is rejected, with one line about it at its attempt, and nothing is left pending."""

    @durable(ignore=("error",))
    def step() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        step()
    assert caught.value is error
    (handle,) = search()
    assert State.REJECTED == handle.state
    line = handle.attempts[0].error
    assert (line or "").startswith(type(error).__name__)


def test_a_changed_file_may_have_any_name(disk: Engine, tmp_path: Path) -> None:
    """Names of files are bytes; the reason that names one is stored as text."""
    name = bytes(tmp_path) + b"/caf\xff"

    @durable
    def read(name: bytes) -> str:
        with open(name) as file:
            return file.read()

    for text in ("1", "22"):
        with open(name, "w") as file:
            file.write(text)
        assert text == read(name)


@durable
def inner() -> int:
    return 1


class Shown:
    def __repr__(self) -> str:
        return f"shown {inner()}"


@durable
def outer(x: object) -> int:
    return 2


def test_the_stored_arguments_are_described_outside_of_the_transaction(disk: Engine) -> None:
    """A repr is the user's code: it may be slow, and may even make a durable call."""
    assert 2 == outer(Shown())
    (handle,) = search("outer*")
    assert {"x": "shown 1"} == handle.record.arguments


class Unreadable(MemoryStore):
    """Takes what is written, and fails at each read while it is told to."""

    fails = False

    def read(self) -> AbstractContextManager[Reader]:
        if self.fails:
            raise DamagedStoreError("cannot be read")
        return super().read()


def test_a_value_that_is_stored_is_returned_whatever_the_store_says_next() -> None:
    """The settlement is followed by a look, for the memory layer only."""
    store = Unreadable(SystemClock())
    configure(store=store)
    runs: list[int] = []

    @durable(id="made", version=1, ignore=("store", "runs"))
    def make() -> int:
        runs.append(1)
        store.fails = True
        return 7

    assert 7 == make()
    store.fails = False
    assert 7 == make()
    assert [1] == runs
