"""A power cut takes no more than the store's durability says, whenever it comes, and leaves a store that opens.

Not a guess at what a disk does: a run is recorded, and the store is rebuilt as it may lie there after a power cut at an
instant, again and again. See `power` for what "may" means.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from children import CLOCK, pending
from power import rebuild
from traced import Record, trace
from workload import run, run_two, value_of

from resonate_nb.errors import NotStoredError, StoreError
from resonate_nb.protocol import Inserted, State, Value
from resonate_nb.store import INLINE_BYTES, Durability, Query, SqliteStore
from resonate_nb.store._values import is_value_name

pytestmark = [
    pytest.mark.strace,
    pytest.mark.slow,
    # That a log ends in the middle is said, rightly.
    pytest.mark.filterwarnings("ignore::resonate_nb.errors.DurableWarning"),
]

STEPS = 300
CUTS = 120
STORE = ("above", "store")
MENDABLE = {"missing_file", "short_file", "orphan_file", "partial_file"}
"""What `check` may find, for a repair to mend: a promise whose value reads as not stored, a file that nobody names."""


@dataclass(slots=True)
class Run:
    """A recorded run, and what it makes of the store, transaction by transaction."""

    record: Record
    durability: dict[int, Durability] = field(default_factory=dict)
    """Of each process that worked on the store."""
    states: list[dict[str, State]] = field(default_factory=lambda: [{}])
    """After each number of transactions, from none."""
    settled: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By which process, in which transaction."""
    forgotten_at: dict[str, int] = field(default_factory=dict)
    """The line at which its forgetting began."""


