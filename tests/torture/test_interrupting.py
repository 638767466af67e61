"""Ctrl-C at random instants of a call: while it claims, runs, waits, encodes, writes and commits."""

from __future__ import annotations

import pytest
from interrupting import MODES, held
from tortured import Tortured

ROUNDS = 40


@pytest.mark.slow
def test_ctrl_c_at_any_instant_leaves_nothing_half_done(tortured: Tortured) -> None:
    """The call returned or was interrupted; its promise is settled, or free for whoever comes next. See
    `interrupting.py`."""
    lines = tortured.run("interrupting.py", tortured.store, ROUNDS, 1).splitlines()
    found = {tuple(line.split()[:-1]): int(line.split()[-1]) for line in lines}
    assert ROUNDS * len(MODES) == sum(found.values())
    states = {mode: {state for other, _, state in found if other == mode} for mode in MODES}
    for mode, (function, _) in MODES.items():
        # Of its own promise a call is interrupted before and after the settlement, of another's it is only a guest.
        wanted = {"resolved"} if function is held else {"free", "resolved"}
        assert wanted <= states[mode], (mode, found)
    # One that comes while a finished body is stored is held back until it is.
    assert ("encoding", "interrupted", "resolved") in found
