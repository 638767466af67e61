"""What the disk and the database say, translated once into errors that name the store and the way out."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from resonate_nb.errors import (
    DamagedStoreError,
    LostStoreError,
    ReadOnlyStoreError,
    StoreError,
    UnwritableStoreError,
)

_ELSEWHERE = "name another store with rnb.configure(store=...) or RESONATE_NB_STORE"

_NEXT_USE = (
    "At its next use what can be read of it goes on in a new one, and the damaged one is kept in the store's folder "
    "'damaged'. If this comes again, restart the kernel"
)

_BY_SQLITE = {
    sqlite3.SQLITE_FULL: ("the disk is full", f"Free some space, or {_ELSEWHERE}."),
    sqlite3.SQLITE_READONLY: ("it is read-only", f"Make it writable, or {_ELSEWHERE}."),
    sqlite3.SQLITE_PERM: ("access is denied", f"Check its permissions, or {_ELSEWHERE}."),
    sqlite3.SQLITE_CANTOPEN: (
        "its database cannot be opened",
        f"Check that the directory is there and writable, or {_ELSEWHERE}.",
    ),
    sqlite3.SQLITE_CORRUPT: ("its database is damaged", f"{_NEXT_USE}, or {_ELSEWHERE}."),
    sqlite3.SQLITE_NOTADB: ("its database is damaged", f"{_NEXT_USE}, or {_ELSEWHERE}."),
    sqlite3.SQLITE_BUSY: ("another process has kept it locked for too long", f"End that process, or {_ELSEWHERE}."),
    sqlite3.SQLITE_LOCKED: (
        "another connection has kept it locked for too long",
        f"End what holds it, or {_ELSEWHERE}.",
    ),
    # The system's own number does not come through: a limit of size and a used-up quota look like a failing disk.
    sqlite3.SQLITE_IOERR: (
        "the system refused to read or write it",
        "Check the disk, its quota, and the limit on the size of files (ulimit -f), or " + _ELSEWHERE + ".",
    ),
    sqlite3.SQLITE_TOOBIG: (
        "a row is larger than SQLite allows",
        "Store less, or leave large arguments out with ignore=(...).",
    ),
}

_BY_ERRNO = {
    errno.ENOSPC: ("the disk is full", f"Free some space, or {_ELSEWHERE}."),
    errno.EDQUOT: ("the disk quota is used up", f"Free some space, or {_ELSEWHERE}."),
    errno.EFBIG: ("a file would pass the size limit", f"Raise the limit (ulimit -f), or {_ELSEWHERE}."),
    errno.EROFS: ("it is on a read-only file system", f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}."),
    errno.EACCES: ("access is denied", f"Check its permissions, or {_ELSEWHERE}."),
    errno.EPERM: ("access is denied", f"Check its permissions, or {_ELSEWHERE}."),
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE),
        ("too many files are open", "Close some, or raise the limit (ulimit -n)."),
    ),
    errno.ENOTDIR: ("its path leads through what is not a directory", f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}."),
    **dict.fromkeys(
        (errno.EEXIST, errno.EISDIR, errno.ELOOP),
        ("something else lies where a part of it belongs", f"Move that away, or {_ELSEWHERE}."),
    ),
    errno.ENAMETOOLONG: ("its path is too long", f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}."),
    errno.ENOENT: ("a part of it is missing", f"Restart the kernel, or {_ELSEWHERE}."),
}


def is_damage(error: BaseException) -> bool:
    """Whether the database itself is at fault, so that nothing but a new one helps."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    # SQLite quotes a table whose text makes no sense, and Python may not be able to read the quotation.
    return isinstance(error, DamagedStoreError | UnicodeDecodeError)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MISNAMED = (errno.ENOTDIR, errno.ENOENT, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
"""No store can be there, whatever becomes of the disk: who named it is told at once. All else that a system says of a
file can pass, and must not keep a body from running."""
_UNWRITABLE_SQLITE = (
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR),
    sqlite3.SQLITE_CANTOPEN,  # no permission, or no room for a file
)


