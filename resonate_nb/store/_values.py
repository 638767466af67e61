"""Names in the directory of value files, told apart without opening anything."""

from __future__ import annotations

import os
import re
from pathlib import Path

from resonate_nb.records import dataclass

from ._place import DAMAGED, DATABASE, VALUES
from ._port import Extent

PART = ".part"
_NAME = re.compile(r"([A-Za-z0-9_-]+)\.[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of the directory."""

    name: str
    owner: str
    """The process that wrote it; empty when the name is not one of ours."""
    is_part: bool
    """Whether it is, or was when its writer died, being written."""
    size_bytes: int


def is_value_name(name: str) -> bool:
    """Whether a row may carry this name: one file of the directory, whole."""
    return _NAME.fullmatch(name) is not None


def list_values(directory: Path) -> list[Listed]:
    """What lies in the directory; a file that vanishes meanwhile is left out."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name.removesuffix(PART))
            try:
                size_bytes = entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            found.append(
                Listed(
                    name=entry.name,
                    owner=match[1] if match else "",
                    is_part=entry.name.endswith(PART),
                    size_bytes=size_bytes,
                )
            )
    return found


def extent_of(store: Path) -> Extent:
    """How much lies in a store's directory; what vanishes meanwhile, or cannot be looked at, is left out."""
    files = [(file, _size(file)) for file in store.rglob("*") if not file.is_dir()]
    values = [size for file, size in files if file.parent == store / VALUES]
    database = sum(size for file, size in files if file.parent == store and file.name.startswith(DATABASE))
    aside = sum(size for file, size in files if store / DAMAGED in file.parents)
    return Extent(len(values), database + sum(values), aside)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0
