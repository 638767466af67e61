"""On which kind of file system a store lies: what SQLite's log, mapped words and locks need does not hold on all.

Over a network, memory that is mapped is not shared with other machines, and so neither are the write-ahead log's index
and the words of `_signal`. There a store has a rollback journal and one process at a time (`_turn`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from resonate_nb.records import dataclass

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "afpfs", "coda", "9p", "webdav", "davfs", "vboxsf"),
        *("lustre", "ceph", "beegfs", "gpfs", "glusterfs", "orangefs", "pvfs2", "panfs", "wekafs", "ocfs2", "gfs2"),
    )
)
_LOCAL_FUSE = frozenset(("fuse.ext2", "fuse.ntfs", "fuse.ntfs-3g", "fuse.exfat", "fuse.zfs", "fuse.fuse-overlayfs"))
"""A file system in user space that is none of these is taken for one of the many that fetch their files from afar."""
_DARWIN_PLACES = ("/Volumes", "/Network", "/net")
"""Where macOS mounts what is not on its own disk; asking takes another program."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What is known of it."""

    name: str
    """As the system calls it, ``nfs4`` for one; empty where it does not tell."""

    @property
    def is_network(self) -> bool:
        """Whether other machines may have the same files, or the files are fetched from one."""
        name = self.name
        return name in _NETWORK or name == "fuse" or (name.startswith("fuse.") and name not in _LOCAL_FUSE)


def file_system_of(path: Path) -> FileSystem:
    """The file system that the path lies on, or will."""
    path = path.resolve()
    if sys.platform == "darwin":
        if not str(path).startswith(_DARWIN_PLACES):
            return FileSystem("")
        import subprocess

        mounts = _of_darwin(subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout)
    else:
        try:
            mounts = _of_linux(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
        except FileNotFoundError:
            return FileSystem("")
    return FileSystem(nearest(path, mounts))


def nearest(path: Path, mounts: Iterable[tuple[Path, str]]) -> str:
    """The kind of the innermost mount over the path, the last one where several lie over one another."""
    found, depth = "", 0
    for place, kind in mounts:
        if path.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = kind, len(place.parts)
    return found


def _of_linux(text: str) -> Iterator[tuple[Path, str]]:
    # 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue      (proc(5))
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), before.split(" ")[4])
        yield Path(place), after.split(" ")[0]


def _of_darwin(text: str) -> Iterator[tuple[Path, str]]:
    # server:/export on /Volumes/data (nfs, nodev, nosuid)
    for match in re.finditer(r"^.* on (/.*) \(([^,)]+)", text, re.MULTILINE):
        yield Path(match[1]), match[2]
