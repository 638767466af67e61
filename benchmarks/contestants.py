"""The contestants: each makes the functions of `work` durable in a directory of its own.

All have the same few methods. What one cannot do it does not have; what this package cannot do yet raises Absent.
"""

from __future__ import annotations

import ast
import importlib
import pickle
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from blake3 import blake3

from . import large, work

Gate = Callable[[], int]


class Absent(Exception):
    """This contestant cannot take part; the text says why."""


class Watch(Protocol):
    """Told by a workflow when its first step begins and when its last one is done, with the sum of their values."""

    def start(self) -> None: ...
    def stop(self, total: int) -> None: ...


class Ours:
    """This package."""

    def __init__(self, directory: Path, *, durability: str, keyed_by: str = "args") -> None:
        import resonate_nb as rnb

        try:
            rnb.configure(store=directory / "store", durability=durability)  # type: ignore[arg-type]
        except rnb.InvalidOptionError:
            raise Absent(f"configure() knows no durability={durability!r} yet") from None
        try:
            # Said only where it differs from the default, so that the rest works before the option exists.
            durable: Any = rnb.durable
            child = durable(**({} if keyed_by == "args" else {"keyed_by": keyed_by}))(work.step)
        except rnb.InvalidOptionError:
            raise Absent("durable() knows no option keyed_by yet") from None

        def workflow(first: int, count: int, watch: Watch) -> int:
            watch.start()
            total = 0
            for number in range(first, first + count):
                total += child(number)
            watch.stop(total)
            return total

        def gated(number: int, gate: Gate) -> int:
            return gate()

        self.plain = rnb.durable(work.plain)
        self.reaching = rnb.durable(work.reaching)
        self.large = rnb.durable(large.length)
        self.over_table = rnb.durable(large.over_table)
        self.key: Callable[[Any], object] = rnb.fingerprint
        self.made_durable: Callable[[Any], Any] = rnb.durable
        self.read: Callable[[ModuleType], object] = lambda module: rnb.durable(module.top).fingerprint
        self.workflow = rnb.durable(ignore=("watch",))(workflow)
        self.own = self.wait = rnb.durable(ignore=("gate",))(gated)


class Law:
    """Of this package the store and the law alone, with the two commits that a cold call makes: what keys, guards and
    codecs cost beside them is the difference to `Ours`."""

    def __init__(self, directory: Path) -> None:
        from resonate_nb import protocol
        from resonate_nb.clock import SystemClock
        from resonate_nb.store import SqliteStore

        self._clock, self._law = SystemClock(), protocol
        self._store = SqliteStore.open(directory / "store", durability="process", clock=self._clock)

    def plain(self, x: int) -> int:
        id = f"clean/{blake3(pickle.dumps(x)).hexdigest()[:16]}@a91c03f7"
        with self._store.read() as reader:
            found = reader.latest(id)
        value: int
        if found is not None and found.value.data is not None:
            value = pickle.loads(found.value.data)
            return value
        law = self._law
        self._submit(law.CreatePromise(id, claim=law.Claim(self._store.owner, 60_000)))
        value = work.plain(x)
        data = pickle.dumps(value)
        stored = law.Value(data=data, size_bytes=len(data))
        self._submit(law.SettlePromise(id, law.State.RESOLVED, stored, 1))
        return value

    def _submit(self, command: Any) -> None:
        with self._store.write() as transaction:
            transaction.apply(self._law.apply(transaction, command, self._clock.now_ms()).deltas)


