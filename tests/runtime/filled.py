"""What a script on a disk that gets full begins with: a store, warnings that are kept, and how it is filled."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
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


class Elsewhere:
    """The other script, in a process of its own on this disk as it is now."""

    def __init__(self) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, "elsewhere.py"], text=True, **pipes)
        self._said: list[str] = []

    def until(self, text: str) -> None:
        """It has said a line with this text."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            if text in line:
                return
        raise AssertionError("".join(self._said))

    def said(self) -> dict[str, Any]:
        """What it came to, when it has ended."""
        out, err = self._process.communicate()
        assert self._process.returncode == 0, "".join(self._said) + err
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


def elsewhere() -> dict[str, Any]:
    """What the other script comes to."""
    return Elsewhere().said()


def tell() -> None:
    print(json.dumps({**said, "warned": warned}))


_ROOMS = ("resonate_nb.codec", "resonate_nb.fingerprint", "resonate_nb.runtime", "resonate_nb.store")


def _load_everything() -> None:
    """What loads at its first use is loaded: another user might not be allowed to read where this package lies."""
    for name in ("encodings.idna", "pandas", "platformdirs", "diskcache", "cloudpickle", "resonate_nb.retry", *_ROOMS):
        importlib.import_module(name)
    for room in _ROOMS:
        for found in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            importlib.import_module(found.name)


def as_nobody() -> None:
    """From here on this process is of a user who may not do everything, and owns what is in the room."""
    if os.geteuid():
        return
    _load_everything()
    for folder, _, files in os.walk(ROOM):
        for piece in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(piece, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
    rnb.configure(store=STORE)


def read_only(is_so: bool = True) -> None:
    """This process may read the store and not write there; or again both."""
    as_nobody()
    for folder, _, files in os.walk(STORE):
        for name in files:
            os.chmod(os.path.join(folder, name), 0o400 if is_so else 0o600)
        os.chmod(folder, 0o500 if is_so else 0o700)
