"""A power cut, by reconstruction: what may lie in a directory when the machine comes up again.

What a sync has brought onto the medium is there: bytes by a sync of their file, names by a sync of their directory. Of
what came later the system may have written nothing, all, or the first part, for each file and each directory by
itself; and of a file, for each page by itself. This is less than any file system in use promises, on purpose.

A mapped file changes unseen, so what is in the signal file and in SQLite's ``-shm`` is anything.
"""

from __future__ import annotations

import random
from pathlib import Path

from traced import Name, Node, Record, Truncate, Write

_PAGE_BYTES = 4096


def rebuild(record: Record, cut: int, chance: random.Random, target: Path) -> None:
    """The directory that was recorded, in `target`, as after a power cut at line `cut` of the record."""
    _rebuild_directory(record.root, cut, chance, target)


def _rebuild_directory(node: Node, cut: int, chance: random.Random, target: Path) -> None:
    target.mkdir()
    safe, later = _split(node, cut)
    names: dict[str, Node] = {}
    for change in (*safe, *later[: chance.randint(0, len(later))]):
        assert isinstance(change, Name)
        if change.went is not None:
            names.pop(change.went, None)
        if change.came is not None:
            names[change.came[0]] = change.came[1]
    for name, child in names.items():
        if child.is_directory:
            _rebuild_directory(child, cut, chance, target / name)
        elif name == "signal":
            (target / name).write_bytes(chance.randbytes(chance.choice((0, 16))))
        elif name.endswith("-shm"):
            (target / name).write_bytes(chance.randbytes(chance.choice((0, 3, 32_768))))
        else:
            (target / name).write_bytes(_content(child, cut, chance))


def _split(node: Node, cut: int) -> tuple[list[Write | Truncate | Name], list[Write | Truncate | Name]]:
    """The changes that are safe, and those that may have happened."""
    synced = max((sync.begun for sync in node.syncs if sync.ended <= cut), default=0)
    begun = [change for change in node.changes if change.begun < cut]
    return [each for each in begun if each.ended < synced], [each for each in begun if each.ended >= synced]


def _content(node: Node, cut: int, chance: random.Random) -> bytes:
    safe, later = _split(node, cut)
    data = bytearray()
    for change in safe:
        _apply(data, change)
    if chance.random() < 0.5:
        _apply_first(data, later, chance)
    else:
        _apply_pages(data, later, chance)
    return bytes(data)


def _apply(data: bytearray, change: Write | Truncate | Name) -> None:
    match change:
        case Write():
            _extend(data, change.offset)
            data[change.offset : change.offset + len(change.data)] = change.data
        case Truncate():
            _extend(data, change.size_bytes)
            del data[change.size_bytes :]


def _apply_first(data: bytearray, later: list[Write | Truncate | Name], chance: random.Random) -> None:
    """The first of the changes have happened, and part of the next one."""
    count = chance.randint(0, len(later))
    for change in later[:count]:
        _apply(data, change)
    if count < len(later) and isinstance(torn := later[count], Write):
        some = chance.randint(0, len(torn.data))
        _apply(data, Write(torn.begun, torn.ended, torn.offset, torn.data[:some]))


def _apply_pages(data: bytearray, later: list[Write | Truncate | Name], chance: random.Random) -> None:
    """Each page, and the size, are as they were after some of the changes; pages that were not written are zeros."""
    size_bytes = len(data)
    for change in later[: chance.randint(0, len(later))]:
        match change:
            case Write():
                size_bytes = max(size_bytes, change.offset + len(change.data))
            case Truncate():
                size_bytes = change.size_bytes
    until: dict[int, int] = {}
    for number, change in enumerate(later):
        if isinstance(change, Write):
            end = change.offset + len(change.data)
            for page in range(change.offset // _PAGE_BYTES, -(-end // _PAGE_BYTES)):
                if number < until.setdefault(page, chance.randint(0, len(later))):
                    start, stop = max(change.offset, page * _PAGE_BYTES), min(end, (page + 1) * _PAGE_BYTES)
                    _extend(data, start)
                    data[start:stop] = change.data[start - change.offset : stop - change.offset]
    _extend(data, size_bytes)
    del data[size_bytes:]


def _extend(data: bytearray, size_bytes: int) -> None:
    data.extend(bytes(max(0, size_bytes - len(data))))
