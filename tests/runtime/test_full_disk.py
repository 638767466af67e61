"""A disk that gets full costs no value: what was computed is returned, what is stored is still hit, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from disks import DISKS, run

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("disk", DISKS)]

LATER = "It is stored as soon as this one can be written to, if this process still runs then."
BEFORE = "runs now, and its result is stored only if the store can be written to when it ends: "
F = """
runs = []

@durable(ignore=("runs",))
def f(x):
    runs.append(x)
    return x + 1
"""


def test_without_room_for_a_store_calls_run_plainly(disk: str, tmp_path: Path):
    """Said once for each function, with the store and the way out; as soon as there is room they are durable."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
fill()
said["full"] = [f(1), f(1), f(2)]
said["promises"] = len(rnb.search())
free()
said["free"] = [f(1), f(1)]
said["runs"] = runs
""",
    )
    assert {"full": [2, 2, 3], "promises": 0, "free": [2, 2], "runs": [1, 1, 2, 1]} == ran.said
    (warning,) = ran.warned
    assert f"f runs plainly, not durably: the store '{tmp_path}/room/store' cannot be written to: " in warning
    assert "configure(store=...)" in warning


def test_a_call_that_cannot_be_claimed_runs_and_says_so_once(disk: str, tmp_path: Path):
    """Before its body, when there is still time to make room, and after it; what is stored is hit."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
f(0)
fill()
said["full"] = [f(1), f(1), f(2)]
said["hit"] = f(0)
free()
said["free"] = [f(1), f(1)]
said["runs"] = runs
""",
    )
    assert {"full": [2, 2, 3], "hit": 1, "free": [2, 2], "runs": [0, 1, 1, 2, 1]} == ran.said
    before, after = ran.warned
    assert before.startswith(f"f {BEFORE}the store '")
    assert after.startswith("f: the value is returned but not stored: the store '")


def test_a_call_that_was_not_claimed_is_stored_if_there_is_room_when_it_ends(disk: str, tmp_path: Path):
    """Whoever reads the warning and frees space while the body runs has lost nothing."""
    ran = run(
        disk,
        tmp_path,
        """
@durable(ignore=("free",))
def f(x):
    free()
    return x + 1

f(0)
fill()
said["values"] = [f(1), f(1)]
said["promise"] = [f.get(1).state.value, [each.outcome for each in f.get(1).attempts]]
""",
    )
    assert {"values": [2, 2], "promise": ["resolved", ["resolved"]]} == ran.said
    assert 1 == len(ran.warned)


def test_a_result_that_cannot_be_written_down_is_as_soon_as_there_is_room(disk: str, tmp_path: Path):
    """Also the next call finds it, and does not compute again."""
    ran = run(
        disk,
        tmp_path,
        """
runs = []

@durable(ignore=("fill", "runs"))
def f(x):
    runs.append(x)
    fill()
    return x + 1

said["full"] = f(1)
said["shown"] = f.get(1).record.shown.value
free()
said["free"] = f(1)
said["state"] = f.get(1).state.value
said["runs"] = runs
""",
    )
    assert {"full": 2, "shown": "interrupted", "free": 2, "state": "resolved", "runs": [1]} == ran.said
    (warning,) = ran.warned
    assert warning.startswith("f: the value is returned but not stored: the store '")
    assert warning.endswith(LATER)


STEP = """
runs = []
others = []

@durable(id="step", version=1, ignore=("runs", "others", "meanwhile"))
def step():
    runs.append(1)
    meanwhile()
    return "here" if others else "elsewhere"
"""


def test_a_process_that_waits_runs_the_body_itself_when_the_result_cannot_be_written_down(disk: str, tmp_path: Path):
    """Nobody waits for room on the disk."""
    ran = run(
        disk,
        tmp_path,
        STEP
        + """
def meanwhile():
    others.append(Elsewhere())
    others[0].until("waiting for")
    fill()

said["here"] = step()
said["elsewhere"] = others[0].said()
free()
said["later"] = step()
said["runs"] = runs
""",
        elsewhere=STEP
        + """
def meanwhile():
    others.clear()

said["value"] = step()
said["runs"] = runs
""",
    )
    theirs = ran.said.pop("elsewhere")
    assert ("elsewhere", [1]) == (theirs["value"], theirs["runs"])
    # Where only the first process could not write, the other's result is the one that is stored.
    assert {"here": "here", "later": "elsewhere" if disk == "limit" else "here", "runs": [1]} == ran.said
    assert 1 == len(ran.warned)


def test_a_thread_that_waits_runs_the_body_itself(disk: str, tmp_path: Path):
    """What the first run came to is stored later, and is what is found from then on."""
    ran = run(
        disk,
        tmp_path,
        """
