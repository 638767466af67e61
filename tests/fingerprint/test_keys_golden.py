"""Keys of functions that must not move: between releases of ours, and versions of Python; and what values come to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from golden_keys import GOLDEN, STAND_IN, keys
from pythons import pythons


def test_keys_are_those_of_every_release() -> None:
    """A key that moves makes every stored promise be computed again: say so in the changelog, then write it anew."""
    found = keys()
    assert {name: key for name, key in json.loads(GOLDEN.read_text()).items() if name in found} == found


@pytest.mark.slow
def test_keys_and_values_are_those_of_every_python() -> None:
    """Of this one, and of the others that this machine has. They need nothing installed: what is hashed is compared."""
    here, *others = [_digests(python) for python in pythons()]
    assert 200 < len(here["values"])
    for python, found in zip(pythons()[1:], others, strict=True):
        for group, digests in here.items():
            assert {} == {name: digest for name, digest in digests.items() if found[group].get(name) != digest}, python


def _digests(python: str) -> dict[str, Any]:
    script = str(GOLDEN.with_name("golden_keys.py"))
    done = subprocess.run([python, "-I", script, STAND_IN], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
