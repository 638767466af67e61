"""Other processes: forked ones, lines to and from them, and what every program of this folder does first."""

from __future__ import annotations

import faulthandler
import os
import signal
import traceback
from collections.abc import Callable
from typing import NoReturn

HANG_SECONDS = 120
"""Nothing here waits for it; it ends what hangs, and shows where that was."""


def begin() -> None:
    """What every program does first: an interrupt is Python's, whatever shell began it, and nothing hangs for ever."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)


def fork(work: Callable[[], object]) -> int:
    """The pid of a child that does this, and nothing else, and whose end tells whether it could."""
    pid = os.fork()
    if pid:
        return pid
    try:
        begin()
        work()
        os._exit(0)
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another one must not cut short what went wrong
        traceback.print_exc()
    finally:
        os._exit(1)


class Line:
    """Lines to and from another process, read without a buffer that an interrupt could lose."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes

    def say(self, *words: object) -> None:
        os.write(self._writes, (" ".join(map(str, words)) + "\n").encode())

    def hear(self) -> list[str]:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._reads, 1)
            if not byte:
                raise EOFError("the other process has ended")
            line += byte
        return line.decode().split()

    def ask(self, *words: object) -> list[str]:
        self.say(*words)
        return self.hear()


class Other(Line):
    """A forked process, from the side of the one that forked it."""

    def __init__(self, work: Callable[[Line], NoReturn]) -> None:
        (here_reads, there_writes), (there_reads, here_writes) = os.pipe(), os.pipe()
        super().__init__(here_reads, here_writes)

        def work_there() -> None:
            os.close(here_reads)
            os.close(here_writes)
            work(Line(there_reads, there_writes))

        self.pid = fork(work_there)
        os.close(there_reads)
        os.close(there_writes)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
