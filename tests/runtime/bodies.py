"""Durable bodies that can be stopped, what is said meanwhile, and what came of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

import resonate_nb as rnb

_numbers = count(1)


class Work:
    """What durable bodies do on the outside: it notes what ran, and can be told to stop in the middle."""

    def __init__(self) -> None:
        self.id = f"work{next(_numbers)}"
        """One of its own for each test: much is said once in a process."""
        self.runs: list[Any] = []
        self.raises: BaseException | None = None
        """By the next run, whatever it is."""
        self.during: Callable[[], object] = lambda: None
        """Done by each run before all else that it may be told."""
        self.started, self.go = threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []
        self._is_held = False
        self._told: dict[object, tuple[BaseException | None, bool]] = {}

    def __call__(self, *arguments: object) -> None:
        what = arguments[0] if len(arguments) == 1 else arguments
        self.runs.append(what)
        self.during()
        error, is_held = self._told.pop(what, (self.raises, self._is_held))
        self.raises = None
        if is_held:
            self._is_held = False
            self.started.set()
            assert self.go.wait(60)
        if error is not None:
            raise error

    def raising(self, what: object, error: BaseException | None, *, waits: bool = False) -> None:
        """The next run of just this raises so, if at all; first it may wait for `go`."""
        self._told[what] = (error, waits)

    def begin(self, call: Callable[[], object], *, waits: bool = True) -> None:
        """The call, in a thread of its own, is in the middle of a body that waits for `go`: the next one, or one that
        was told to."""
        self._is_held = waits
        self.threads.append(threading.Thread(target=call))
        self.threads[-1].start()
        assert self.started.wait(60)

    def interrupt(self, call: Callable[[], object]) -> None:
        """The call has begun, and nobody is at it any more."""
        self.raises = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            call()
        self.runs.clear()


class Listener(logging.Handler):
    """Keeps the lines that we say, and tells when one of them holds a text."""

    def __init__(self, text: str = "\0") -> None:
        super().__init__()
        self.text = text
        self.heard = threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if self.text in self.lines[-1]:
            self.heard.set()

    def __enter__(self) -> Listener:
        logging.getLogger("resonate_nb").addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        logging.getLogger("resonate_nb").removeHandler(self)


@contextmanager
def when_said(text: str) -> Iterator[threading.Event]:
    """An event that is set as soon as one of our lines holds the text."""
    with Listener(text) as listener:
        yield listener.heard


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    values: list[Any] = []
    thread = threading.Thread(target=lambda: values.append(call()))
    thread.start()
    return thread, values


def ids() -> list[str]:
    return [handle.id for handle in rnb.search(order="oldest")]


def states() -> list[str]:
    return [handle.state.value for handle in rnb.search(order="oldest")]
