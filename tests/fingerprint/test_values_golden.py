"""Digests that must not move: between releases of ours, versions of Python, processes, and seeds of hashing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from golden_values import GOLDEN, computed


def test_digests_are_those_of_every_release() -> None:
    """A digest that moves makes every stored promise be computed again: say so in the changelog, then write it anew."""
    found = computed()
    assert {group: digests for group, digests in json.loads(GOLDEN.read_text()).items() if group in found} == found


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_digests_do_not_depend_on_the_seed_of_hashing(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, str(GOLDEN.with_name("golden_values.py"))],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert computed() == json.loads(done.stdout)
