"""Which names a folder holds, or a pattern finds: what a body was told of that, and whether it still is so.

A body that goes through the files of a folder comes to something else when there is another one. Each way of Python's
to list raises an event to audit; what is noted is what was asked for: a folder, or a pattern, so that a new picture
beside the tables is no news to who asked for tables.
"""

from __future__ import annotations

import os
import threading
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL besides
from enum import IntEnum
from glob import escape, glob, has_magic
from types import FrameType
from typing import Any

EVENTS = frozenset({"glob.glob/2", "os.listdir", "os.scandir", "pathlib.Path.glob", "pathlib.Path.rglob"})


class Kind(IntEnum):
    """How names were asked for. The numbers are stored."""

    FOLDER = 0
    PATTERN = 1
    DEEP = 2
    """A pattern in which ``**`` stands for folders."""
    DEEP_WITH_HIDDEN = 3
    """As a path's own `glob` has it."""


# What lists on behalf of an event of its own, or to find code, or to take away.
_ON_BEHALF = frozenset({"glob", "importlib", "importlib_external", "pathlib", "pkgutil", "tempfile"})
LEFT_BY_RUNS = frozenset({".ipynb_checkpoints", ".resonate_nb", "__pycache__"})
"""Names that Jupyter, this package and Python leave in a folder only because something runs there. What editors and
version control leave a body is told of like any other name, so here it counts."""

looking = threading.local()
"""Set while this module lists by itself: that is no body's doing."""


def asked_for(event: str, args: tuple[Any, ...], caller: FrameType) -> tuple[str, Kind] | None:
    """The folder or pattern as it was given, with how it was asked for; None where that is no affair of a body's."""
    if getattr(looking, "now", False):
        return None
    if event.startswith("pathlib."):
        pattern = os.fspath(args[1])
        deep = os.path.join("**", pattern) if event.endswith("rglob") else pattern
        return os.path.join(escape(os.fspath(args[0])), deep), Kind.DEEP_WITH_HIDDEN
    if event == "glob.glob/2":
        pattern, recursive, root, descriptor = args
        if descriptor is not None:
            return None
        given = os.fsdecode(pattern) if root is None else os.path.join(os.fsdecode(root), os.fsdecode(pattern))
        return given, Kind.DEEP if recursive else Kind.PATTERN
    module = str(caller.f_globals.get("__name__", "")).partition(".")[0].removeprefix("_frozen_")
    if module in _ON_BEHALF and not (module == "pathlib" and _is_asked_for_names(caller)):
        return None
    if "rmtree" in caller.f_code.co_name:
        return None
    if isinstance(args[0], int):
        return None
    return os.fsdecode(args[0] if args[0] is not None else "."), Kind.FOLDER


def _is_asked_for_names(caller: FrameType) -> bool:
    """Whether a path lists because it was asked what it holds, and not for a pattern of which an event has told: in
    3.12 both go the same ways."""
    asked = caller
    while (above := asked.f_back) is not None and above.f_globals is caller.f_globals:
        asked = above
    return asked.f_code.co_name in ("iterdir", "walk")


def names_of(path: str, kind: Kind) -> frozenset[str] | None:
    """The names there are now, as seen from `base_of`; None where there is no such folder."""
    looking.now = True
    try:
        if kind is Kind.FOLDER:
            return frozenset(os.listdir(path)) - LEFT_BY_RUNS
        hidden = kind is Kind.DEEP_WITH_HIDDEN
        base = base_of(path, kind)
        found = (os.path.relpath(each, base) for each in glob(path, recursive=kind > 1, include_hidden=hidden))
        return frozenset(name for name in found if LEFT_BY_RUNS.isdisjoint(name.split(os.sep)))
    except OSError:
        return None
    finally:
        looking.now = False


def base_of(path: str, kind: Kind) -> str:
    """The folder that the names of a listing are seen from."""
    if kind is Kind.FOLDER:
        return path
    base = path
    while has_magic(base):
        base = os.path.dirname(base)
    return base


def shown(path: str, kind: Kind) -> str:
    """The folder or pattern for people: a folder ends in a slash."""
    return path if kind is not Kind.FOLDER or path.endswith("/") else f"{path}/"


def names_digest(names: frozenset[str] | None) -> str:
    """Of names; one for a folder that is not there."""
    if names is None:
        return "absent"
    return blake2b("\0".join(sorted(names)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