import logging
runs = []
is_waiting = threading.Event()

class Ears(logging.Handler):
    def emit(self, record):
        if "waiting for" in record.getMessage():
            is_waiting.set()

logging.getLogger("resonate_nb").addHandler(Ears("INFO"))

@durable(id="step", version=1, ignore=("runs", "is_waiting", "thread", "fill"))
def step():
    runs.append(1)
    if len(runs) == 1:
        thread.start()
        is_waiting.wait()
        fill()
    return len(runs)

thread = threading.Thread(target=lambda: said.update(waiter=step()))
said["owner"] = step()
thread.join()
free()
said["later"] = step()
said["runs"] = runs
""",
    )
    assert {"owner": 1, "waiter": 2, "later": 1, "runs": [1, 1]} == ran.said


def test_it_is_written_down_without_any_further_call(disk: str, tmp_path: Path):
    """By the thread that keeps leases, with its next beat."""
    ran = run(
        disk,
        tmp_path,
        """
from resonate_nb.runtime import engine

@durable(ignore=("fill",))
def f(x):
    fill()
    return x

f(1)
free()
engine().tasks.beat()
said["promise"] = [f.get(1).state.value, f.get(1).result(), [each.outcome for each in f.get(1).attempts]]
""",
    )
    assert {"promise": ["resolved", 1, ["resolved"]]} == ran.said


def test_what_is_said_once_is_said_again_of_the_next_time(disk: str, tmp_path: Path):
    """A disk that was full a week ago, and is full again."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
for outage in range(2):
    rnb.configure(store=STORE + str(outage))
    fill()
    f(1), f(1)
    free()
    f(2)
    fill()
    f(3), f(4)
    free()
    f(5)
""",
    )
    kinds = [warning.partition(": ")[0] for warning in ran.warned]
    assert 2 * ["f runs plainly, not durably", f"f {BEFORE.strip(': ')}", "f"] == kinds


def test_a_value_without_room_for_its_file_is_said_to_be_not_stored(disk: str, tmp_path: Path):
    """There is room for the row, which says it; the next call computes again, and is stored as soon as it can be."""
    ran = run(
        disk,
        tmp_path,
        """
runs = []

@durable(ignore=("runs",))
def f(x):
    runs.append(x)
    return b"x" * x

f(0)
fill(leave=900_000)
said["full"] = [len(f(3_000_000)), len(f(3_000_000))]
said["again"] = f.get(3_000_000).record.again
try:
    f.get(3_000_000).result()
except rnb.NotStoredError as error:
    said["error"] = str(error)
free()
said["free"] = [len(f(3_000_000)), len(f(3_000_000))]
said["runs"] = runs
said["check"] = str(rnb.check())
""",
    )
    assert 4 * [3_000_000] == ran.said["full"] + ran.said["free"]
    assert [0, 3_000_000, 3_000_000, 3_000_000] == ran.said["runs"]
    (again,) = ran.said["again"]
    assert again.startswith(f"not stored: the store '{tmp_path}/room/store' cannot be written to: ")
    assert "was not stored (the store '" in ran.said["error"]
    assert ran.said["check"].startswith("sound: 4 promises, 1 value file, ")
    first, second = ran.warned
    assert first.startswith("f: the value is returned but not stored: the store '")
    assert second.startswith("f: again the value is returned but not stored")
    # What to do is in the warning, and done when the last of these lines comes.
    lines = [line for line in ran.lines if "runs again, the last result was not stored" in line]
    assert (2, []) == (len(lines), [line for line in lines if "RESONATE_NB_STORE" in line])


def test_what_a_body_raises_on_a_full_disk_is_raised(disk: str, tmp_path: Path):
    """And is stored as a failure as soon as it can be."""
    ran = run(
        disk,
        tmp_path,
        """
@durable(ignore=("fill", "errors"))
def f(x):
    fill()
    raise KeyError(x)

@durable
def g():
    return 1

errors = []
for _ in range(3):
    try:
        f(7)
    except KeyError as error:
        errors.append(error.args)
