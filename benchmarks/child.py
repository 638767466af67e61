"""A process that holds one contestant.

    python -m benchmarks.child NAME DIRECTORY                   does what the lines of its stdin ask for
    python -m benchmarks.child NAME DIRECTORY --cold STEPS      runs a workflow, and dies when its last step is done
    python -m benchmarks.child NAME DIRECTORY --resume STEPS    goes on with it, and dies when its last step is back

Questions and answers are JSON, a line each. The real stdout is for answers only: what libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

from . import large, work
from .contestants import CONTESTANTS, Absent

_ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def say(**answer: Any) -> None:
    _ANSWERS.write(json.dumps(answer) + "\n")


class Watch:
    """CPU and wall time between two moments, with the collector off. Told twice to start, the first time counts."""

    def __init__(self, at_end: Callable[[], None] | None = None) -> None:
        self.total = 0
        self._at_end = at_end
        self._is_running = False

    def start(self) -> None:
        if self._is_running:
            return
        gc.collect()
        gc.disable()
        self._is_running = True
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, total: int) -> None:
        self.cpu, self.wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        gc.enable()
        self.total = total
        if self._at_end is not None:
            self._at_end()

    def times(self) -> dict[str, float]:
        return {"cpu": self.cpu, "wall": self.wall}


class Turns:
    """What a contestant can be asked for. Times are of all the calls of a turn together."""

    def __init__(self, contestant: Any, directory: Path) -> None:
        self._contestant = contestant
        self._directory = directory
        self._value: Any = None
        self._many: tuple[Callable[[int], int], int] | None = None

    def warm(self, count: int, **_: Any) -> dict[str, Any]:
        return self._called(self._contestant.plain, repeat(-1, count), (-1, 0))

    def reaching(self, count: int, **_: Any) -> dict[str, Any]:
        return self._called(self._contestant.reaching, repeat(-1, count), (-1, work.reaching(-1)))

    def reaching_many(self, count: int, **_: Any) -> dict[str, Any]:
        if self._many is None:
            module = large.helpers(self._directory)
            self._many = self._contestant.made_durable(module.top), module.top(5)
        call, expected = self._many
        return self._called(call, repeat(5, count), (5, expected))

    def large(self, count: int, first: int) -> dict[str, Any]:
        """One argument of `first` megabytes again and again; a proof that it is the same may take a few calls."""
        if self._value is None:
            self._value = large.array(first)
            for _ in range(3):
                self._contestant.large(self._value)
        return self._called(self._contestant.large, repeat(self._value, count), (self._value, len(self._value)))

    def large_new(self, count: int, first: int) -> dict[str, Any]:
        """Equal arguments that are each another object, and lie elsewhere."""
        return self._each(self._contestant.large, count, lambda: large.array(first))

    def over_table(self, count: int, first: int) -> dict[str, Any]:
        if not len(large.TABLE):
            large.load(first)
        expected = large.over_table(1)
        for _ in range(3):
            self._contestant.over_table(1)
        return self._called(self._contestant.over_table, repeat(1, count), (1, expected))

    def key_frame(self, count: int, first: int) -> dict[str, Any]:
        return self._each(self._contestant.key, count, lambda: large.frame(first))

    def key_array(self, count: int, first: int) -> dict[str, Any]:
        return self._each(self._contestant.key, count, lambda: large.array(first))

    def key_code(self, count: int, **_: Any) -> dict[str, Any]:
        return self._each(self._contestant.read, count, lambda: large.helpers(self._directory))

    @staticmethod
    def _each(call: Callable[[Any], object], count: int, make: Callable[[], Any]) -> dict[str, Any]:
        """Of values that are made while no time is counted; the first one only warms up."""
        found = {"cpu": 0.0, "wall": 0.0}
        for number in range(count + 1):
            value, watch = make(), Watch()
            watch.start()
            call(value)
            watch.stop(0)
            if number > 0:
                found = {clock: found[clock] + taken for clock, taken in watch.times().items()}
        return found

    def calls(self, count: int, first: int) -> dict[str, Any]:
        """Of keys that were not asked for in this process: found where another has left them, computed elsewhere."""
        return self._called(self._contestant.plain, range(first, first + count), (-1, 0))

    def runs(self, first: int, **_: Any) -> dict[str, Any]:
        """How often the body runs in one call of this key."""
        with _counting(work.plain) as runs:
            self._contestant.plain(first)
        return {"runs": len(runs)}

    def workflow(self, count: int, first: int) -> dict[str, Any]:
        watch = Watch()
        self._contestant.workflow(first, count, watch)
        _expect(count * os.getpid(), watch.total)
        return watch.times()

    def own(self, first: int, **_: Any) -> dict[str, Any]:
        """Runs a body that ends when the next line comes; its value is the moment of its end."""

        def gate() -> int:
            say(begun=True)
            sys.stdin.readline()
            return time.perf_counter_ns()

        self._contestant.own(first, gate)
        return {}

    def wait(self, first: int, **_: Any) -> dict[str, Any]:
        """Waits for what another process runs: the time from the end of its body to its value here."""

        def gate() -> int:
            raise RuntimeError("the waiter ran the body itself")

        say(calling=True)
        wall, cpu = time.perf_counter_ns(), time.process_time()
        ended = self._contestant.wait(first, gate)
        now = time.perf_counter_ns()
        if ended < wall:
            raise RuntimeError("the body had ended before the waiter began to wait")
        return {"wall": (now - ended) / 1e9, "cpu": time.process_time() - cpu, "waited": (now - wall) / 1e9}

    def idle(self, count: float, **_: Any) -> dict[str, Any]:
        """CPU time of this process while nothing is asked of it."""
        watch = Watch()
        watch.start()
        threading.Event().wait(count)
        watch.stop(0)
        return watch.times()

    @staticmethod
    def _called(call: Callable[[Any], int], keys: Iterable[Any], known: tuple[Any, int]) -> dict[str, float]:
        warm, value = known
        _expect(value, call(warm))
        watch = Watch()
        watch.start()
        for key in keys:
            call(key)
        watch.stop(0)
        return watch.times()


@contextmanager
def _counting(function: Any) -> Iterator[list[None]]:
    """One entry for each time the function runs, in any thread."""
    runs: list[None] = []

    def look(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is function.__code__:
            runs.append(None)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield runs
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _expect(expected: int, found: int) -> None:
    if expected != found:
        raise RuntimeError(f"a contestant answered {found} instead of {expected}")


def answer(contestant: Any, directory: Path) -> None:
    if hasattr(contestant, "launch"):
        contestant.launch()
    turns = Turns(contestant, directory)
    say(ready=True)
    for line in iter(sys.stdin.readline, ""):
        question = json.loads(line)
        say(**getattr(turns, question.pop("ask"))(**question))


def run_workflow(contestant: Any, count: int, *, is_resumed: bool) -> None:
    def die() -> None:
        say(total=watch.total, pid=os.getpid(), **watch.times())
        os._exit(0)

    watch = Watch(die)
    if not is_resumed:
        if hasattr(contestant, "launch"):
            contestant.launch()
        contestant.workflow(0, count, watch)
    elif hasattr(contestant, "resume"):
        contestant.resume(0, count, watch)
    else:
        watch.start()
        contestant.workflow(0, count, watch)
    raise RuntimeError("the workflow came to its end without its last step")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--cold", type=int)
    parser.add_argument("--resume", type=int)
    asked = parser.parse_args()
    try:
        contestant = CONTESTANTS[asked.name](asked.directory)
    except Absent as reason:
        say(absent=str(reason))
        return
    if asked.cold is None and asked.resume is None:
        answer(contestant, asked.directory)
    else:
        run_workflow(contestant, asked.cold or asked.resume, is_resumed=asked.cold is None)


if __name__ == "__main__":
    main()
