"""Who is alive: one locked file per process, whose lock ends with the process however it ends.

A file is named by its owner while the owner lives or has just died, and ``<owner>.dead`` once an opener of the store
has cleared up after it. It is kept for a week after the process opened the store, so that one can still say which
process it was.
"""

from __future__ import annotations

import json
import os
import re
import sys
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL besides
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from resonate_nb.clock import Clock

from . import _locks
from ._failures import NO_ROOM
from ._port import OwnerInfo

_NAME = re.compile(r"[A-Za-z0-9_-]+-(\d+)-[0-9a-f]{8}")
_DEAD = ".dead"
_NEW = ".new"
_LET_GO = ".let_go"
_STOPPED = ("T", "t")
"""Letters of the system for a process that is stopped, by a signal or by a debugger."""
_KEPT_MS = 7 * 24 * 3600 * 1000


def new_owner() -> str:
    """A name for this process that no process had or will have: host, pid, and a random part, fit for a file name."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", host_name())[:64] or "host"
    return f"{host}-{os.getpid()}-{os.urandom(4).hex()}"


def host_name() -> str:
    """What this machine calls itself."""
    if sys.platform == "win32":
        import socket

        return socket.gethostname()
    return os.uname().nodename  # the same, and nothing to load for it


def pid_of(owner: str) -> int:
    """The pid inside an owner's name; 0 when it is not a name of ours."""
    match = _NAME.fullmatch(owner)
    return int(match[1]) if match else 0


class Owners:
    """The owner files of one store, and the one that is ours."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._own: str | None = None
        self._descriptor: int | None = None

    @property
    def own(self) -> str | None:
        """Our name; None until `register`, and again in a forked child."""
        return self._own

    def register(self) -> str:
        """This process has a locked file. It is locked under another name first, so that whoever lists owners never
        sees one that is not locked yet."""
        if self._own is not None:
            return self._own
        owner = new_owner()
        final = self._directory / owner
        new = final.with_name(f"{owner}{_NEW}")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _locks.hold(descriptor)
            about = {
                "pid": os.getpid(),
                "host": host_name(),
                "started_at": self._clock.now_ms(),
                "process_start": _process_start(),
            }
            _write_or_leave_empty(descriptor, json.dumps(about).encode())
            os.rename(new, final)
        except BaseException:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        self._descriptor = descriptor
        self._own = owner
        return owner

    def is_alive(self, owner: str) -> bool:
        """Whether the owner's file is still locked. A name that is not ours to give is nobody's."""
        if owner == self._own:
            # Our own lock would stand in our way: another descriptor of this process conflicts as well.
            return True
        if not _NAME.fullmatch(owner):
            return False
        try:
            descriptor = os.open(self._directory / owner, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return _locks.is_held(descriptor)
        finally:
            os.close(descriptor)

    def is_stopped(self, owner: str) -> bool:
        """Whether the owner lives and the system runs none of it. False where the system does not tell."""
        about = self._about(owner)
        pid, start = about.get("pid"), about.get("process_start")
        if owner == self._own or not isinstance(pid, int) or start is None or not self.is_alive(owner):
            return False
        state, started = _process_stat(str(pid)) or ("", None)
        # A process of another start has only inherited the number.
        return started == start and state in _STOPPED

    def let_go(self, task: str) -> None:
        """Others see that this process is no longer at the task, though it lives and the rows give it the task: it
        could not write there. An empty file, for which a full disk has room."""
        if self._own is not None:
            (self._directory / _mark_of(self._own, task)).touch(0o600)

    def has_let_go(self, owner: str, task: str) -> bool:
        return (self._directory / _mark_of(owner, task)).exists()

    def describe(self, owner: str) -> OwnerInfo:
        """What its file says; what its name says where the file is gone (then `started_at` is 0)."""
        about = self._about(owner)
        pid = about.get("pid")
        started_at = about.get("started_at")
        return OwnerInfo(
            owner=owner,
            pid=pid if isinstance(pid, int) else pid_of(owner),
            host=str(about.get("host") or owner.rsplit("-", 2)[0]),
            started_at=started_at if isinstance(started_at, int) else 0,
            is_alive=self.is_alive(owner),
        )

    @property
    def is_alone(self) -> bool:
        """Whether no other process that lives has the store open."""
        return not any(name != self._own and self.is_alive(name) for name in os.listdir(self._directory))

    def newly_dead(self) -> list[str]:
        """Owners that died and after whom nobody has cleared up."""
        return [name for name in os.listdir(self._directory) if _NAME.fullmatch(name) and not self.is_alive(name)]

    def mark_dead(self, owners: Iterable[str]) -> None:
        """Their left-overs are cleared up; they are not found by `newly_dead` again."""
        for owner in owners:
            os.rename(self._directory / owner, self._directory / f"{owner}{_DEAD}")
            for mark in self._directory.glob(f"{owner}.*{_LET_GO}"):
                mark.unlink(missing_ok=True)

    def long_dead(self) -> set[str]:
        """Owners marked dead that opened the store more than a week ago."""
        oldest = self._clock.now_ms() - _KEPT_MS
        dead = (name.removesuffix(_DEAD) for name in os.listdir(self._directory) if name.endswith(_DEAD))
        return {owner for owner in dead if _NAME.fullmatch(owner) and self.describe(owner).started_at < oldest}

    def remove(self, owners: Iterable[str]) -> None:
        """Nothing is known any more of these owners but their names."""
        for owner in owners:
            (self._directory / f"{owner}{_DEAD}").unlink(missing_ok=True)

    def remove_unborn(self) -> None:
        """Nothing is left of processes that were killed a week ago while they registered, which takes milliseconds."""
        oldest = (self._clock.now_ms() - _KEPT_MS) / 1000
        for path in self._directory.glob(f"*{_NEW}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def close(self) -> None:
        """Our lock is gone: whoever asks sees a dead owner. Idempotent."""
        if self._descriptor is not None:
            # Closed, not unlocked: in a forked child unlocking would take the lock from the parent.
            os.close(self._descriptor)
        self._descriptor = None
        self._own = None

    def _about(self, owner: str) -> dict[str, object]:
        if not _NAME.fullmatch(owner):
            return {}
        for name in (owner, f"{owner}{_DEAD}"):
            try:
                about = json.loads((self._directory / name).read_bytes())
            except (FileNotFoundError, ValueError):
                # Not there, or its process died before the first write was through: the name has to do.
                continue
            if isinstance(about, dict):
                return about
        return {}


def _mark_of(owner: str, task: str) -> str:
    digest = blake2b(task.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{owner}.{digest}{_LET_GO}"


def _write_or_leave_empty(descriptor: int, data: bytes) -> None:
    """On a full disk the file stays empty: its name and its lock say what others must know."""
    try:
        os.write(descriptor, data)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise


def _process_start() -> int | None:
    """Start of this process in the kernel's own count, which with the pid names it for good; None where not told."""
    found = _process_stat("self")
    return None if found is None else found[1]


def _process_stat(pid: str) -> tuple[str, int] | None:
    """State letter and start of a process; None where the system keeps no such files, or there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Fields 3 and 22, counted behind the command's closing parenthesis, since the command may hold spaces.
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])
