"""A disk that gets full costs no value: what was computed is returned, what is stored is still hit, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from disks import DISKS, run

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("disk", DISKS)]

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
    assert before.startswith("f runs now, and its result is stored only if there is room when it ends: the store '")
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
    assert warning.endswith("It is stored when there is room again, if this process still runs then.")


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
