"""What a script on a disk that gets full begins with: a store, warnings that are kept, and how it is filled."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import warnings
from typing import Any

import resonate_nb as rnb

ROOM = os.environ["ROOM"]
"""The folder on that disk."""
STORE = os.path.join(ROOM, "store")
_BALLAST = os.path.join(ROOM, "ballast")
_IS_LIMIT = os.environ["DISK"] == "limit"
warned: list[str] = []
said: dict[str, Any] = {}
"""What the test is to know."""


def begin() -> None:
    rnb.configure(store=STORE, durability=os.environ.get("DURABILITY", "process"))  # type: ignore[arg-type]
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_, **__: warned.append(str(message))


def fill(leave: int = 0) -> None:
    """From here on there is room for so many bytes (in one file, on a disk that is a limit)."""
    if _IS_LIMIT:
        resource.setrlimit(resource.RLIMIT_FSIZE, (leave, resource.RLIM_INFINITY))
        return
    with open(_BALLAST, "wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)) == 4096:
                continue
        except OSError:
            ballast.truncate(max(0, ballast.tell() - leave))


def free() -> None:
    """There is room again."""
    if _IS_LIMIT:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    elif os.path.exists(_BALLAST):
        os.unlink(_BALLAST)


def elsewhere() -> dict[str, Any]:
    """What the other script comes to, in a process of its own on this disk as it is now."""
    ran = subprocess.run([sys.executable, "elsewhere.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def tell() -> None:
    print(json.dumps({**said, "warned": warned}))
