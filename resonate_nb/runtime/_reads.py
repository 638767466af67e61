"""The files that a body opens for reading through Python, and the folders that it lists.

One audit hook sees every `open`. It cannot be taken away again, so it is added at the first recording and returns at
once while nothing records. Not seen: reads by native code (parquet, HDF5, SQLite), reads in child processes, `os.open`
relative to a directory descriptor, and whether a file is there without opening it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterable
from contextvars import ContextVar, Token
from dataclasses import replace
from types import FrameType
from typing import Any

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.forks import held_over_forks
from resonate_nb.frames import PACKAGE

from ._aside import aside_of, sources
from ._digests import Stamp
from ._entries import working_directory
from ._file_read import (
    ABSENT,
    DECLARED,
    LISTED,
    FileRead,
    Root,
    declared_digest,
    digest_at_rest,
    milliseconds,
    place_of,
    regular,
    shown_path,
    stamp_at,
)
from ._listings import EVENTS, Kind, asked_for, base_of, names_digest, names_of

_CLOCK_SLACK_MS = 50
"""By how much the clock of a file system may be behind ours."""


class Reads:
    """One recording: its opens are noted while it is entered. `files` is asked when the body has ended."""

    __slots__ = (
        "_added",
        "_aside",
        "_clock",
        "_doubtful",
        "_folder",
        "_given",
        "_listed",
        "_made",
        "_opened",
        "_read",
        "_root",
        "_started_ms",
        "_thread",
        "_token",
    )

    def __init__(self, root: Root, clock: Clock, store: Root) -> None:
        self._given = None if root is None else os.fspath(root), None if store is None else os.fspath(store)
        self._clock = clock
        self._opened: dict[tuple[str, str], Stamp | None] = {}
        """Path and `FileRead.given` -> what was there at the first open."""
        self._listed: dict[tuple[str, str, Kind], frozenset[str] | None] = {}
        """Path, `FileRead.given` and kind -> the names at the first look."""
        self._read: set[str] = set()
        self._made: set[str] = set()
        self._doubtful: set[str] = set()
        self._added: dict[tuple[str, str, str], FileRead] = {}

    def __enter__(self) -> Reads:
        if not _is_installed:
            _install()
        root, store = self._given
        self._folder = working_directory()
        self._root, self._aside = aside_of(root, store, self._folder)
        self._thread = threading.get_ident()
        self._started_ms = self._clock.now_ms()
        self._token: Token[tuple[Reads, ...]] = _current.set((*_around(), self))
        _active[self] = None
        return self

    def __exit__(self, *_: object) -> None:
        del _active[self]
        _current.reset(self._token)

    def files(self) -> tuple[FileRead, ...]:
        """The files read so far, by path, digested now. Reads their content."""
        if not (self._opened or self._added or self._doubtful or self._listed):
            return ()
        found = {key: self._settled(file) for key, file in self._added.items()}
        for (path, given), stamp in list(self._opened.items()):
            if path.endswith(".py") and path in sources():
                continue
            file = self._absent(path, given) if stamp is None else self._file(path, given, stamp)
            if file is not None:
                key = _key_of(file)
                found[key] = _agree(found.get(key, file), file)
        for (path, given, kind), names in list(self._listed.items()):
            file = self._names(path, given, kind, names)
            found[file.path, given, str(kind)] = file
        for path in list(self._doubtful):
            found[path, "", ""] = FileRead(path, 0, 0, 0, 0, "")
        return tuple(found[key] for key in sorted(found))

    def add(self, files: Iterable[FileRead]) -> None:
        """Files that something inside this body read earlier and that were found unchanged: a replayed call."""
        for file in files:
            try:
                path = place_of(file, self._root)
            except OSError:  # the working directory is gone
                self._doubtful.add(file.path)
                continue
            if file.given:
                # The call inside began elsewhere, perhaps.
                file = replace(file, path=shown_path(path, self._root), given=self._way_to(path))
            if path not in self._made:
                key = _key_of(file)
                self._added[key] = _agree(self._added.get(key, file), file)

    def _settled(self, file: FileRead) -> FileRead:
        """What was declared, as the body leaves it where it has put files there itself: they do not count against it
        at the next look."""
        if file.size != DECLARED:
            return file
        try:
            path = place_of(file, self._root)
        except OSError:
            return replace(file, digest="")
        beginning = re.split(r"[*?[]", path)[0]
        if beginning == path:
            beginning = os.path.join(path, "")
        if any(made == path or made.startswith(beginning) for made in self._made):
            return replace(file, digest=declared_digest(path))
        return file

    def _way_to(self, path: str) -> str:
        return path if self._folder is None else os.path.relpath(path, self._folder)

    def _absent(self, path: str, given: str) -> FileRead | None:
        if path in self._made:
            return None
        digest = "absent" if not os.path.exists(path) else ""
        return FileRead(shown_path(path, self._root), ABSENT, 0, 0, 0, digest, given)

    def _file(self, path: str, given: str, stamp: Stamp) -> FileRead | None:
        now_ms = self._clock.now_ms()
        found = stamp_at(path)
        if found is None and milliseconds(stamp.ctime_ns) >= self._started_ms - _CLOCK_SLACK_MS:
            return None  # made and removed while the body ran, by a child process or native code
        digest = ""
        # Otherwise, if it moved or is gone, nobody can say what the body saw. Empty both times: an empty lock file.
        if found is not None and (found == stamp or found.size == stamp.size == 0):
            digest = digest_at_rest(path, found)
        return regular(shown_path(path, self._root), stamp if found is None else found, digest, now_ms, given)

    def _names(self, path: str, given: str, kind: Kind, before: frozenset[str] | None) -> FileRead:
        """What was listed. Files that the body has made itself since are no news at the next look."""
        now = names_of(path, kind)
        base = base_of(path, kind)
        made = {os.path.relpath(each, base) for each in self._made if each.startswith(os.path.join(base, ""))}
        made |= {name.partition(os.sep)[0] for name in made}
        is_own = before is not None and now is not None and before <= now and now - before <= made
        digest = names_digest(now) if is_own or before == now else ""
        return FileRead(shown_path(path, self._root), LISTED, 0, 0, int(kind), digest, given)

    def _list(self, path: str, is_relative: bool, kind: Kind) -> None:
        if os.path.join(base_of(path, kind), "").startswith(self._aside) or path in self._made:
            return
        self._listed.setdefault((path, self._way_to(path) if is_relative else "", kind), names_of(path, kind))

    def _open(self, path: str, is_relative: bool, flags: int) -> None:
        if path.endswith(_NEVER_SUFFIXES) or path.startswith(self._aside) or path in self._made:
            return
        key = (path, self._way_to(path) if is_relative else "")
        found = stamp_at(path)
        if found is None:
            # Absent, or no regular file. If this open makes it, its content is the body's own.
            if os.path.exists(path):
                return
            if flags & os.O_CREAT:
                self._made.add(path)
            else:
                self._opened.setdefault(key, None)
            return
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if flags & os.O_TRUNC and access != os.O_RDONLY:
            if path not in self._read:
                self._made.add(path)
        elif access != os.O_WRONLY:
            self._read.add(path)
            if self._opened.get(key) is None:
                # Also where it was looked for in vain before: a child process of the body has made it since.
                self._opened[key] = found

    def _rename(self, source: str, target: str) -> None:
        # A file written aside and moved into place is the body's own.
        if source in self._made and target not in self._read:
            self._made.add(target)


def recording(root: Root, clock: Clock | None = None, store: Root = None) -> Reads:
    """Records the opens of this context while the block runs; recordings nest, and each sees all inside it.

    A recording belongs to its `contextvars` context, so awaited bodies that take turns keep apart. An open in a
    context without any (a thread that the body or a library started) counts for all that record at that moment, and a
    recording that begins in such a context stands inside those of all other threads: one file too many is looked at
    again for nothing, one too few would be a stale answer.

    Args:
        root: the folder that holds the store; files inside it are named relative to it. None names all absolutely.
        clock: tells how old a file is when it is digested.
        store: the store's own folder, whose files no body reads by itself.
    """
    return Reads(root, clock if clock is not None else SystemClock(), store)


def add_to_current(files: Iterable[FileRead]) -> None:
    """Passes on to the recordings of this context what a replayed call depends on; nothing when there is none."""
    files = tuple(files)
    for reads in _around():
        reads.add(files)


def add_declared(entries: Iterable[tuple[str, str]], root: Root) -> None:
    """Passes on to the recordings of this context what a call inside has declared: paths and their digests, as its own
    key has them. Native code may read them, past Python, and a hit of a call around it asks for no key of this one."""
    around = _around()
    if not around:
        return
    full = None if root is None else os.path.abspath(root)
    for spelled, digest in entries:
        path = os.path.expanduser(spelled)
        given = "" if os.path.isabs(path) else path
        file = FileRead(shown_path(os.path.abspath(path), full), DECLARED, 0, 0, 0, digest, given)
        for reads in around:
            reads.add((file,))


def is_recording() -> bool:
    """Whether any body is at work."""
    return bool(_active)


def _around() -> tuple[Reads, ...]:
    """The recordings that something which begins here stands in."""
    if not _active:
        return ()
    mine = tuple([reads for reads in _current.get() if reads in _active])
    if mine:
        return mine
    # A thread does not inherit the context of the body that it works for. The bodies of this very thread are awaited
    # ones that take turns, and are no parents of one another.
    here = threading.get_ident()
    return tuple([reads for reads in list(_active) if reads._thread != here])


_current: ContextVar[tuple[Reads, ...]] = ContextVar("resonate_nb_reads", default=())
_lock = held_over_forks(threading.Lock())
_active: dict[Reads, None] = {}
"""By themselves: each `id()` would be an event for the hook."""
_is_installed = False


def _install() -> None:
    global _is_installed
    with _lock:
        if not _is_installed:
            sys.addaudithook(_hook)
            _is_installed = True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _active and event in _EVENTS:
        _note(event, args, sys._getframe(1))


_EVENTS = frozenset({"open", "os.mkdir", "os.rename"}) | EVENTS


def _note(event: str, args: tuple[Any, ...], caller: FrameType) -> None:
    """Must not raise: the open of the user's would fail with it."""
    path = args[0]
    if caller.f_code.co_filename.startswith(PACKAGE):
        return  # our own store
    kind = None
    if event in EVENTS:
        asked = asked_for(event, args, caller)
        if asked is None:
            return
        path, kind = asked
    if not isinstance(path, (str, bytes, os.PathLike)):
        return  # a descriptor, which some open gave before
    # A task that outlives the call that started it carries recordings that have ended.
    mine = [reads for reads in _current.get() if reads in _active]
    for reads in mine or list(_active):
        try:
            # At once: the working directory may be another one at the end.
            spelled = os.fsdecode(path)
            full = os.path.abspath(spelled)
            if kind is not None:
                reads._list(full, not os.path.isabs(spelled), kind)
            elif event == "os.mkdir":
                if not os.path.exists(full):
                    reads._made.add(full)
            elif event == "open":
                reads._open(full, not os.path.isabs(spelled), args[2])
            else:
                reads._rename(full, os.path.abspath(os.fsdecode(args[1])))
        except Exception:
            # What cannot be looked at cannot be vouched for: the record says so, and is never found unchanged.
            reads._doubtful.add(repr(path))


_NEVER_SUFFIXES = (".pyc", ".pyo")


def _key_of(file: FileRead) -> tuple[str, str, str]:
    """What there is one record of in a recording; one path may be opened and declared as well."""
    is_other = file.size in (DECLARED, LISTED)
    return file.path, file.given, f"{file.size} {file.inode}" if is_other else ""


def _agree(one: FileRead, other: FileRead) -> FileRead:
    """Two readings of one file; when their contents differ, equal to nothing."""
    return other if one.digest == other.digest else replace(other, digest="")
