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
    assert f"f runs plainly, not durably: the store '{tmp_path}/room/store' cannot be used: " in warning
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
