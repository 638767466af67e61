"""A process that owns a promise, or waits for it, until it is told to go on.

    python owning.py FUNCTION X [forget]

Says when the body begins, and in the end the token of the value that its caller got; or whether it could be forgotten.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from subprocess import DEVNULL
from typing import Any

from others import begin
from torture_steps import begun, ended, log

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


def leave_a_program() -> int:
    return subprocess.Popen(["sleep", "600"], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL).pid


def leave_a_fork() -> int:
    pid = os.fork()
    if pid == 0:
        for descriptor in range(3):
            os.close(descriptor)
        signal.pause()
    return pid


@durable(id="with_a_program/{x}", version=1, ignore=("begun", "ended", "hear", "log", "leave_a_program"))
def with_a_program(x: int) -> dict[str, Any]:
    """Its owner has another program running, which outlives it."""
    token = begun("with_a_program", x)
    log("left", leave_a_program())
    hear()
    return ended(token)


@durable(id="with_a_fork/{x}", version=1, ignore=("begun", "ended", "hear", "log", "leave_a_fork"))
def with_a_fork(x: int) -> dict[str, Any]:
    """Its owner has a forked child, which has inherited all that it had open, and outlives it."""
    token = begun("with_a_fork", x)
    log("left", leave_a_fork())
    hear()
    return ended(token)


if __name__ == "__main__":
    begin()
    rnb.configure(durability="process")
    function = globals()[sys.argv[1]]
    if sys.argv[3:] == ["forget"]:
        try:
            print("forgot", function.forget(int(sys.argv[2])))
        except rnb.PromiseBusyError:
            print("busy")
    else:
        print(function(int(sys.argv[2]))["token"], flush=True)
