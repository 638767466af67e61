"""What is measured, whom it is compared with, and which ratio is asked for. The numbers are those of the goals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How a figure comes about; measures that ask for the same one share it."""

    WARM = "warm"
    REACHING = "reaching"
    REACHING_MANY = "reaching many"
    LARGE = "large"
    LARGE_NEW = "large, new"
    OVER_TABLE = "over a table"
    KEY_FRAME = "key of a frame"
    KEY_ARRAY = "key of an array"
    KEY_CODE = "key of code"
    FIRST = "first"
    COLD = "cold"
    CHILD = "child"
    SYNCS = "syncs"
    FLOW = "flow"
    RESUMED = "resumed"
    FROM_START = "from start"
    KERNEL = "kernel"
    BARE = "bare"
    KERNEL_CALL = "kernel, first call"
    BARE_CALL = "bare, first call"
    WAKE = "wake"
    IDLE = "idle"


class Clock(StrEnum):
    CPU = "cpu"
    WALL = "wall"


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure of ours is at most `at_most` times that of `than`."""

    than: str
    at_most: float
    clock: Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure of ours is at most this: for what does not scale with the machine."""

    at_most: float
    of: str
    """A clock, whose figure is in the unit of the measure, or what else its samples hold."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of ours beside those of others. Goals are judged for the first of `ours` that takes part."""

    number: str
    title: str
    way: Way
    unit: str
    """Printed after a figure; with `per_unit` of them in a second (or in one, where no time is counted)."""
    per_unit: float
    clock: Clock
    """Whose ratios are printed: CPU time for calls, wall time for what waits for the disk or for another process."""
    ours: tuple[str, ...]
    others: tuple[str, ...]
    """A floor, where there is one, comes first."""
    goals: tuple[Goal, ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def contestants(self) -> tuple[str, ...]:
        return self.ours + self.others


PROCESS, PROCESS_CHILD = "ours, process", "ours, process, keyed by call"
ADAPTIVE, ADAPTIVE_CHILD = "ours, adaptive", "ours, adaptive, keyed by call"
FULL, FULL_CHILD = "ours, full", "ours, full, keyed by call"
LAW = "ours: store and law alone"
ONE, TWO = "floor: one commit", "floor: two commits"
ONE_FULL, TWO_FULL = "floor: one commit, FULL", "floor: two commits, second FULL"
DICT = "floor: dict in memory"
JOBLIB, DISKCACHE, DBOS = "joblib.Memory", "diskcache.memoize", "DBOS"
MARIMO, DASK, HASHED = "marimo.persistent_cache", "dask.base.tokenize", "floor: pickle out of band, blake3"
PARSED = "floor: parse and compile"

CPU, WALL = Clock.CPU, Clock.WALL
US, MS = ("us a call", 1e6), ("ms", 1e3)

MEASURES = (
    Measure(
        "1", "warm call, int -> int, reaches nothing", Way.WARM, *US, CPU,
        (PROCESS,), (ONE, DICT, DISKCACHE, JOBLIB, DBOS),
        (Goal(DISKCACHE, 1 / 11, CPU), Goal(JOBLIB, 1 / 56, CPU), Goal(ONE, 0.26, CPU)),
    ),
    Measure(
        "1r", "warm call, reaches ten functions and ten constants", Way.REACHING, *US, CPU,
        (PROCESS,), (ONE, DICT, DISKCACHE, JOBLIB, DBOS),
        (Goal(ONE, 1.75, CPU),),
    ),
    Measure(
        "1m", "warm call, reaches 300 functions and as many constants", Way.REACHING_MANY, *US, CPU,
        (PROCESS,), (DICT, DISKCACHE, JOBLIB),
    ),
    Measure(
        "1g", "warm call of a function that reads a global frame of 100 MB", Way.OVER_TABLE, *US, CPU,
        (PROCESS,), (HASHED, DICT),
        (Goal(HASHED, 1 / 1_000, CPU),),
    ),
    Measure(
        "2", "warm call, first hit of a key in a process", Way.FIRST, *US, CPU,
        (PROCESS,), (ONE, LAW, DISKCACHE, JOBLIB, DBOS),
        (Goal(ONE, 1.4, CPU), Goal(DISKCACHE, 1 / 2, CPU)),
    ),
    Measure(
        "3", "warm call, an array of 100 MB that was not seen before as the argument", Way.LARGE_NEW, *MS, CPU,
        (PROCESS,), (HASHED, MARIMO, JOBLIB, DISKCACHE),
        (Goal(MARIMO, 1 / 4.4, CPU), Goal(JOBLIB, 1 / 5, CPU), Goal(HASHED, 1.1, CPU)),
    ),
    Measure(
        "4", "warm call, an array of 100 MB that nobody has written to since", Way.LARGE, *US, CPU,
        (PROCESS,), (HASHED, MARIMO, JOBLIB, DISKCACHE),
        (Goal(MARIMO, 1 / 1_000, CPU),),
    ),
    Measure(
        "5f", "fingerprint of a mixed frame of 100 MB, texts among it", Way.KEY_FRAME, *MS, CPU,
        (PROCESS,), (HASHED, JOBLIB, DASK),
        (Goal(JOBLIB, 1 / 4, CPU),),
    ),
    Measure(
        "5a", "fingerprint of an array of 100 MB", Way.KEY_ARRAY, *MS, CPU,
        (PROCESS,), (HASHED, JOBLIB, DASK),
        (Goal(JOBLIB, 1 / 4, CPU),),
    ),
    Measure(
        "5h", "first key of a function that reaches 300 others", Way.KEY_CODE, *MS, CPU,
        (PROCESS,), (PARSED,),
    ),
    Measure(
        "7", "cold call, safe against a killed process", Way.COLD, *US, CPU,
        (PROCESS,), (TWO, ONE, LAW, DISKCACHE, JOBLIB),
        (Goal(TWO, 2.5, CPU), Goal(DISKCACHE, 1.0, CPU), Goal(JOBLIB, 1 / 2.5, CPU)),
    ),
    Measure(
        "7c", "cold call of a child, whose parent's task is the claim", Way.CHILD, *US, CPU,
        (PROCESS_CHILD, PROCESS), (ONE, DISKCACHE, JOBLIB),
        (Goal(ONE, 2.5, CPU), Goal(JOBLIB, 1 / 5, CPU)),
    ),
    Measure(
        "7a", "cold call, power-safe a moment later", Way.COLD, *US, CPU,
        (ADAPTIVE,), (TWO, DISKCACHE),
    ),
    Measure(
        "8", "cold call, power-safe", Way.COLD, *US, WALL,
        (FULL,), (ONE_FULL, TWO_FULL, DBOS),
        (Goal(ONE_FULL, 1.25, WALL), Goal(DBOS, 1 / 11, WALL)),
    ),
    Measure(
        "8s", "syncs of a cold call", Way.SYNCS, "syncs a call", 1, WALL,
        (FULL, ADAPTIVE, PROCESS), (ONE_FULL, DISKCACHE, JOBLIB, DBOS),
        limits=(Limit(1.0, WALL),),
    ),
    Measure(
        "9", "workflow, kill-safe", Way.FLOW, "us a step", 1e6, CPU,
        (PROCESS_CHILD, PROCESS), (ONE, DISKCACHE, JOBLIB, DBOS),
        (Goal(ONE, 2.06, CPU), Goal(DISKCACHE, 1 / 2, CPU), Goal(DBOS, 1 / 45, WALL)),
    ),
    Measure(
        "10", "workflow, power-safe a moment later", Way.FLOW, "us a step", 1e6, WALL,
        (ADAPTIVE_CHILD, ADAPTIVE), (PROCESS_CHILD, PROCESS, DBOS),
        (Goal(PROCESS_CHILD, 1 / 0.9, WALL), Goal(DBOS, 1 / 40, WALL)),
    ),
    Measure(
        "11", "workflow, power-safe at each step", Way.FLOW, "us a step", 1e6, WALL,
        (FULL_CHILD, FULL), (ONE_FULL, DBOS),
        (Goal(ONE_FULL, 1 / 0.8, WALL), Goal(DBOS, 1 / 7, WALL)),
    ),
    Measure(
        "12", "workflow resumed, process start excluded", Way.RESUMED, *MS, CPU,
        (PROCESS_CHILD, PROCESS), (ONE, DISKCACHE, JOBLIB, DBOS),
        (Goal(DISKCACHE, 1 / 4.6, CPU), Goal(JOBLIB, 1 / 20, CPU), Goal(DBOS, 1 / 100, CPU)),
    ),
    Measure(
        "13", "workflow resumed, from process start", Way.FROM_START, *MS, CPU,
        (PROCESS_CHILD, PROCESS), (ONE, DISKCACHE, JOBLIB, DBOS),
        (Goal(ONE, 1.54, CPU), Goal(JOBLIB, 1 / 6, CPU), Goal(DBOS, 1 / 27, WALL)),
    ),
    Measure(
        "21", "import in a kernel", Way.KERNEL, *MS, CPU,
        (PROCESS,), (ONE, DISKCACHE, JOBLIB, DBOS),
        (Goal(ONE, 1.8, CPU), Goal(JOBLIB, 1 / 15, CPU)),
        limits=(Limit(4.0, "resident_mb"), Limit(0, "heavy")),
    ),
    Measure(
        "22", "import, bare interpreter", Way.BARE, *MS, CPU,
        (PROCESS,), (ONE, DISKCACHE, JOBLIB, DBOS),
        (Goal(DISKCACHE, 1.54, CPU), Goal(JOBLIB, 1 / 5, CPU)),
    ),
    Measure(
        "21f", "import and first call in a kernel", Way.KERNEL_CALL, *MS, CPU,
        (PROCESS,), (DISKCACHE, JOBLIB),
    ),
    Measure(
        "22f", "import and first call, bare interpreter", Way.BARE_CALL, *MS, CPU,
        (PROCESS,), (DISKCACHE, JOBLIB),
    ),
    Measure(
        "30", "waking a waiter in another process, from the end of the body", Way.WAKE, *MS, WALL,
        (ADAPTIVE, PROCESS), (DBOS,),
        limits=(Limit(20.0, WALL),),
    ),
    Measure(
        "31", "CPU of an idle process that has waited before", Way.IDLE, "ms a second", 1e3, CPU,
        (ADAPTIVE, PROCESS), (ONE, DBOS),
        limits=(Limit(1.0, CPU),),
    ),
)  # fmt: skip


def asked_for(only: str | None) -> tuple[Measure, ...]:
    """The measures of these numbers, separated by commas; ``7`` means 7, 7a and 7c as well. All of them for None."""
    if only is None:
        return MEASURES
    wanted = [word.strip() for word in only.split(",")]
    found = tuple(
        measure for measure in MEASURES if measure.number in wanted or measure.number.rstrip("acfghmrs") in wanted
    )
    if not found:
        known = ", ".join(measure.number for measure in MEASURES)
        raise ValueError(f"no measure has a number of {only!r}; there are {known}")
    return found
