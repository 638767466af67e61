"""Paths that are no input of a body: Python, packages, the system, caches, keys, and the store itself."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache, lru_cache
from types import ModuleType


@lru_cache(maxsize=64)
def aside_of(root: str | None, store: str | None, folder: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The root in full, and the beginnings of paths that are no input of a body, as seen from a working directory."""
    full = None if root is None else os.path.abspath(root)
    if store is None:
        return full, _aside(full)
    own = {os.path.join(path, "") for path in (os.path.abspath(store), os.path.realpath(store))}
    return full, (*own, *_aside(full))


@cache
def _aside(root: str | None) -> tuple[str, ...]:
    """Beginnings of paths that are no input of a body: Python, packages, the system and caches.

    A folder around `root` is not among them: somebody's notebooks may lie anywhere.
    """
    home = os.path.expanduser("~")
    folders = [
        # `data` of a system Python is all of /usr or /usr/local; what is meant lies in the three below.
        *(path for name, path in sysconfig.get_paths().items() if name != "data"),
        *(os.path.join(prefix, name) for prefix in (sys.prefix, sys.base_prefix) for name in ("lib", "share", "etc")),
        *("/proc", "/sys", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/share", "/var/cache"),
        *("/usr/local/share/fonts", "/usr/local/share/zoneinfo", "/System", "/Library", "/private/etc"),
        os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"),
        os.environ.get("MPLCONFIGDIR") or os.path.join(home, ".matplotlib"),
        *(os.path.join(home, *name.split("/")) for name in _IN_HOME),
    ]
    beginnings = set()
    for folder in folders:
        for spelled in (os.path.abspath(folder), os.path.realpath(folder)):
            beginning = spelled.rstrip(os.sep) + os.sep
            if root is None or not (root + os.sep).startswith(beginning):
                beginnings.add(beginning)
    beginnings.update(os.path.join(home, *name.split("/")) for name in _CREDENTIALS)
    return tuple(sorted(beginnings))


_CREDENTIALS = (
    ".aws/credentials",
    ".boto",
    ".config/gcloud/application_default_credentials.json",
    ".netrc",
    ".pgpass",
    "_netrc",
)
"""Files below home from which clients take their keys: whoever calls with another key makes the same call."""


_IN_HOME = (
    ".config/matplotlib",
    ".fonts",
    ".ipython",
    ".jupyter",
    ".local/lib",
    ".local/share/fonts",
    ".local/share/jupyter",
    "Library/Caches",
    "Library/Fonts",
    "Library/Jupyter",
)


def sources() -> set[str]:
    """Files of loaded modules: imports and tracebacks read them, and the key counts their code."""
    found = set()
    for module in list(sys.modules.values()):
        # Not `getattr`: it would load a module whose import is still put off.
        path = object.__getattribute__(module, "__dict__").get("__file__") if isinstance(module, ModuleType) else None
        if isinstance(path, str):
            found.add(os.path.abspath(path))
    return found
