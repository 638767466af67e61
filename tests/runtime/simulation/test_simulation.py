"""Many owners of one store, under a scheduler that has a seed: each history holds what the package promises.

    python tests/runtime/simulation --seeds 100000

plays as many as one has patience for. What it finds becomes a plain test in `test_simulation_found.py`.
"""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sim_law import run_law
from sim_schedule import Plan, played, run

pytestmark = pytest.mark.slow

EVENTS = {
    "began",
    "ran",
    "replayed",
    "waited",
    "paused",
    "killed",
    "crash",
    "Killed",
    "stopped",
    "full",
    "KeyboardInterrupt",
}
"""What has to have happened for a run to count."""
STATUSES = {"done", "exists", "settled", "not_found", "conflict"}


@pytest.mark.parametrize("block", range(4))
def test_every_history_holds(block: int):
    """Whoever dies, stops, is interrupted or meets a full disk: settled once, run by one, and nobody waits for ever."""
    seen: Counter[str] = Counter()
    for seed in range(block * 150, block * 150 + 150):
        seen += run(Plan(seed))
    assert set() == EVENTS - seen.keys()


@pytest.mark.parametrize("block", range(2))
def test_every_history_of_commands_holds(block: int):
    """The law, under owners that act on what was true long ago."""
    met: Counter[str] = Counter()
    for seed in range(block * 600, block * 600 + 600):
        met += run_law(seed)
    assert STATUSES <= {key.split()[1] for key in met}
    assert set() == {f"{verb} done" for verb in VERBS} - met.keys()


VERBS = (
    "CreatePromise",
    "AcceptPromise",
    "SettlePromise",
    "AcquireTask",
    "HeartbeatTask",
    "ReleaseTask",
    "FenceTask",
    "ExpirePromise",
    "ForgetPromise",
)


def test_a_seed_is_one_history():
    """Or a failure could not be looked at again."""
    assert played(Plan(12)).told() == played(Plan(12)).told()
    assert played(Plan(12)).told() != played(Plan(13)).told()


def test_no_thread_starts():
    """Only the scheduler moves anything: neither a heart nor timers nor a feed run by themselves."""
    before = set(threading.enumerate())
    assert run(Plan(1)) + run(Plan(2))
    assert set() == set(threading.enumerate()) - before  # one of another test's may end meanwhile