class Floor:
    """The least that a durable cache on SQLite does: pickle the arguments, blake3, SELECT by key, unpickle; INSERT on a
    miss. With two commits a row says "pending" before the body runs."""

    def __init__(self, directory: Path, *, commits: int = 1, synchronous: str = "NORMAL") -> None:
        # Where both differ, the claim need not survive a power cut: only the second commit is synced.
        self._execute = self._connected(directory, synchronous).cursor().execute
        self._claim = self._execute if commits == 1 else self._connected(directory, "NORMAL").cursor().execute
        self._execute("CREATE TABLE IF NOT EXISTS calls (key BLOB PRIMARY KEY, state TEXT, value BLOB)")
        self._execute(
            "CREATE TABLE IF NOT EXISTS steps (flow INTEGER, number INTEGER, value BLOB, UNIQUE (flow, number))"
        )
        durable = self._once if commits == 1 else self._twice
        self.plain = partial(durable, work.plain)
        self.reaching = partial(durable, work.reaching)

    @staticmethod
    def _connected(directory: Path, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(directory / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        expected = {"NORMAL": 1, "FULL": 2}[synchronous]
        assert connection.execute("PRAGMA synchronous").fetchone() == (expected,)
        return connection

    def _once(self, function: Callable[..., int], *args: Any) -> int:
        key = blake3(pickle.dumps((function.__name__, args))).digest()
        row = self._execute("SELECT value FROM calls WHERE key = ?", (key,)).fetchone()
        value: int
        if row is not None:
            value = pickle.loads(row[0])
            return value
        value = function(*args)
        self._execute("INSERT INTO calls VALUES (?, 'resolved', ?)", (key, pickle.dumps(value)))
        return value

    def _twice(self, function: Callable[..., int], *args: Any) -> int:
        key = blake3(pickle.dumps((function.__name__, args))).digest()
        row = self._execute("SELECT value FROM calls WHERE key = ?", (key,)).fetchone()
        value: int
        if row is not None:
            value = pickle.loads(row[0])
            return value
        self._claim("INSERT INTO calls VALUES (?, 'pending', NULL)", (key,))
        value = function(*args)
        self._execute("UPDATE calls SET state = 'resolved', value = ? WHERE key = ?", (pickle.dumps(value), key))
        return value

    def workflow(self, first: int, count: int, watch: Watch) -> int:
        """A commit a step; what is done is read in one SELECT."""
        watch.start()
        total = 0
        done = dict(self._execute("SELECT number, value FROM steps WHERE flow = ?", (first,)).fetchall())
        for number in range(first, first + count):
            if (stored := done.get(number)) is not None:
                total += pickle.loads(stored)
                continue
            value = work.step(number)
            self._execute("INSERT INTO steps VALUES (?, ?, ?)", (first, number, pickle.dumps(value)))
            total += value
        watch.stop(total)
        return total


class Hashed:
    """The least that a cache of large arguments does: their buffers go through blake3 as they are."""

    def __init__(self, directory: Path) -> None:
        self._known: dict[bytes, int] = {}

    @staticmethod
    def key(value: Any) -> bytes:
        hasher = blake3()
        hasher.update(pickle.dumps(value, 5, buffer_callback=lambda buffer: hasher.update(buffer.raw())))
        return hasher.digest()

    def large(self, x: Any) -> int:
        return self._called(large.length, x, x)

    def over_table(self, x: int) -> int:
        return self._called(large.over_table, x, (large.TABLE, x))

    def _called(self, function: Callable[[Any], int], x: Any, what: object) -> int:
        key = self.key(what)
        value = self._known.get(key)
        if value is None:
            value = self._known[key] = function(x)
        return value


class Parsed:
    """The least that whoever looks at code does."""

    def __init__(self, directory: Path) -> None:
        pass

    @staticmethod
    def read(module: ModuleType) -> object:
        path = cast(str, module.__file__)
        return compile(ast.parse(Path(path).read_text("utf-8")), path, "exec")


class Dict:
    """The least of all: a wrapper's call and a look-up in memory. Survives nothing."""

    def __init__(self, directory: Path) -> None:
        self.plain = self._remembered(work.plain)
        self.reaching = self._remembered(work.reaching)
        self.over_table = self._remembered(large.over_table)
        self.made_durable = self._remembered

    @staticmethod
    def _remembered(function: Callable[..., int]) -> Callable[..., int]:
        known: dict[object, int] = {}

        def remembered(*args: Any, **kwargs: Any) -> int:
            key = (*map(type, args), args)
            value = known.get(key)
            if value is None:
                value = known[key] = function(*args, **kwargs)
            return value

        return remembered


class _Loop:
    """A cache of calls, with which a workflow is a loop."""

    step: Callable[[int], int]

    def workflow(self, first: int, count: int, watch: Watch) -> int:
        step = self.step
        watch.start()
        total = 0
        for number in range(first, first + count):
            total += step(number)
        watch.stop(total)
        return total


class Joblib(_Loop):
    """joblib.Memory, as its documentation sets it up."""

    def __init__(self, directory: Path) -> None:
        self.made_durable = cache = _package("joblib").Memory(directory, verbose=0).cache
        self.plain, self.reaching, self.step = cache(work.plain), cache(work.reaching), cache(work.step)
        self.large, self.key = cache(large.length), _package("joblib").hash


class Diskcache(_Loop):
    """diskcache.Cache.memoize, with its defaults (WAL, synchronous NORMAL)."""

    def __init__(self, directory: Path) -> None:
        memoize = _package("diskcache").Cache(directory).memoize
        self.plain, self.reaching, self.step = (memoize()(each) for each in (work.plain, work.reaching, work.step))
        self.large, self.made_durable = memoize()(large.length), memoize()


class Marimo:
    """marimo's cache on disk, as a library."""

    def __init__(self, directory: Path) -> None:
        self.large = _package("marimo").persistent_cache(save_path=directory)(large.length)


class Dask:
    """dask's digests of values."""

    def __init__(self, directory: Path) -> None:
        self.key = _package("dask.base").tokenize


class Dbos:
    """DBOS on SQLite: a call is a workflow whose id is the function and its argument."""

    def __init__(self, directory: Path) -> None:
        dbos = _package("dbos")
        self._with_id, self._gate = dbos.SetWorkflowID, _no_gate
        app = dbos.DBOS
        self._plain, self._reaching = app.workflow()(work.plain), app.workflow()(work.reaching)
        step = app.step()(work.step)
        self._watch: Watch

        # Inputs are stored, so the watch and the gate reach the bodies by themselves.
        def workflow(first: int, count: int) -> int:
            self._watch.start()
            total = 0
            for number in range(first, first + count):
                total += step(number)
            self._watch.stop(total)
            return total

        def gated(number: int) -> int:
            return self._gate()

        self._workflow, self._gated = app.workflow()(workflow), app.workflow()(gated)
        app(config={"name": "benchmarks", "system_database_url": _dbos_url(directory), "log_level": "ERROR"})
        self.launch = app.launch
        """From here on it works, and takes up what a dead process left, in a thread of its own."""

    def plain(self, x: int) -> int:
        with self._with_id(f"plain-{x}"):
            return cast(int, self._plain(x))

    def reaching(self, x: int) -> int:
        with self._with_id(f"reaching-{x}"):
            return cast(int, self._reaching(x))

    def workflow(self, first: int, count: int, watch: Watch) -> int:
        self._watch = watch
        with self._with_id(f"workflow-{first}"):
            return cast(int, self._workflow(first, count))

    def resume(self, first: int, count: int, watch: Watch) -> None:
        """Recovery begins with the launch; the watch, started by the body, ends the process."""
        self._watch = watch
        self.launch()
        threading.Event().wait()

    def own(self, number: int, gate: Gate) -> int:
        self._gate = gate
        with self._with_id(f"gated-{number}"):
            return cast(int, self._gated(number))


class DbosClient:
    """A process that waits for DBOS's workflows and runs none."""

    def __init__(self, directory: Path) -> None:
        self._client = _package("dbos").DBOSClient(system_database_url=_dbos_url(directory))

    def wait(self, number: int, gate: Gate) -> int:
        return cast(int, self._client.retrieve_workflow(f"gated-{number}").get_result())


def _dbos_url(directory: Path) -> str:
    return f"sqlite:///{directory / 'dbos.sqlite'}"


def _no_gate() -> int:
    raise RuntimeError("a gated workflow ran where none was asked for")


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Absent(f"{error.name} is not installed; pip install 'resonate-nb[bench]'") from None


CONTESTANTS: dict[str, Callable[[Path], Any]] = {
    **{
        f"ours, {durability}{', keyed by call' if keyed_by == 'call' else ''}": partial(
            Ours, durability=durability, keyed_by=keyed_by
        )
        for durability in ("process", "adaptive", "full")
        for keyed_by in ("args", "call")
    },
    "ours: store and law alone": Law,
    "floor: one commit": Floor,
    "floor: two commits": partial(Floor, commits=2),
    "floor: one commit, FULL": partial(Floor, synchronous="FULL"),
    "floor: two commits, second FULL": partial(Floor, commits=2, synchronous="FULL"),
    "floor: dict in memory": Dict,
    "floor: pickle out of band, blake3": Hashed,
    "floor: parse and compile": Parsed,
    "marimo.persistent_cache": Marimo,
    "dask.base.tokenize": Dask,
    "joblib.Memory": Joblib,
    "diskcache.memoize": Diskcache,
    "DBOS": Dbos,
    "DBOS client": DbosClient,
}
