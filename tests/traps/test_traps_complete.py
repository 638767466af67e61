"""The list of traps is walked through: each of 1 to 66 stands in a table, and so do five relatives of it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from trap_sessions import Trap

HERE = Path(__file__).parent
MODULES = [
    importlib.import_module(path.stem) for path in sorted(HERE.glob("test_traps_*.py")) if path != Path(__file__)
]
TABLES = [trap for module in MODULES for trap in getattr(module, "TRAPS", ()) if isinstance(trap, Trap)]
FUNCTIONS = [name for module in MODULES for name in vars(module) if name.startswith("test_")]
# Tables of another form, by the trap that they are relatives of.
FURTHER = {65: ("READINGS", "CASES"), 66: ("CASES",), 34: ("RENAMED",), 28: ("APART",), 39: ("ORDERED",)}


def relatives(number: int) -> int:
    """How many ways to vary the trap are tried; of a row of look-alike arguments each is one."""
    rows = [trap for trap in TABLES if re.fullmatch(rf"{number}[a-zA-Z]", trap.number)]
    count = sum(trap.kinds for trap in rows)
    further = [getattr(module, name, ()) for module in MODULES for name in FURTHER.get(number, ())]
    return count + sum(map(len, further))


@pytest.mark.parametrize("number", range(1, 67))
def test_every_trap_is_sprung_and_so_are_five_relatives(number: int) -> None:
    own = [trap for trap in TABLES if trap.number == str(number)]
    assert own or any(re.match(rf"test_{number}_", name) for name in FUNCTIONS)
    assert 5 <= relatives(number)
