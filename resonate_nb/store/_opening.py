"""A database is opened: what is damaged is found before anybody uses it, kept aside, and what can be read goes on.

Looking costs a few questions to the system. A whole database is read through only where there is a reason to doubt it:
SQLite refuses it, its log makes no sense, or a process that met damage has left a mark. Damage in the middle of a
database is met by whoever reads there; the mark then makes the next opener look.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from resonate_nb.errors import DamagedStoreError
from resonate_nb.records import dataclass

from . import _schema
from ._aside import Aside
from ._failures import is_damage
from ._opened import Writable
from ._place import DATABASE, VALUES
from ._signal import UNKNOWN
from ._sync import sync_file, sync_names
from ._values import list_values

if TYPE_CHECKING:
    from ._pool import Link
    from ._salvage import Salvaged

MARK = "suspect"
"""A file that says why the database is to be read through at the next opening, and what is being salvaged."""
_OTHERS_SECONDS = 5.0
"""How long other processes are given to end their transactions."""
_LOG_MAGIC = (0x377F0682, 0x377F0683)
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24


def mark(path: Path, why: str, folder: str = "") -> None:
    """The next opener reads the database through. What cannot be written is not: the damage is met again."""
    with suppress(OSError), (path / MARK).open("w") as file:
        file.write(f"{folder}\n{why}\n")
        file.flush()
        sync_file(file.fileno())


def unmark(path: Path) -> None:
    """The database is whole."""
    (path / MARK).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Symptoms:
    """What can be seen without opening the database."""

    is_lost: bool = False
    """It is empty, and was not; SQLite would take it for a new one and drop its log."""
    why: str = ""
    """Why it must be read through."""
    folder: str = ""
    """Where a salvage that was killed has put the pieces."""
    has_log: bool = False
    has_index: bool = False
    """That of the log: after a crash both are there, and SQLite removes the index first."""


def opened(directory: Writable) -> tuple[Link, int]:
    """The writer, in a transaction, of a whole database with tables of our schema; and the invalidation counter.

    What was found and done is in `directory.news`. Other openers must be kept out meanwhile.
    """
    path, database = directory.path, directory.path / DATABASE
    log = database.with_name(f"{DATABASE}-wal")
    symptoms = _examine(path)
    # The log of a living process is being written: nothing about it can be said.
    is_at_rest = (symptoms.has_log or symptoms.has_index) and directory.owners.is_alone
    if is_at_rest:
        symptoms = _examine(path)  # whoever was there at the first look may have closed the store since, and its log
    aside = Aside(path, directory.clock, symptoms.folder)
    why, commits = symptoms.why, 0
    if is_at_rest and (symptoms.has_log or symptoms.has_index):
        commits, salts = commits_of(log)
        indexed = _indexed(database.with_name(f"{DATABASE}-shm"), salts)
        if commits < 0:
            why = "its write-ahead log was damaged"
            aside.move(log)
        elif not log.exists():
            why = "its write-ahead log is missing"
        elif commits < indexed:
            why = "its write-ahead log has lost its end"
            aside.copy(log)
        if why != symptoms.why:
            directory.news.append(_of_the_log(path, why, aside))
    if not symptoms.is_lost:
        try:
            link = directory.pool.writer()
            if commits and directory.pool.journal == "wal" and frames_of(link) < commits:
                why = "its write-ahead log ends in a damaged part"
                aside.copy(log)
                directory.news.append(_of_the_log(path, why, aside))
            if not why:
                directory.begin(link)
                return link, _schema.prepare(link.connection, path)
            from ._check import damage

            lines = damage(link.connection)
            if not lines:
                return link, _mended(directory, link, aside)
            why = lines[0]
        except (sqlite3.DatabaseError, DamagedStoreError) as error:
            if not is_damage(error):
                raise
            why = str(error)
        directory.pool.drop_writer()
    link, counter, done = salvaged(directory, aside, why)
    directory.news.append(done)
    return link, counter


def salvaged(directory: Writable, aside: Aside, why: str) -> tuple[Link, int, str]:
    """As `opened`, for a database that is damaged, with what to say about it. No connection of ours may be open."""
    from ._salvage import refuse_newer, salvage

    database = directory.path / DATABASE
    refuse_newer(database, directory.path)
    mark(directory.path, why, aside.folder.name)
    # Before anything is moved: after a power cut the pieces could not be told from those of a store that was deleted.
    sync_names((directory.path,))
    directory.forget_database()
    with _others_kept_out(directory):
        found = salvage(database, aside, directory.clock, journal=directory.pool.journal)
    sync_names((aside.folder, directory.path))
    link = directory.pool.writer()
    counter = _mended(directory, link, aside)
    return link, counter, _in_words(directory.path, why, found, aside)


@contextmanager
def _others_kept_out(directory: Writable) -> Iterator[None]:
    """No process is in the middle of a transaction, as far as the damage allows, and the next one of each will find
    that its database was set aside before it commits to it (`Directory.look`)."""
    database = directory.path / DATABASE
    with ExitStack() as held:
        # SQLite would remove the log of an empty database; and there is nobody to keep out where nobody else is.
        if _size(database) and not directory.owners.is_alone:
            with suppress(sqlite3.Error):  # damaged so much that it has no locks either
                connection = held.enter_context(closing(_connected(database)))
                connection.execute("BEGIN IMMEDIATE")
        directory.signal.set_invalidation(UNKNOWN)
        yield


def _connected(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=_OTHERS_SECONDS, isolation_level=None)


def _mended(directory: Writable, link: Link, aside: Aside) -> int:
    from ._mend import mend

    directory.begin(link)
    counter = _schema.prepare(link.connection, directory.path)
    mend(directory, link.connection, aside)
    return counter


def _examine(path: Path) -> _Symptoms:
    database = path / DATABASE
    try:
        # Opened here: what others open on our behalf would count as read by a body that opens a store.
        with open(path / MARK, errors="replace") as mark:
            folder, _, why = mark.read().partition("\n")
    except FileNotFoundError:
        folder, why = "", ""
    log = database.with_name(f"{DATABASE}-wal")
    has_log = _size(log) > 0
    if not _size(database):
        if folder or has_log:
            return _Symptoms(True, why.strip() or "it was empty", folder, has_log)
        if any(file.owner for file in list_values(path / VALUES)):
            return _Symptoms(True, "it was missing or empty, though there are value files", "", False)
    return _Symptoms(False, why.strip(), "", has_log, database.with_name(f"{DATABASE}-shm").exists())


def commits_of(log: Path) -> tuple[int, bytes]:
    """How many frames of the log there are up to its last commit, and its salts; -1 when its beginning makes no sense.

    Frames of the log's present turn carry its salts; those behind them are left over from an earlier turn.
    """
    size = _size(log)
    if not size:
        return 0, b""
    with log.open("rb", buffering=0) as file:
        header = file.read(_LOG_HEADER_BYTES)
        if not _is_log_header(header):
            return -1, b""
        salts, frame_bytes = header[16:24], int.from_bytes(header[8:12], "big") + _FRAME_HEADER_BYTES
        last = 0
        for number in range(1, (size - _LOG_HEADER_BYTES) // frame_bytes + 1):
            frame = os.pread(file.fileno(), 16, _LOG_HEADER_BYTES + (number - 1) * frame_bytes)
            # Page number, size of the database after a commit or else zero, salts.
            if frame[8:16] == salts and frame[4:8] != b"\0\0\0\0":
                last = number
        return last, salts


def _indexed(index: Path, salts: bytes) -> int:
    """How many frames of the log the index knows that are not in the database yet; 0 when it makes no sense.

    SQLite would not ask it: it makes it anew from the log. After a kill it tells that the log was longer. (SQLite's
    header files name the fields WalIndexHdr, which is there twice, and WalCkptInfo.)
    """
    try:
        with index.open("rb", buffering=0) as file:
            data = file.read(100)
    except FileNotFoundError:
        return 0
    if len(data) < 100 or data[:48] != data[48:96] or not data[12] or (salts and data[32:40] != salts):
        return 0
    (frames,) = struct.unpack("=I", data[16:20])
    (copied,) = struct.unpack("=I", data[96:100])
    return int(frames) if copied < frames else 0


def _is_log_header(header: bytes) -> bool:
    if len(header) < _LOG_HEADER_BYTES:
        return False
    magic, _, page_bytes = struct.unpack(">III", header[:12])
    if magic not in _LOG_MAGIC or not 512 <= page_bytes <= 65536:
        return False
    one = two = 0
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return (one, two) == struct.unpack(">II", header[24:32])


def frames_of(link: Link) -> int:
    """How many frames of the log SQLite has accepted."""
    _, frames, _ = link.cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(frames)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _of_the_log(path: Path, why: str, aside: Aside) -> str:
    kept = f" It is kept in {str(aside.folder)!r}." if aside.is_used else ""
    return (
        f"the database of the store {str(path)!r} goes on as of an earlier instant, since {why}: "
        f"what was stored, rerun or forgotten after that instant is lost, and is computed again.{kept}"
    )


def _in_words(path: Path, why: str, found: Salvaged, aside: Aside) -> str:
    lost = f"{found.lost:,}" if found.is_all_known else f"at least {found.lost:,}"
    if found.promises == 0 and not found.is_all_known:
        what = "nothing of it could be read, and a new one was made"
    elif found.lost == 0 and found.is_all_known:
        what = f"all its {found.promises:,} promises could be read and are in a new one"
    else:
        what = (
            f"{found.promises:,} promises could be read and are in a new one; {lost} could not, and are computed again"
        )
    return (
        f"the database of the store {str(path)!r} was damaged ({why}): {what}. "
        f"The damaged one is kept in {str(aside.folder)!r}; delete it when you no longer want it."
    )
