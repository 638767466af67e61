"""A file as a body read it: what is stored of it, and whether it still is what it was.

Of a file its content counts. Size, times and inode only say that nobody need read it again. What was looked for in
vain, names that were listed and what a call inside has declared are recorded in the same form.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple, replace

from resonate_nb.clock import Clock
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.records import dataclass

from ._digests import RACY_MS, Stamp, digest_of, stamp_of
from ._entries import entry_digest
from ._listings import Kind, names_digest, names_of, shown

Root = str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file as a body read it."""

    path: str
    """Relative to the folder that holds the store when inside it (with ``/``), else absolute."""
    size: int
    mtime_ns: int
    ctime_ns: int
    """Nobody can set it back. 0 when the times cannot be trusted yet (`_digests.RACY_MS`): then only content counts."""
    inode: int
    digest: str
    """blake3 of the content, 64 hex digits. Empty when it changed while the body ran: equal to nothing."""
    given: str = ""
    """For a relative path: the way to the file from the working directory in which the body began. A look-up follows
    it from where it is itself, as the body would, so that it may come to another file. Empty for an absolute path."""


ABSENT = -1
"""The size of a file that was looked for in vain."""
DECLARED = -2
"""The size of what a call inside has declared in `files=`: a file, a folder or a pattern, digested as one."""
LISTED = -3
"""The size of a folder or pattern of which the body was told the names (`_listings`); its inode is the kind."""


def changed(files: Iterable[FileRead], root: Root) -> str | None:
    """The path of the first file that is not what it was; None when all are.

    Content is read only when size, times or inode differ or cannot be trusted; a copied folder is unchanged.
    """
    for file, path in _placed(files, root):
        if path is None:
            return file.path
        if file.size == ABSENT:
            if not file.digest or os.path.exists(path):
                return file.path
            continue
        if file.size == LISTED:
            if names_digest(names_of(path, Kind(file.inode))) != file.digest:
                return shown(file.path, Kind(file.inode))
            continue
        if file.size == DECLARED:
            if declared_digest(path) != file.digest:
                return file.path
            continue
        found = stamp_at(path)
        if not file.digest or found is None or found.size != file.size:
            return file.path
        is_same = found[:4] == (file.size, file.mtime_ns, file.ctime_ns, file.inode)
        if not is_same and digest_at_rest(path, found) != file.digest:
            return file.path
    return None


def as_now(files: Iterable[FileRead], root: Root, clock: Clock) -> tuple[FileRead, ...] | str:
    """The same files as they are now; or the path of one that is gone, or cannot be read."""
    found: list[FileRead] = []
    for file, path in _placed(files, root):
        if path is None:
            return file.path
        if file.size == DECLARED:
            found.append(replace(file, digest=declared_digest(path)))
            continue
        if file.size == LISTED:
            found.append(replace(file, digest=names_digest(names_of(path, Kind(file.inode)))))
            continue
        stamp = stamp_at(path)
        if stamp is None:
            if file.size != ABSENT or os.path.exists(path):
                return file.path
            found.append(file)
            continue
        digest = digest_at_rest(path, stamp)
        if not digest:
            return file.path
        found.append(regular(file.path, stamp, digest, clock.now_ms(), file.given))
    return tuple(found)


def within(files: Iterable[FileRead], places: Collection[str], root: Root) -> tuple[FileRead, ...]:
    """Those of the files that are, or lie in, one of these places, which are full paths without links."""
    found: list[FileRead] = []
    for file, given in _placed(files, root):
        if given is None:
            continue
        path = os.path.realpath(given)
        if any(path == place or path.startswith(place.rstrip(os.sep) + os.sep) for place in places):
            found.append(file)
    return tuple(found)


def _placed(files: Iterable[FileRead], root: Root) -> Iterator[tuple[FileRead, str | None]]:
    """Each file with the full path to which it leads from here; with None where the working directory is gone."""
    base = None if root is None else os.path.abspath(root)
    for file in files:
        path: str | None = None
        with suppress(OSError):
            path = place_of(file, base)
        yield file, path


def to_json(files: Iterable[FileRead]) -> str:
    """A compact list; `from_json` reads it."""
    return json.dumps([astuple(file) for file in files], separators=(",", ":"))


def from_json(text: str) -> tuple[FileRead, ...]:
    """What `to_json` wrote. A damaged record becomes one file that equals nothing, so that the body runs again."""
    try:
        return tuple(_checked(*fields) for fields in json.loads(text))
    except (ValueError, TypeError):
        return (FileRead("(damaged record of files)", 0, 0, 0, 0, ""),)


def _checked(path: str, size: int, mtime_ns: int, ctime_ns: int, inode: int, digest: str, given: str = "") -> FileRead:
    if size == LISTED:
        Kind(inode)  # a later release may know more of them
    return FileRead(str(path), int(size), int(mtime_ns), int(ctime_ns), int(inode), str(digest), str(given))


def regular(path: str, stamp: Stamp, digest: str, now_ms: int, given: str) -> FileRead:
    """The record of a regular file that was digested at this instant."""
    is_racy = milliseconds(stamp.ctime_ns) > now_ms - RACY_MS
    ctime_ns = 0 if is_racy else stamp.ctime_ns
    return FileRead(path, stamp.size, stamp.mtime_ns, ctime_ns, stamp.inode, digest, given)


def shown_path(path: str, root: str | None) -> str:
    """How a full path is recorded."""
    if root is not None:
        for file, folder in ((path, root), (os.path.realpath(path), os.path.realpath(root))):
            if file.startswith(folder.rstrip(os.sep) + os.sep):
                return os.path.relpath(file, folder).replace(os.sep, "/")
    return path


def place_of(file: FileRead, root: str | None) -> str:
    """The full path to which a record leads from here.

    Raises:
        OSError: it leads there from the working directory, and that is gone.
    """
    if file.given:
        return os.path.abspath(file.given)
    return file.path if root is None else os.path.join(root, file.path)


def stamp_at(path: str) -> Stamp | None:
    """None for what is absent, out of reach, or no regular file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return stamp_of(found) if stat.S_ISREG(found.st_mode) else None


def milliseconds(nanoseconds: int) -> int:
    return nanoseconds // 1_000_000


def digest_at_rest(path: str, stamp: Stamp) -> str:
    """The digest of the content; empty when it cannot be read, or the file is another one before or after that."""
    try:
        found = os.stat(path)
        if stamp_of(found) != stamp:
            return ""
        digest = digest_of(path, found)
    except (OSError, ValueError, UnfingerprintableError):
        return ""
    return digest if stamp_at(path) == stamp else ""


def declared_digest(path: str) -> str:
    try:
        return entry_digest(path).hex()
    except UnfingerprintableError:
        return ""
