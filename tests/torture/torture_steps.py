"""Durable functions for processes that are tortured, and the log in which they say what they do.

A line is one write at the end of the file, so the order of lines is the order of what happened, over all processes.
Every run of a body makes a token of its own, which is in its value: a value tells which run it came from.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from pathlib import Path
from typing import Any

import resonate_nb
from resonate_nb import Constant, current, durable, runtime

MIDDLE_BYTES = 100_000
LARGE_BYTES = 2_000_000
WORK_SECONDS = 0.002


def warm_up(store: Path) -> None:
    """Everything is imported and fingerprinted, and no store is open: what is forked from here on begins at once."""
    resonate_nb.configure(store=store, durability="process")
    for function in (once, middle, large, again, fleeting, parent, slow_to_store, flaky, basket):
        function(0)
    asyncio.run(_await_once())
    runtime.engine().close()


async def _await_once() -> None:
    await awaited(0)


def log(*words: object) -> None:
    """One line, whole, at the end of the log."""
    descriptor = os.open(os.environ["TORTURE_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(descriptor)


def lines_of(path: Path) -> list[list[str]]:
    """The words of each line so far."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def begun(name: str, x: int) -> str:
    token = secrets.token_hex(8)
    log("run", name, x, os.getpid(), token)
    return token


def ended(token: str, size_bytes: int = 0) -> dict[str, Any]:
    log("end", token)
    return {"token": token, "filler": (token.encode() * (size_bytes // len(token) + 1))[:size_bytes]}


def works(name: str, x: int, size_bytes: int = 0) -> dict[str, Any]:
    token = begun(name, x)
    time.sleep(WORK_SECONDS)
    return ended(token, size_bytes)


_UNSEEN = ("works", "begun", "ended", "log")


@durable(id="once/{x}", version=1, ignore=_UNSEEN)
def once(x: int) -> dict[str, Any]:
    return works("once", x)


@durable(id="middle/{x}", version=1, ignore=_UNSEEN)
def middle(x: int) -> dict[str, Any]:
    return works("middle", x, MIDDLE_BYTES)


@durable(id="large/{x}", version=1, ignore=_UNSEEN)
def large(x: int) -> dict[str, Any]:
    return works("large", x, LARGE_BYTES)


@durable(id="again/{x}", version=1, ignore=_UNSEEN)
def again(x: int) -> dict[str, Any]:
    return works("again", x, 1_000 if x % 2 else MIDDLE_BYTES)


@durable(id="fleeting/{x}", version=1, ignore=_UNSEEN)
def fleeting(x: int) -> dict[str, Any]:
    return works("fleeting", x, 1_000 if x % 2 else MIDDLE_BYTES)


@durable(id="failing/{x}", version=1, ignore=_UNSEEN)
def failing(x: int) -> dict[str, Any]:
    raise ValueError(works("failing", x)["token"])


class SlowToStore:
    """Takes as long to pickle as a body takes to run."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __reduce__(self) -> tuple[Any, ...]:
        for _ in range(3):
            time.sleep(WORK_SECONDS)
        return SlowToStore, (self.token,)


@durable(id="slow_to_store/{x}", version=1, ignore=(*_UNSEEN, "SlowToStore"))
def slow_to_store(x: int) -> dict[str, Any]:
    value = works("slow_to_store", x)
    return {**value, "slow": SlowToStore(value["token"])}


@durable(id="flaky/{x}", version=1, ignore=(*_UNSEEN, "current"), retry=Constant(1_000, delay=0.002, jitter=0))
def flaky(x: int) -> dict[str, Any]:
    """Fails at its first two attempts."""
    value = works("flaky", x)
    if current().attempt < 3:
        raise ConnectionError(value["token"])
    return value


@durable(id="charged/{x}-{part}", version=1, keyed_by="call", ignore=_UNSEEN)
def charged(x: int, part: int) -> dict[str, Any]:
    return works("charged", 10 * x + part)


@durable(id="basket/{x}", version=1, ignore=_UNSEEN)
def basket(x: int) -> dict[str, Any]:
    """Steps with effects on the outside, which are this call's own."""
    token = begun("basket", x)
    parts = [charged(x, part)["token"] for part in range(3)]
    return {**ended(token), "parts": parts}


@durable(id="awaited/{x}", version=1, ignore=_UNSEEN)
async def awaited(x: int) -> dict[str, Any]:
    token = begun("awaited", x)
    await asyncio.sleep(WORK_SECONDS)
    return ended(token)


@durable(id="parent/{x}", version=1, ignore=_UNSEEN)
def parent(x: int) -> dict[str, Any]:
    token = begun("parent", x)
    children = {"once": once(x)["token"], "middle": middle(x)["token"]}
    return {**ended(token), "children": children}