def translated(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """The StoreError for a failure of the database or of a file under `path`."""
    kind: type[StoreError]
    if isinstance(error, OSError):
        what, remedy = _by_errno(error)
        kind = StoreError if error.errno in _MISNAMED else UnwritableStoreError
        is_full = error.errno in NO_ROOM
    else:
        # The low byte is the primary code; the rest says more exactly where it happened.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        what, remedy = _BY_SQLITE.get(code, ("its database refused", f"Restart the kernel, or {_ELSEWHERE}."))
        kind = UnwritableStoreError if code in _UNWRITABLE_SQLITE else StoreError
        is_full = code == sqlite3.SQLITE_FULL
        if is_damage(error):
            kind = DamagedStoreError
    verb = "written to" if is_full else "used"
    return kind(f"the store {str(path)!r} cannot be {verb}: {what} ({error}). {remedy}")


def read_only(path: Path) -> ReadOnlyStoreError:
    """The error for a write to a store that can only be read."""
    return ReadOnlyStoreError(
        f"the store {str(path)!r} is read-only: what it holds is used, and nothing new is stored in it. "
        f"Make it writable and restart the kernel, or {_ELSEWHERE}."
    )


def taken(path: Path, kind: str, pid: object, host: object) -> UnwritableStoreError:
    """The error for a store on a network file system that another process uses."""
    who = "another process" if pid is None else f"process {pid} on {host}"
    return UnwritableStoreError(
        f"the store {str(path)!r} lies on a network file system ({kind}), where one process at a time can use it, and "
        f"{who} does. End that process, or {_ELSEWHERE}, on a local disk."
    )


def no_locks(path: Path, kind: str, error: OSError) -> UnwritableStoreError:
    """The error for a network file system that cannot tell that somebody else uses a store."""
    return UnwritableStoreError(
        f"the store {str(path)!r} lies on a network file system ({kind}) that has no locks ({error}), so it cannot be "
        f"used safely. {_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}, on a local disk."
    )


def not_synced(error: OSError, path: Path) -> StoreError:
    """The StoreError for commits that are in the store and could not be brought onto the medium."""
    what, remedy = _by_errno(error)
    return StoreError(
        f"the store {str(path)!r} could not be synced: {what} ({error}). What it has committed is safe against a "
        f"killed process, but a power cut could lose the last of it. {remedy}"
    )


def deleted(path: Path) -> LostStoreError:
    """The error for a store that was deleted, or replaced, while this process had it open."""
    return LostStoreError(
        f"the store {str(path)!r} was deleted while this process was using it; nothing is stored any more. "
        "Restart the kernel, or go on with a new one: rnb.configure(store=...)."
    )


def replaced(path: Path, piece: str) -> LostStoreError:
    """The error for a store of which this process has a piece open that is no more the one that lies there."""
    return LostStoreError(
        f"{piece!r} of the store {str(path)!r} was moved, deleted or replaced while this process was using it; nothing "
        "is stored any more. Restart the kernel, or name another store with rnb.configure(store=...)."
    )


def closed(path: Path) -> StoreError:
    """The error for a handle that was closed."""
    return StoreError(
        f"the store {str(path)!r} is closed in this process. Open it again with rnb.configure(store=...)."
    )


def forked(path: Path) -> StoreError:
    """The error for a child that was forked while its parent was in the middle of a transaction."""
    return StoreError(
        f"this process was forked while its parent was using the store {str(path)!r}, so it must not touch it. "
        "Start the child outside of the store's use, or with the 'spawn' method of multiprocessing."
    )


def _by_errno(error: OSError) -> tuple[str, str]:
    """What happened, and what to do."""
    return _BY_ERRNO.get(error.errno or 0, ("the disk failed", f"Check the disk, or {_ELSEWHERE}."))
