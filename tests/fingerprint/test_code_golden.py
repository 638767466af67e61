"""Canonical bytes that must not move: not between releases of ours, and not between versions of Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from golden_trees import GOLDEN, SOURCES, computed


def test_canonical_bytes_are_those_of_every_release() -> None:
    assert json.loads(GOLDEN.read_text()) == computed()


def _interpreter(version: str) -> str | None:
    """A Python of this version that runs; a shim of a version manager may stand there and not run."""
    candidates = [
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
        shutil.which(f"python{version}"),
    ]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.mark.slow
def test_canonical_bytes_are_those_of_every_python() -> None:
    """Of this one, and of the others that this machine has."""
    others = (_interpreter(version) for version in ("3.11", "3.12", "3.13", "3.14"))
    script = GOLDEN.with_name("golden_trees.py")
    for python in (sys.executable, *filter(None, others)):
        done = subprocess.run([python, "-I", str(script)], capture_output=True, text=True, check=True)
        assert json.loads(GOLDEN.read_text()) == json.loads(done.stdout), python


def test_canonical_bytes_tell_all_sources_apart() -> None:
    assert len(set(computed().values())) == len(SOURCES)