free()
g()
said["errors"] = errors
said["promise"] = [f.get(7).state.value, [each.outcome for each in f.get(7).attempts], repr(f.get(7).exception())]
""",
    )
    assert {"errors": 3 * [[7]], "promise": ["rejected", ["rejected"], "KeyError(7)"]} == ran.said
    raised, again = ran.warned
    assert raised.startswith("f: what it raised is not stored: the store '")
    assert again.startswith(f"f {BEFORE}")


def test_attempts_go_on_where_they_cannot_be_written_down(disk: str, tmp_path: Path):
    """Said once, not for each of them."""
    ran = run(
        disk,
        tmp_path,
        """
runs = []

@durable(retry=rnb.Constant(max_attempts=3, delay=0), ignore=("fill", "runs"))
def f(x):
    runs.append(x)
    fill()
    if len(runs) < 3:
        raise OSError("the service is busy")
    return x

said["value"] = f(1)
free()
said["again"] = f(1)
said["runs"] = runs
""",
    )
    assert {"value": 1, "again": 1, "runs": [1, 1, 1]} == ran.said
    attempts, value = ran.warned
    assert "cannot be written down, and go on: the store '" in attempts
    assert value.startswith("f: the value is returned but not stored: the store '")


def test_a_deadline_that_passes_on_a_full_disk_is_a_deadline(disk: str, tmp_path: Path):
    """Whether or not it can be written down; the late value is in the error."""
    ran = run(
        disk,
        tmp_path,
        """
def late():
    try:
        threading.Event().wait()
    finally:
        return "late"

@durable(ignore=("fill", "late"), timeout=2)
def f():
    fill()
    return late()

try:
    f()
except rnb.DurableTimeoutError as error:
    said["error"] = [error.has_value, error.value]
said["full"] = f.get().state.value
free()
said["free"] = f.get().state.value
""",
    )
    assert {"error": [True, "late"], "full": "rejected_timedout", "free": "rejected_timedout"} == ran.said
    (warning,) = ran.warned
    assert "timed out, which could not be written down yet: the store '" in warning


def test_an_interrupt_on_a_full_disk_loses_nothing(disk: str, tmp_path: Path):
    """The promise is shown as interrupted, and taken up again."""
    ran = run(
        disk,
        tmp_path,
        """
runs = []

@durable(ignore=("fill", "runs"))
def f(x):
    runs.append(x)
    if len(runs) == 1:
        fill()
        raise KeyboardInterrupt
    return x

try:
    f(1)
except KeyboardInterrupt:
    said["shown"] = f.get(1).record.shown.value
free()
said["value"] = f(1)
said["attempts"] = [each.outcome for each in f.get(1).attempts]
""",
    )
    assert {"shown": "interrupted", "value": 1, "attempts": ["interrupted", "resolved"]} == ran.said
    (warning,) = ran.warned
    assert "was stopped, which could not be written down yet: the store '" in warning


def test_an_owner_that_cannot_extend_its_lease_keeps_its_promise(disk: str, tmp_path: Path):
    """On one machine its lock says that it is alive."""
    ran = run(
        disk,
        tmp_path,
        """
from resonate_nb.runtime import engine

beats = []

@durable(id="f", version=1, ignore=("beat",))
def f():
    beat()
    return 1

def beat():
    fill()
    try:
        engine().tasks.beat()
    except rnb.StoreError as error:
        beats.append(str(error))
    said["elsewhere"] = elsewhere()
    free()
    engine().tasks.beat()

said["value"] = f()
said["beats"] = len(beats)
said["attempts"] = [each.outcome for each in f.get().attempts]
""",
        elsewhere="""
said["shown"] = rnb.get("f").record.shown.value
""",
    )
    ran.said["elsewhere"].pop("warned")
    assert {"elsewhere": {"shown": "running"}, "value": 1, "beats": 1, "attempts": ["resolved"]} == ran.said
    assert [] == ran.warned


def test_children_on_a_full_disk_run_and_their_parent_returns(disk: str, tmp_path: Path):
    """Those that are stored are hit when the parent runs again; a parent without a claim has none that are."""
    ran = run(
        disk,
        tmp_path,
        """
runs = []

@durable(keyed_by="call", ignore=("runs",))
def child(x):
    runs.append(x)
    return x

@durable(ignore=("fill",))
def parent(x):
    child(x)
    fill()
    return child(x + 1)

@durable(ignore=("free",))
def other(x):
    child(x)
    free()
    return child(x + 1)

