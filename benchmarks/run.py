"""Asks all contestants, in shuffled turns, and keeps what they answered."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shutil import which
from typing import Any

from .goals import DBOS, DICT, DISKCACHE, JOBLIB, ONE, ONE_FULL, PROCESS, Measure, Way

ROOT = Path(__file__).resolve().parent.parent

Figures = dict[str, float]
"""One sample: ``cpu`` and ``wall`` in seconds, for one call, step or workflow; perhaps more."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is asked. What DBOS does is slow: it is asked less."""

    rounds: int = 20
    calls: int = 200
    warm_calls: int = 2_000
    steps: int = 10_000
    resumes: int = 3
    idle_seconds: float = 3.0
    megabytes: int = 100

    @classmethod
    def tiny(cls) -> Scale:
        """Enough to see that everything works, and for nothing else."""
        return cls(rounds=1, calls=4, warm_calls=4, steps=20, resumes=1, idle_seconds=0.05, megabytes=1)

    def rounds_of(self, name: str) -> int:
        return min(self.rounds, 5) if name.startswith(DBOS) else self.rounds

    def calls_of(self, way: Way, name: str) -> int:
        if way in _LARGE:
            # Whoever reads a hundred megabytes at each call is asked less.
            is_quick = name in (PROCESS, DICT) and way in (Way.LARGE, Way.OVER_TABLE)
            return self.calls if is_quick else 1
        calls = self.warm_calls if way in (Way.WARM, Way.REACHING, Way.REACHING_MANY) else self.calls
        return max(1, calls // 20) if name == DBOS else calls

    def steps_of(self, name: str) -> int:
        return max(1, self.steps // 10) if name == DBOS else self.steps

    def workflows_of(self, name: str) -> int:
        return 1 if name == DBOS else -(-self.rounds // 7)

    @property
    def imports(self) -> int:
        return -(-self.rounds // 2)


_LARGE = (Way.LARGE, Way.LARGE_NEW, Way.OVER_TABLE, Way.KEY_FRAME, Way.KEY_ARRAY, Way.KEY_CODE)


class Results:
    """Samples by way and contestant, and why some have none."""

    def __init__(self) -> None:
        self.samples: dict[tuple[Way, str], list[Figures]] = {}
        self.absent: dict[tuple[Way, str], str] = {}

    def add(self, way: Way, name: str, figures: Figures, divided_by: float = 1) -> None:
        scaled = {what: value / divided_by for what, value in figures.items()}
        self.samples.setdefault((way, name), []).append(scaled)


class Child:
    """A process of `benchmarks.child` that answers questions; a context manager."""

    def __init__(self, name: str, directory: Path, prefix: Iterable[str] = ()) -> None:
        self.name = name
        self._log = directory / "stderr.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *_command(name, directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=_environment(),
            )
        self.absent: str = self.hear().get("absent", "")

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise _died(self.name, self._log)
        return dict(json.loads(line))

    def ask(self, what: str, count: float = 1, first: int = 0) -> Figures:
        self.tell(json.dumps({"ask": what, "count": count, "first": first}))
        return self.hear()


def _command(name: str, directory: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.child", name, str(directory)]


def _environment() -> dict[str, str]:
    """Ours, without what would make this package behave as its user and not as its defaults say, and without what would
    have every import compile anew."""
    unwanted = ("RESONATE_NB", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "RESONATE_NB_KEY": "benchmarks"}


def _died(name: str, log: Path) -> RuntimeError:
    last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return RuntimeError(f"the process of {name!r} ended before it answered; its last lines:\n{last}")


def measure(measures: Collection[Measure], scale: Scale, base: Path, progress: Callable[[str], None]) -> Results:
    """Every contestant of these measures has been asked in each of its ways.

    Args:
        base: a directory on the disk that is to be measured; each contestant gets one of its own inside.
        progress: told what begins.
    """
    results = Results()
    wanted: dict[Way, list[str]] = {}
    for each in measures:
        names = wanted.setdefault(each.way, [])
        names += [name for name in each.contestants if name not in names]
    turns = {way: wanted[way] for way in _TURNS if way in wanted}
    if turns:
        progress("calls")
        _measure_turns(turns, scale, base, results)
    flows = [name for way in (Way.FLOW, Way.RESUMED, Way.FROM_START) for name in wanted.get(way, ())]
    if flows:
        progress(f"workflows of {scale.steps:,} steps")
        resumed = {*wanted.get(Way.RESUMED, ()), *wanted.get(Way.FROM_START, ())}
        _measure_workflows(list(dict.fromkeys(flows)), resumed, scale, base, results)
    for way in (Way.KERNEL, Way.BARE, Way.KERNEL_CALL, Way.BARE_CALL):
        if way in wanted:
            progress(f"imports: {way}")
            _measure_imports(way, wanted[way], scale, results)
    if Way.SYNCS in wanted:
        progress("syncs")
        _measure_syncs(wanted[Way.SYNCS], scale, base, results)
    waiting = list(dict.fromkeys(name for way in (Way.WAKE, Way.IDLE) for name in wanted.get(way, ())))
    if waiting:
        progress("waking and idling")
        _measure_waiting(waiting, scale, base, results)
    return results


_TURNS = {
    Way.WARM: "warm",
    Way.REACHING: "reaching",
    Way.REACHING_MANY: "reaching_many",
    Way.LARGE: "large",
    Way.LARGE_NEW: "large_new",
    Way.OVER_TABLE: "over_table",
    Way.KEY_FRAME: "key_frame",
    Way.KEY_ARRAY: "key_array",
    Way.KEY_CODE: "key_code",
    Way.FIRST: "calls",
    Way.COLD: "calls",
    Way.CHILD: "workflow",
}
"""What a child is asked for."""

_PREPARED = 1_000_000
"""The first of the keys that another process has computed before; those computed in turns are higher."""


def _fresh(base: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=base))


def _measure_turns(wanted: dict[Way, list[str]], scale: Scale, base: Path, results: Results) -> None:
    with ExitStack() as open_children:
        children: dict[str, Child] = {}
        for name in dict.fromkeys(name for names in wanted.values() for name in names):
            directory = _fresh(base)
            if name in wanted.get(Way.FIRST, ()):
                with Child(name, directory) as earlier:
                    if not earlier.absent:
                        prepared = scale.calls_of(Way.FIRST, name) * scale.rounds_of(name) + 1
                        earlier.ask("calls", prepared, _PREPARED)
            child = open_children.enter_context(Child(name, directory))
            if child.absent:
                results.absent |= {(way, name): child.absent for way in wanted if name in wanted[way]}
                continue
            children[name] = child
            if name in wanted.get(Way.FIRST, ()):
                last = _PREPARED + scale.calls_of(Way.FIRST, name) * scale.rounds_of(name)
                if (runs := int(child.ask("runs", first=last)["runs"])) != 0:
                    raise RuntimeError(f"{name} computed what another process had stored ({runs} runs of the body)")
        turns = [(way, name) for way, names in wanted.items() for name in names if name in children]
        keys = {name: count(2 * _PREPARED, scale.calls) for name in children}
        for round in range(scale.rounds):
            for way, name in random.sample(turns, len(turns)):
                if round >= scale.rounds_of(name):
                    continue
                calls = scale.calls_of(way, name)
                first = _PREPARED + round * calls if way is Way.FIRST else next(keys[name])
                first = scale.megabytes if way in _LARGE else first
                results.add(way, name, children[name].ask(_TURNS[way], calls, first), calls)


def _measure_workflows(names: list[str], resumed: Collection[str], scale: Scale, base: Path, results: Results) -> None:
    for round in range(scale.workflows_of(PROCESS)):
        for name in random.sample(names, len(names)):
            if round >= scale.workflows_of(name):
                continue
            directory, steps = _fresh(base), scale.steps_of(name)
            cold, _ = _run(name, [*_command(name, directory), "--cold", str(steps)], directory)
            if "absent" in cold:
                results.absent |= {(way, name): cold["absent"] for way in (Way.FLOW, Way.RESUMED, Way.FROM_START)}
                continue
            _expect_total(name, cold, steps * cold["pid"])
            results.add(Way.FLOW, name, {"cpu": cold["cpu"], "wall": cold["wall"]}, steps)
            for _ in range(scale.resumes if name in resumed else 0):
                again, whole = _run(name, [*_command(name, directory), "--resume", str(steps)], directory)
                _expect_total(name, again, steps * cold["pid"])
                inside = {clock: again[clock] * scale.steps / steps for clock in ("cpu", "wall")}
                results.add(Way.RESUMED, name, inside)
                # Of a shorter workflow only the steps are scaled up, not the start.
                whole = {clock: whole[clock] - again[clock] + inside[clock] for clock in ("cpu", "wall")}
                results.add(Way.FROM_START, name, whole)


def _expect_total(name: str, answer: dict[str, Any], expected: int) -> None:
    if answer["total"] != expected:
        raise RuntimeError(f"{name}: the steps of a workflow came to {answer['total']} instead of {expected}: some ran")


def _run(name: str, command: list[str], directory: Path) -> tuple[dict[str, Any], Figures]:
    """Run a process to its end: what it said, and what it took as a whole."""
    path = directory / "stderr.log"
    with path.open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=_environment()
        )
        assert process.stdout is not None
        with process.stdout as pipe:
            said = pipe.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or not said:
        raise _died(name, path)
    return json.loads(said), {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall}


_IMPORTS = {
    PROCESS: "from resonate_nb import durable",
    ONE: "import sqlite3, blake3, cloudpickle",
    JOBLIB: "from joblib import Memory",
    DISKCACHE: "from diskcache import Cache",
    DBOS: "from dbos import DBOS",
}

_FIRST_CALLS = {
    PROCESS: "from resonate_nb import configure, durable; from benchmarks.work import plain; "
    "configure(store={store!r}, durability='process'); durable(plain)(1)",
    JOBLIB: "from joblib import Memory; from benchmarks.work import plain; "
    "Memory({store!r}, verbose=0).cache(plain)(1)",
    DISKCACHE: "from diskcache import Cache; from benchmarks.work import plain; Cache({store!r}).memoize()(plain)(1)",
}

_KERNEL = "import IPython, ipykernel.kernelapp"

_IMPORTED = """
import sys
{before}
from time import perf_counter, process_time
def resident():
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0
known, memory, wall, cpu = set(sys.modules), resident(), perf_counter(), process_time()
try:
    {what}
except ModuleNotFoundError as error:
    print('{{"absent": "%s is not installed; pip install resonate-nb[bench]"}}' % error.name)
else:
    cpu, wall, memory = process_time() - cpu, perf_counter() - wall, resident() - memory
    heavy = len({{"numpy", "pandas", "pyarrow"}} & (set(sys.modules) - known))
    print('{{"cpu": %r, "wall": %r, "resident_mb": %r, "heavy": %r}}' % (cpu, wall, memory / 1e6, heavy))
"""


def _measure_imports(way: Way, names: Collection[str], scale: Scale, results: Results) -> None:
    before = _KERNEL if way in (Way.KERNEL, Way.KERNEL_CALL) else ""
    what = _IMPORTS if way in (Way.KERNEL, Way.BARE) else _FIRST_CALLS
    with tempfile.TemporaryDirectory() as directory:
        for round in range(scale.imports + 1):
            for name in random.sample(list(names), len(names)):
                store = str(Path(directory) / f"{name}-{round}")
                code = _IMPORTED.format(before=before, what=what[name].format(store=store))
                said, _ = _run(name, [sys.executable, "-c", code], Path(directory))
                if "absent" in said:
                    results.absent[way, name] = said["absent"]
                elif round > 0:  # the first one may have compiled what it imported
                    results.add(way, name, said)


def _measure_syncs(names: Collection[str], scale: Scale, base: Path, results: Results) -> None:
    """Calls that ask the disk to sync, counted by strace: more calls less few calls, so that opening counts nothing."""
    if which("strace") is None:
        results.absent |= dict.fromkeys(((Way.SYNCS, name) for name in names), "strace is not there to count with")
        return
    for name in names:
        few, many = 2, 2 + scale.calls_of(Way.COLD, name)
        counted = []
        for calls in (few, many):
            directory = _fresh(base)
            log = directory / "strace.log"
            trace = ("strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", str(log))
            with Child(name, directory, trace) as child:
                if child.absent:
                    results.absent[Way.SYNCS, name] = child.absent
                    break
                child.ask("calls", calls, _PREPARED)
            counted.append(sum("sync" in line and "resumed" not in line for line in log.read_text().splitlines()))
        else:
            syncs = (counted[1] - counted[0]) / (many - few)
            results.add(Way.SYNCS, name, {"cpu": syncs, "wall": syncs})


_WAITERS = {DBOS: "DBOS client"}
_WAITS_FOR_NOBODY = (ONE, ONE_FULL)


def _measure_waiting(names: Collection[str], scale: Scale, base: Path, results: Results) -> None:
    with ExitStack() as open_children:
        pairs: dict[str, tuple[Child, Child]] = {}
        for name in names:
            directory = _fresh(base)
            owner = open_children.enter_context(Child(name, directory))
            if owner.absent:
                results.absent |= {(way, name): owner.absent for way in (Way.WAKE, Way.IDLE)}
            elif name in _WAITS_FOR_NOBODY:
                pairs[name] = owner, owner
            else:
                pairs[name] = owner, open_children.enter_context(Child(_WAITERS.get(name, name), directory))
        for number in range(scale.rounds):
            for name in random.sample(list(pairs), len(pairs)):
                owner, waiter = pairs[name]
                if owner is not waiter and number < scale.rounds_of(name):
                    results.add(Way.WAKE, name, _woken(owner, waiter, number))
        for name, (owner, waiter) in pairs.items():
            for child in {owner, waiter}:
                results.add(Way.IDLE, name, child.ask("idle", scale.idle_seconds), scale.idle_seconds)


def _woken(owner: Child, waiter: Child, number: int) -> Figures:
    owner.tell(json.dumps({"ask": "own", "first": number, "count": 1}))
    owner.hear()
    waiter.tell(json.dumps({"ask": "wait", "first": number, "count": 1}))
    waiter.hear()
    # Nothing tells when it has begun to wait. Uneven, so that no rhythm of looking is met or missed each time.
    time.sleep(random.uniform(0.05, 0.15))
    owner.tell("end")
    figures = waiter.hear()
    owner.hear()
    return figures


def versions() -> dict[str, str]:
    """What was measured, and where."""
    import platform
    import sqlite3
    from importlib import metadata

    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "machine": platform.platform()}
    for package in ("resonate-nb", "joblib", "diskcache", "marimo", "dask", "dbos", "numpy", "pandas", "pyarrow"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "cores": str(os.cpu_count())}
