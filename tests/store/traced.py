"""What a process did to files, as strace saw it: every write with its bytes, every change of a name, every sync.

A call of the system has begun at one line of the record and has ended at the same or at a later one; "before" means
by these lines. Whatever could change a file in a way that is not read here is an error, never left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_READ = "openat,write,pwrite64,ftruncate,rename,unlink,mkdir,fsync,fdatasync,close,mmap,clone,clone3,fork,vfork"
_REFUSED = (
    "open,creat,openat2,writev,pwritev,pwritev2,truncate,fallocate,copy_file_range,sendfile,splice,renameat,renameat2,"
    "link,linkat,unlinkat,mkdirat,rmdir,symlink,symlinkat,sync_file_range,msync,syncfs,sync,dup,dup2,dup3"
)
"""Calls that would have to be read here if anything of ours came to use them on the traced directory."""

_LINE = re.compile(rb"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)\n", re.DOTALL)
_UNFINISHED = b" <unfinished ...>"
_CLONES = ("clone", "clone3", "fork", "vfork")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of a file, at an offset."""

    begun: int
    ended: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """The file has this size."""

    begun: int
    ended: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Name:
    """In a directory, names that came (with what they stand for) and names that went, at once."""

    begun: int
    ended: int
    came: tuple[str, Node] | None
    went: str | None


@dataclass(frozen=True, slots=True)
class Sync:
    """All that had ended when this began is on the medium when it ends."""

    begun: int
    ended: int
    is_behind: bool
    """Whether a thread made it that is not its process's first."""


@dataclass(eq=False, slots=True)
class Node:
    """A file or a directory, whatever it is called."""

    is_directory: bool
    changes: list[Write | Truncate | Name] = field(default_factory=list)
    syncs: list[Sync] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)
    """Of a directory, as they are now."""
    size_bytes: int = 0
    """Of a file, as it is now."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a process said on its standard output."""

    at: int
    process: int
    words: list[str]


@dataclass(slots=True)
class Record:
    """The whole run. `root` is the directory that was watched; it was empty, and its own name is safe."""

    root: Node
    lines: list[Line] = field(default_factory=list)
    length: int = 0
    """How many lines the record has: the instants at which one can cut."""

    def node(self, *path: str) -> Node:
        """What has this name at the end."""
        found = self.root
        for name in path:
            found = found.names[name]
        return found

    def everything(self) -> Iterator[tuple[str, Node]]:
        """All that ever had a name, once, with each of its names."""
        seen: set[tuple[str, Node]] = set()
        folders = [self.root]
        for folder in folders:
            for change in folder.changes:
                if isinstance(change, Name) and change.came is not None and change.came not in seen:
                    seen.add(change.came)
                    yield change.came
                    if change.came[1].is_directory:
                        folders.append(change.came[1])