def recorded(root: Path, *durabilities: Durability, name: str) -> Run:
    work: Callable[..., None] = run if len(durabilities) == 1 else run_two
    made = Run(trace(root, work, root.joinpath(*STORE), *durabilities, name, STEPS // len(durabilities)))
    for line in made.record.lines:
        if line.words[0] != "will":
            continue
        _, number, verb, id = line.words
        assert len(made.states) == int(number)
        state = dict(made.states[-1])
        match verb:
            case "inserted":
                state[id] = State.PENDING
            case "settled":
                state[id] = State.RESOLVED
                made.settled[id] = (line.process, int(number))
            case "deleted":
                del state[id]
                made.forgotten_at[id] = line.at
        made.states.append(state)
        made.durability.setdefault(line.process, durabilities[int(id.partition("/")[0].rpartition("-")[2])])
    return made


@dataclass(frozen=True, slots=True)
class Promised:
    """What had been said by the time of the cut, in numbers of transactions."""

    rows: int
    """So many are there at least."""
    begun: int
    """No more than so many can be there."""
    done: int
    """So many had returned."""
    files: dict[int, int]
    """Of each process: the values that it settled in so many transactions can be read."""


def promised(made: Run, cut: int) -> Promised:
    """A sync of the log in the background makes rows safe that had returned before it began."""
    record = made.record
    groups = [
        sync.begun
        for name, node in record.everything()
        for sync in node.syncs
        if name == "promises.db-wal" and sync.is_behind and sync.ended <= cut
    ]
    group = max(groups, default=0)
    rows = begun = done = 0
    files: dict[int, int] = {}
    for line in record.lines:
        if line.at >= cut:
            break
        number = int(line.words[1])
        match line.words[0]:
            case "will":
                begun = number
            case "safe":
                rows = max(rows, number)
                files[line.process] = number
            case "done":
                done = max(done, number)
                if line.at < group:
                    rows = max(rows, number)
    return Promised(rows, begun, done, files)


def is_promised(id: str, made: Run, cut: int, promise: Promised) -> bool:
    """Whether a value must be there, where its row is."""
    size_bytes = len(value_of(id))
    process, settled = made.settled[id]
    durability = made.durability[process]
    if size_bytes <= INLINE_BYTES or durability == "full":
        return True
    if made.forgotten_at.get(id, cut) < cut:
        # Its unlinking may be safe before the transaction is that no longer names it.
        return False
    # From 1 MB on it is synced before its row.
    return settled <= promise.files.get(process, 0) or (durability == "adaptive" and size_bytes >= 1_000_000)


def read(store: SqliteStore, value: Value) -> bytes | None:
    """The bytes; None when they are not stored."""
    if value.file is None:
        return value.data
    try:
        return store.read_file(value.file, value.size_bytes)
    except NotStoredError:
        return None


def judge(path: Path, made: Run, cut: int, promise: Promised) -> int:
    """Assert that the store keeps what was promised. How many transactions it holds."""
    store = SqliteStore.open(path, durability="process", clock=CLOCK)
    problems = store.check()
    assert MENDABLE >= {problem.kind for problem in problems}, problems
    with store.read() as reader:
        number = int(reader.note("count", "n") or b"0")
        found = {each.id: each for each in reader.search(Query())}
        assert store.invalidation_word() == reader.invalidation
    assert promise.rows <= number <= promise.begun
    assert made.states[number] == {id: each.state for id, each in found.items()}
    for id, each in found.items():
        if each.state is State.PENDING:
            assert each.owner is not None
            assert not store.is_alive(each.owner)
        elif is_promised(id, made, cut, promise):
            assert value_of(id) == read(store, each.value), id
        else:
            # What has the right length only is told by its signature from what was signed.
            data = read(store, each.value)
            assert data is None or len(value_of(id)) == len(data), id
    with store.write() as transaction:
        transaction.apply([Inserted(pending("afterwards", store.owner))])
    store.repair()
    assert [] == store.check()
    store.close()
    return number


def cut_power(made: Run, name: str, folder: Path) -> int:
    """Rebuild and judge, many times. How often something was lost that had returned."""
    losses = 0
    for number in range(CUTS):
        chance = random.Random(f"{name} {number}")
        # Every fourth while the store is being made.
        cut = chance.randint(1, made.record.length if number % 4 else 200)
        promise = promised(made, cut)
        rebuilt = folder / "rebuilt"
        store = rebuilt.joinpath(*STORE)
        try:
            rebuild(made.record, cut, chance, rebuilt)
            held = judge(store, made, cut, promise) if store.exists() else 0
            assert held >= promise.rows
        except Exception as error:
            error.add_note(f"run {name!r}, cut {number} at line {cut} of {made.record.length}: {promise}")
            raise
        finally:
            shutil.rmtree(rebuilt)
        losses += held < promise.done
    return losses


@pytest.mark.parametrize(
    "durabilities",
    [
        pytest.param(each, id="-".join(each))
        for each in (("full",), ("adaptive",), ("process",), ("adaptive", "adaptive"), ("full", "process"))
    ],
)
def test_rebuilt_store_keeps_what_was_promised(tmp_path: Path, durabilities: tuple[Durability, ...]) -> None:
    """And the rows that survive are those of a prefix of the commits, by whichever process."""
    name = f"{random.randrange(10**6)}"
    made = recorded(tmp_path / "root", *durabilities, name=name if len(durabilities) > 1 else f"{name}-0")
    losses = cut_power(made, name, tmp_path)
    # A cut that never takes anything would show nothing.
    assert (losses == 0) == (durabilities == ("full",))


@pytest.fixture(scope="module", params=["full", "adaptive"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for all who take something away from it."""
    return recorded(tmp_path_factory.mktemp("made") / "root", request.param, name="1-0")


VALUE = "a value file"


@pytest.mark.parametrize("name", ["", "above", "store", "values", VALUE, "promises.db-wal", "promises.db"])
def test_every_sync_is_needed(tmp_path: Path, made: Run, name: str) -> None:
    """Without those of this file or directory some cut takes what was promised. So the cuts can tell."""
    everything = [("", made.record.root), *made.record.everything()]
    nodes = {node for each, node in everything if name in (each, VALUE if is_value_name(each) else None)}
    taken = {node: node.syncs for node in nodes if node.syncs}
    assert taken
    for node in taken:
        node.syncs = []
    try:
        with pytest.raises((AssertionError, StoreError)):
            cut_power(made, "1", tmp_path)
    finally:
        for node, syncs in taken.items():
            node.syncs = syncs
