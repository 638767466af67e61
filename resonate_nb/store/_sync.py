"""Getting bytes and names onto the medium, where the durability asked for says so."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def sync_file(descriptor: int) -> None:
    """The file's bytes are on the medium. On macOS `fsync` alone only hands them to the drive."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_directory(path: Path) -> None:
    """The names in the directory are on the medium."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