def trace(root: Path, work: Callable[..., None], *words: object) -> Record:
    """Run a function of a test module in a process of its own, and record what it does to files under `root`, which is
    made. Paths among the words must be absolute."""
    if shutil.which("strace") is None:
        raise RuntimeError("these tests need strace; install it with `apt-get install strace`")
    root.mkdir()
    log = root.with_name(f"{root.name}.strace")
    module = sys.modules[work.__module__].__file__
    command = ["strace", "-f", "-qq", "-xx", "-s", "100000000", "--seccomp-bpf", "-e", "signal=none", "-o", str(log)]
    command += ["-e", f"trace={_READ},{_REFUSED}"]
    command += [sys.executable, str(module), work.__name__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    reader = _Reader(root)
    with log.open("rb") as lines:
        reader.read(list(_calls(lines)))
    log.unlink()
    return reader.record


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the system that succeeded."""

    thread: int
    begun: int
    ended: int
    name: str
    text: bytes
    """Its arguments, as strace shows them."""
    result: int


def _calls(lines: Iterable[bytes]) -> Iterator[_Call]:
    unfinished: dict[int, tuple[int, bytes]] = {}
    for at, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        assert match is not None, line[:200]
        thread, begun, text = int(match[1]), at, match[4]
        if text.endswith(_UNFINISHED):
            unfinished[thread] = (at, text.removesuffix(_UNFINISHED))
            continue
        if match[2] is not None:
            begun, first = unfinished.pop(thread)
            text = first + text
        text, _, outcome = text.rpartition(b"= ")
        if outcome[:1] not in b"-?":  # it failed, or the process ended in it
            name = (match[2] or match[3]).decode()
            yield _Call(thread, begun, at, name, text.rstrip().removesuffix(b")"), int(outcome.split()[0], 0))


class _Reader:
    """Reads calls into a `Record`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: dict[int, int] = {}
        """Of each thread but the first of its process: the process."""
        self._open: dict[tuple[int, int], Node] = {}
        """What a process's descriptor stands for, if it lies under the root."""
        self._position: dict[tuple[int, int], int] = {}
        self.record = Record(Node(is_directory=True))

    def read(self, calls: list[_Call]) -> None:
        for call in calls:
            # First of all, since a thread may be seen before the call that made it has ended. A new process inherits
            # no descriptor that matters: what is opened here is closed where another program begins.
            if call.name in _CLONES and b"CLONE_THREAD" in call.text:
                self._process[call.result] = self._process.get(call.thread, call.thread)
        for call in calls:
            self._read(call)
            self.record.length = call.ended

    def _read(self, call: _Call) -> None:
        strings = [bytes.fromhex(each.decode().replace("\\x", "")) for each in call.text.split(b'"')[1::2]]
        words = call.text.split(b", ")
        process = self._process.get(call.thread, call.thread)
        file = (process, int(words[0]) if words[0].isdigit() else -1)
        node = self._open.get(file)
        match call.name:
            case "clone" | "clone3" | "fork" | "vfork":
                return
            case "openat":
                self._openat(call, process, _path(strings[0]), words[2])
            case "close":
                self._open.pop(file, None)
            case "write" if file[1] == 1:
                said = strings[0].decode().splitlines()
                self.record.lines += [Line(call.ended, process, line.split()) for line in said]
            case "write" | "pwrite64":
                if node is None:
                    return
                offset = self._position[file] if call.name == "write" else int(words[-1])
                if call.name == "write":
                    self._position[file] += call.result
                node.size_bytes = max(node.size_bytes, offset + call.result)
                node.changes.append(Write(call.begun, call.ended, offset, strings[0][: call.result]))
            case "ftruncate":
                if node is not None:
                    node.size_bytes = int(words[1])
                    node.changes.append(Truncate(call.begun, call.ended, node.size_bytes))
            case "fsync" | "fdatasync":
                if node is not None:
                    node.syncs.append(Sync(call.begun, call.ended, is_behind=call.thread != process))
            case "mkdir":
                self._name(call, _path(strings[0]), Node(is_directory=True))
            case "unlink":
                self._name(call, _path(strings[0]), None)
            case "rename":
                self._rename(call, _path(strings[0]), _path(strings[1]))
            case "mmap":
                # It changes unseen: only words that nobody relies on after a power cut may be kept like that.
                node = self._open.get((process, int(words[4])))
                if node is not None and b"PROT_WRITE" in words[2] and b"MAP_SHARED" in words[3]:
                    names = [name for name, other in self.record.everything() if other is node]
                    assert all(name == "signal" or name.endswith("-shm") for name in names), names
            case _:
                is_ours = node is not None or any(self._is_ours(_path(each)) for each in strings)
                assert not is_ours, f"{call.name} is not read here"

    def _openat(self, call: _Call, process: int, path: Path, flags: bytes) -> None:
        file = (process, call.result)
        self._open.pop(file, None)
        if not self._is_ours(path):
            return
        node = self._find(path)
        if node is None:
            assert b"O_CREAT" in flags
            node = Node(is_directory=False)
            self._name(call, path, node)
        elif b"O_TRUNC" in flags and node.size_bytes:
            node.size_bytes = 0
            node.changes.append(Truncate(call.begun, call.ended, 0))
        assert b"O_APPEND" not in flags
        self._open[file] = node
        self._position[file] = 0

    def _name(self, call: _Call, path: Path, node: Node | None) -> None:
        if not self._is_ours(path) or path == self._root:
            return
        folder = self._find(path.parent)
        assert folder is not None
        if node is None:
            del folder.names[path.name]
            folder.changes.append(Name(call.begun, call.ended, None, path.name))
        else:
            folder.names[path.name] = node
            folder.changes.append(Name(call.begun, call.ended, (path.name, node), None))

    def _rename(self, call: _Call, old: Path, new: Path) -> None:
        if not self._is_ours(old):
            return
        assert old.parent == new.parent, "renamed into another directory"
        folder = self._find(old.parent)
        assert folder is not None
        node = folder.names.pop(old.name)
        folder.names[new.name] = node
        folder.changes.append(Name(call.begun, call.ended, (new.name, node), old.name))

    def _is_ours(self, path: Path) -> bool:
        return path.is_relative_to(self._root)

    def _find(self, path: Path) -> Node | None:
        node: Node | None = self.record.root
        for name in path.relative_to(self._root).parts:
            node = None if node is None else node.names.get(name)
        return node


def _path(text: bytes) -> Path:
    return Path(text.decode(errors="surrogateescape"))
