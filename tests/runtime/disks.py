"""Scripts that run on a disk that gets full: a child process each, and the system itself says no.

Two such disks. ``limit``: the system lets the child's files grow to a size and no further (RLIMIT_FSIZE, EFBIG), which
every machine can do. ``tmpfs``: a small file system of its own, in a namespace of its own, that a ballast fills
(ENOSPC); only where this user may make one.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
_MOUNTED = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
_BEGIN = """\
from filled import Elsewhere, begin, elsewhere, fill, free, said, tell, warned, ROOM, STORE
import os, sys, threading
import resonate_nb as rnb
from resonate_nb import durable

begin()
"""
_END = """
tell()
"""


@functools.cache
def _may_mount() -> bool:
    try:
        made = subprocess.run(
            [*_IN_A_NAMESPACE, "sh", "-c", _MOUNTED, "/mnt", "true"], capture_output=True, check=False
        )
    except OSError:
        return False
    return made.returncode == 0


@contextmanager
def open_to_all() -> Iterator[Path]:
    """A folder that every user may enter, which the folders of tests are not."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made).resolve()


DISKS = ["limit", "tmpfs"] if _may_mount() else ["limit"]


class Ran:
    """What a script said."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        assert process.returncode == 0, process.stdout + process.stderr
        self.said: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
        self.warned: list[str] = self.said.pop("warned")
        self.lines = process.stderr.splitlines()


def run(disk: str, folder: Path, body: str, *, elsewhere: str = "", **environment: str) -> Ran:
    """Run a script whose store lies on this disk; it puts what the test is to know into `said`.

    `elsewhere` is what another process does when the script calls `elsewhere()`.
    """
    room = folder / "room"
    room.mkdir()
    for name, text in (("script.py", body), ("elsewhere.py", elsewhere)):
        (folder / name).write_text(f"{_BEGIN}{text}{_END}")
    command = [sys.executable, "script.py"]
    if disk == "tmpfs":
        command = [*_IN_A_NAMESPACE, "sh", "-c", _MOUNTED, str(room), *command]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_NB")}
    mine = {
        "RESONATE_NB_KEY": "tests",
        "ROOM": str(room),
        "DISK": disk,
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return Ran(
        subprocess.run(
            command,
            cwd=folder,
            env={**inherited, **mine, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    )
