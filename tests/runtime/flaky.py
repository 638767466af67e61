"""Bodies that fail as they are told, and acts at the moment at which something is said."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from resonate_nb import durable

_numbers = count(1)


class Flaky:
    """A body that fails with what it is told to, once for each, and then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.runs = 0
        self.id = f"flaky{next(_numbers)}"

    def __call__(self) -> int:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7

    def durable(self, **options: Any) -> Callable[[], int]:
        @durable(id=self.id, version=1, name=self.id, ignore=("self",), **options)
        def step() -> int:
            return self()

        return step


def outcomes(step: Any, *args: Any) -> list[str | None]:
    handle = step.get(*args)
    return [] if handle is None else [attempt.outcome for attempt in handle.attempts]


@contextmanager
def upon(text: str, act: Callable[[], object]) -> Iterator[None]:
    """Act at the moment at which a line with this text is said: a wait between tries has then begun."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if text in record.getMessage():
                act()

    logger, ear = logging.getLogger("resonate_nb"), Ear(logging.INFO)
    logger.addHandler(ear)
    try:
        yield
    finally:
        logger.removeHandler(ear)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)