said["full"] = parent(1)
said["free"] = other(5)
said["later"] = [parent(1), other(5)]
said["runs"] = runs
said["ids"] = sorted(each.id.count(":") for each in rnb.search())
""",
    )
    assert {"full": 2, "free": 6, "later": [2, 6], "runs": [1, 2, 5, 6], "ids": [0, 0, 1]} == ran.said
    child, parent, other = ran.warned
    assert child.startswith("child: the value is returned but not stored: ")
    assert parent.startswith("parent: the value is returned but not stored: ")
    assert other.startswith(f"other {BEFORE}")


def test_awaited_calls_do_the_same(disk: str, tmp_path: Path):
    """One whose result is stored later, one that is not claimed, and two that ask for the same."""
    ran = run(
        disk,
        tmp_path,
        """
import asyncio

@durable(ignore=("fill",))
async def f(x):
    fill()
    return x

async def all_of_them():
    return [await f(1), await f(2), await asyncio.gather(f(3), f(3))]

said["full"] = asyncio.run(all_of_them())
free()
said["free"] = asyncio.run(f(1))
""",
    )
    assert {"full": [1, 2, [3, 3]], "free": 1} == ran.said
    first, before, after = ran.warned
    assert first.endswith(LATER)
    assert before.startswith("f runs now, ")
    assert after.startswith("f: the value is returned but not stored: ")


def test_lines_that_stderr_cannot_take_cost_nothing(disk: str, tmp_path: Path):
    """A script whose output goes to a file on the same disk."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
sys.stderr = open(os.path.join(ROOM, "log"), "w")
f(0)
fill()
said["values"] = [f(1), f.rerun(0)]
sys.stderr = sys.__stderr__
""",
    )
    assert {"values": [2, 1]} == ran.said


def test_forgetting_gives_up_values_to_make_room(disk: str, tmp_path: Path):
    """Where a limit and not the disk is in the way that does not help, and what has happened is said."""
    ran = run(
        disk,
        tmp_path,
        """
@durable
def f(x):
    return b"x" * x

f(1_000_000), f(1_000_001), f(5)
fill()
try:
    said["forgotten"] = len(rnb.forget("f/*"))
except rnb.StoreError as error:
    said["error"] = str(error)
said["files"] = len(os.listdir(os.path.join(STORE, "values")))
free()
said["left"] = len(rnb.search())
said["again"] = [len(f(5)), len(f(1_000_000))]
""",
    )
    if disk == "tmpfs":
        assert {"forgotten": 3, "files": 0, "left": 0, "again": [5, 1_000_000]} == ran.said
    else:
        error = ran.said.pop("error")
        assert {"files": 0, "left": 3, "again": [5, 1_000_000]} == ran.said
        assert error.endswith("The promises are still there, but those with large values (2) have lost them.")


def test_what_only_the_user_can_ask_for_says_that_the_disk_is_full(disk: str, tmp_path: Path):
    """There is no value to give instead; looking goes on."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
from resonate_nb.runtime import mark_rerun

f(0)
id = f.get(0).id
fill()
said["errors"] = []
for ask in (lambda: rnb.forget(id), lambda: mark_rerun(id), lambda: f.forget(0)):
    try:
        ask()
    except rnb.StoreError as error:
        said["errors"].append(str(error))
said["look"] = [len(rnb.search()), rnb.get(id).result(), len(rnb.to_frame())]
""",
    )
    assert [1, 1, 1] == ran.said["look"]
    assert 3 == len(ran.said["errors"])
    for error in ran.said["errors"]:
        assert f"the store '{tmp_path}/room/store' cannot be " in error
        assert "configure(store=...)" in error


def test_a_store_is_opened_on_a_full_disk_for_what_it_holds(disk: str, tmp_path: Path):
    """From a copy, elsewhere or in memory; where not even that can be made, calls run plainly. As soon as there is
    room everything is stored again, also for those who hold a handle."""
    ran = run(
        disk,
        tmp_path,
        F
        + """
elsewhere()
fill()
handles = rnb.search()
said["found"] = len(handles) if handles else 0
said["full"] = [f(0), f(1), f(1)]
free()
said["free"] = [f(1), f(1), f(0)]
said["runs"] = runs
said["handles"] = [handle.result() for handle in handles]
said["promises"] = len(rnb.search())
"""
        if disk == "tmpfs"
        else F
        + """
