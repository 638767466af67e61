"""The interpreters that this machine has, besides the one that runs."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


@functools.cache
def pythons() -> tuple[str, ...]:
    """This one, and one of each version that is found and runs: a shim of a version manager may stand there and not."""
    return (sys.executable, *filter(None, map(_interpreter, VERSIONS)))


def _interpreter(version: str) -> str | None:
    candidates = [
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
        shutil.which(f"python{version}"),
    ]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None
