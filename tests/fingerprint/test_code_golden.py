"""Canonical bytes that must not move: not between releases of ours, and not between versions of Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from golden_trees import GOLDEN, SOURCES, computed
from pythons import pythons


def test_canonical_bytes_are_those_of_every_release() -> None:
    assert json.loads(GOLDEN.read_text()) == computed()


@pytest.mark.slow
def test_canonical_bytes_are_those_of_every_python() -> None:
    """Of this one, and of the others that this machine has."""
    script = GOLDEN.with_name("golden_trees.py")
    for python in pythons():
        done = subprocess.run([python, "-I", str(script)], capture_output=True, text=True, check=True)
        assert json.loads(GOLDEN.read_text()) == json.loads(done.stdout), python


def test_canonical_bytes_tell_all_sources_apart() -> None:
    assert len(set(computed().values())) == len(SOURCES)
