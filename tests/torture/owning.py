"""A process that owns a promise, or waits for it, until it is told to go on.

    python owning.py FUNCTION X

Says when the body begins, and in the end the token of the value that its caller got.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from others import begin
from torture_steps import begun, ended

import resonate_nb as rnb
from resonate_nb import durable

_read_with_the_gil = ctypes.PyDLL(None).read


def hear() -> None:
    print("in the middle", flush=True)
    sys.stdin.readline()


def hear_in_c() -> None:
    """One long call of C that lets no other thread of this process run, the heartbeat's as little as any."""
    byte = ctypes.create_string_buffer(1)
    print("in the middle", flush=True)
    assert 1 == _read_with_the_gil(0, byte, 1)


@durable(id="plain/{x}", version=1, ignore=("begun", "ended", "hear"))
def plain(x: int) -> dict[str, Any]:
    token = begun("plain", x)
    hear()
    return ended(token, 100_000)


@durable(id="in_c/{x}", version=1, ignore=("begun", "ended", "hear_in_c"))
def in_c(x: int) -> dict[str, Any]:
    token = begun("in_c", x)
    hear_in_c()
    return ended(token)


@durable(id="around/{x}", version=1, ignore=("begun", "ended"))
def around(x: int) -> dict[str, Any]:
    token = begun("around", x)
    plain(x)
    return ended(token)


if __name__ == "__main__":
    begin()
    rnb.configure(durability="process")
    print(globals()[sys.argv[1]](int(sys.argv[2]))["token"], flush=True)
