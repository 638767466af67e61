"""Getting bytes and names onto the medium, where the durability asked for says so."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def sync_file(descriptor: int) -> None:
    """The file's bytes are on the medium. On macOS `fsync` alone only hands them to the drive; elsewhere `fdatasync`
    spares the system writing down when the file was changed."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_names(folders: Iterable[Path]) -> None:
    """The names in these directories are on the medium. One that we may not read is left to the system, and one that
    is gone is said to those who use what was in it."""
    for folder in folders:
        with suppress(PermissionError, FileNotFoundError):
            sync_directory(folder)


def sync_directory(path: Path) -> None:
    """The names in the directory are on the medium."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
