"""Ctrl-C at random instants of a call: while it claims, runs, waits, encodes, writes and commits."""

from __future__ import annotations

import pytest
from interrupting import MODES, missed
from tortured import Tortured

ROUNDS = 40


@pytest.mark.slow
def test_ctrl_c_at_any_instant_leaves_nothing_half_done(tortured: Tortured) -> None:
    """The call returned or was interrupted; its promise is settled, or free for whoever comes next. See
    `interrupting.py`."""
    lines = tortured.run("interrupting.py", tortured.store, ROUNDS, 1).splitlines()
    found = {tuple(line.split()[:-1]): int(line.split()[-1]) for line in lines}
    assert ROUNDS * len(MODES) <= sum(found.values())
    assert [] == missed(found), found