elsewhere()
fill()
said["full"] = [f(0), f(1), f(1)]
free()
said["free"] = [f(1), f(1), f(0)]
said["runs"] = runs
said["promises"] = len(rnb.search())
""",
        elsewhere=F + "f(0)\n",
        TMPDIR=str(tmp_path / "room"),
    )
    if disk == "tmpfs":
        found = {"found": 1, "handles": [1], "runs": [1, 1, 1]}
        opened, before, after = ran.warned
        assert f"the store '{tmp_path}/room/store' cannot be written to: the disk is full" in opened
        assert opened.endswith("What it holds is used meanwhile.")
        assert before.startswith(f"f {BEFORE}")
        assert after.startswith("f: the value is returned but not stored: ")
        assert f"[resonate_nb] the store '{tmp_path}/room/store' can be written to again" in ran.lines
    else:
        found = {"runs": [0, 1, 1, 1]}
        (plain,) = ran.warned
        assert plain.startswith("f runs plainly, not durably: ")
    assert {"full": [1, 2, 2], "free": [2, 2, 1], "promises": 2, **found} == ran.said


def test_with_hardly_any_room_nothing_breaks(disk: str, tmp_path: Path):
    """Whichever piece of a new store is the first that finds none."""
    ran = run(
        disk,
        tmp_path,
        """
@durable
def f(x):
    return x

leaves = range(0, 200_000, 4096)
said["wrong"] = []
for leave in leaves:
    rnb.configure(store=os.path.join(ROOM, f"store{leave}"))
    fill(leave)
    said["wrong"] += [leave for _ in range(2) if f(leave) != leave]
    free()
said["lost"] = []
for leave in leaves:
    rnb.configure(store=os.path.join(ROOM, f"store{leave}"))
    said["lost"] += [leave] * (f(leave) != leave or len(rnb.search()) != 1 or not rnb.check().is_sound)
""",
    )
    assert {"wrong": [], "lost": []} == ran.said
    calls = [each for each in ran.warned if not each.endswith("What it holds is used meanwhile.")]
    assert all(each.startswith(("f runs plainly", "f runs now", "f: the value is returned")) for each in calls)


def test_a_group_that_cannot_be_synced_is_said_once(disk: str, tmp_path: Path):
    """The values are committed; what they are not safe against is said. No more files may be opened here."""
    ran = run(
        disk,
        tmp_path,
        """
import resource

has_synced = threading.Event()

@durable(ignore=("has_synced",))
def f(x):
    has_synced.wait(0.2)
    return x

f(0)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) - 1, hard))
said["values"] = [f(1), f(2), f(3)]
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
said["hits"] = [f(1), f(2), f(3)]
""",
        DURABILITY="adaptive",
    )
    assert {"values": [1, 2, 3], "hits": [1, 2, 3]} == ran.said
    (warning,) = ran.warned
    assert f"f: the store '{tmp_path}/room/store' could not be synced: too many files are open" in warning


def test_a_cell_on_a_full_disk_binds_its_names_and_shows_its_output(disk: str, tmp_path: Path):
    """Its record is stored as soon as there is room, output and all; one that was not claimed runs again."""
    ran = run(
        disk,
        tmp_path,
        """
import contextlib, io
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "resonate_nb")
shell.user_ns.update(fill=fill, runs=[])

def cell(text):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        shell.run_cell(text).raise_error()
    return [shell.user_ns.get("a"), shell.user_ns.get("b"), out.getvalue()]

FIRST = "%%durable first --ignore fill --ignore runs\\nfill()\\nruns.append(1)\\na = [1]\\nprint('one')"
SECOND = "%%durable second --ignore runs\\nruns.append(2)\\nb = [2]\\nprint('two')"
said["full"] = [cell(FIRST), cell(SECOND), cell(SECOND)]
free()
shell.user_ns.update(a=None, b=None)
said["free"] = [cell(FIRST), cell(SECOND), cell(SECOND)]
said["runs"] = shell.user_ns["runs"]
""",
    )
    full, free = ran.said["full"], ran.said["free"]
    assert [[[1], None, "one\n"], [[1], [2], "two\n"], [[1], [2], "two\n"]] == full
    assert [[[1], None], [[1], [2]], [[1], [2]]] == [each[:2] for each in free]
    assert [True, False, True] == ["replayed" in each[2] for each in free]
    assert [1, 2, 2, 2] == ran.said["runs"]
    first, before, after = ran.warned
    assert first.startswith("cell `first`: the value is returned but not stored: ")
    assert before.startswith(f"cell `second` {BEFORE}")
    assert after.startswith("cell `second`: the value is returned but not stored: ")
