"""On a network file system a store has a rollback journal, and one process at a time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from children import CLOCK, Child, own_alone, pending
from contract import StoreContract, insert, plain

from resonate_nb.clock import ManualClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import Inserted
from resonate_nb.store import SqliteStore, Store
from resonate_nb.store._failures import no_locks
from resonate_nb.store._filesystem import FileSystem, _of_darwin, _of_linux, file_system_of, nearest

NFS = FileSystem("nfs4")

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:40 / /home rw,relatime shared:1 master:2 - nfs4 server:/home rw,vers=4.2
41 40 0:41 / /home/ada/my\040disk rw - ext4 /dev/sdb rw
42 27 0:42 / /data rw - ext4 /dev/sdc rw
43 42 0:43 / /data rw - fuse.sshfs host:/data rw
"""

DARWIN = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//ada@server/share on /Volumes/share (smbfs, nodev, nosuid, mounted by ada)
server:/export on /Volumes/my data (1) (nfs, nodev)
"""


def opened(path: Path, clock: ManualClock | None = None) -> SqliteStore:
    store = SqliteStore.open(path, clock=clock or CLOCK, file_system=NFS)
    assert isinstance(store, SqliteStore)
    return store


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada/store", "nfs4"),
        ("/home/ada/my disk/store", "ext4"),
        ("/home/ada/my disks/store", "nfs4"),
        ("/homes/store", "ext4"),
        ("/data/store", "fuse.sshfs"),
        ("/proc/1", "proc"),
    ],
)
def test_innermost_mount_counts_and_the_last_of_several(path: str, kind: str) -> None:
    """As proc(5) writes them down, with spaces as octal numbers."""
    assert kind == nearest(Path(path), _of_linux(MOUNTINFO))


@pytest.mark.parametrize(
    ("path", "kind"), [("/Users/ada", "apfs"), ("/Volumes/share/s", "smbfs"), ("/Volumes/my data (1)/s", "nfs")]
)
def test_mounts_of_macos_are_read(path: str, kind: str) -> None:
    """As mount(8) prints them."""
    assert kind == nearest(Path(path), _of_darwin(DARWIN))


@pytest.mark.parametrize(
    ("kind", "is_network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "fuse.sshfs", "fuse.drive", "fuse")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "zfs", "fuse.ntfs-3g", "")),
    ],
)
def test_network_file_systems_are_known(kind: str, is_network: bool) -> None:
    """Among those in user space the local ones are."""
    assert is_network == FileSystem(kind).is_network


def test_file_system_of_this_machine_is_found(tmp_path: Path) -> None:
    """Also for a folder that is not there yet."""
    assert file_system_of(tmp_path) == file_system_of(tmp_path / "not" / "there")
    assert not file_system_of(tmp_path).is_network


@pytest.mark.slow
class TestNetworkStore(StoreContract):
    """It keeps the contract, but for one thing: a commit waits for the readers of its process."""

    def make(self, path: Path, clock: ManualClock) -> Store:
        return opened(path, clock)

    def test_snapshot_does_not_see_what_is_committed_later(self, store: Store) -> None:
        done = threading.Event()

        def write() -> None:
            insert(store, plain("b"))
            done.set()

        with store.read() as reader:
            thread = threading.Thread(target=write)
            thread.start()
            assert reader.get("b") is None
            assert not done.is_set()
        thread.join()
        with store.read() as reader:
            assert reader.get("b") is not None

    def test_readers_of_one_thread_can_be_nested(self, store: Store) -> None:
        insert(store, plain("a"))
        with store.read() as outer, store.read() as inner:
            assert plain("a") == inner.get("a") == outer.get("a")


def test_nothing_is_mapped_and_no_log_is_written(tmp_path: Path) -> None:
    """Words in a file would not move on other machines; full syncs, since there is no log to sync behind."""
    store = opened(tmp_path / "store")
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
        transaction.invalidate()
        assert 2 == transaction.link.cursor.execute("PRAGMA synchronous").fetchone()[0]
    assert 1 == store.invalidation_word()
    assert bytes(16) == (store.path / "signal").read_bytes()
    names = {file.name for file in store.path.iterdir()}
    assert {".gitignore", "in-use", "owners", "promises.db", "signal", "values"} == names
    assert [] == store.check()
    store.close()


def test_store_can_move_to_a_network_and_back(tmp_path: Path) -> None:
    """Its log becomes a journal, also one that a kill has left, and the other way round."""
    path = tmp_path / "store"
    local = SqliteStore.open(path, clock=CLOCK)
    insert(local, plain("a"))
    path = tmp_path / "moved"
    shutil.copytree(local.path, path)
    local.close()
    assert (path / "promises.db-wal").stat().st_size
    remote = opened(path)
    insert(remote, plain("b"))
    assert "delete" == journal(path)
    remote.close()
    said: list[str] = []
    local = SqliteStore.open(path, clock=CLOCK, warn=said.append)
    assert [] == said
    with local.read() as reader:
        assert [plain("a"), plain("b")] == [reader.get("a"), reader.get("b")]
    assert "wal" == journal(path)
    local.close()


def journal(path: Path) -> str:
    connection = sqlite3.connect(path / "promises.db")
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return str(mode)


@pytest.mark.slow
def test_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """However it ends; the refusal says who it is, and the way out."""
    path = tmp_path / "store"
    for end in ("close", "kill"):
        child = Child(own_alone, path)
        assert "ready" == child.read()
        with pytest.raises(StoreError, match=rf"nfs4.*process {child.process.pid} on .*RESONATE_NB_STORE"):
            opened(path)
        if end == "close":
            child.tell()
            assert "closed" == child.read()
            opened(path).close()
        child.kill()
        opened(path).close()


def test_second_handle_of_one_process_shares_its_turn(tmp_path: Path) -> None:
    """While one takes the place of the other (`configure`)."""
    first, second = opened(tmp_path / "store"), opened(tmp_path / "store")
    first.close()
    insert(second, plain("a"))
    child = os.fork()
    if child == 0:
        # A child is another process, whatever it has inherited.
        try:
            second.read().__enter__()
        except StoreError as error:
            os._exit(0 if f"process {os.getppid()} on" in str(error) else 2)
        os._exit(1)
    assert 0 == os.waitpid(child, 0)[1]
    second.close()
    assert b"" == (tmp_path / "store" / "in-use").read_bytes()


def elsewhere(path: Path) -> None:
    """As if another machine had begun, whose locks do not reach us."""
    (path / "in-use").write_text(json.dumps({"host": "elsewhere", "pid": 4711, "token": "x"}))


def test_another_machine_has_its_turn_as_long_as_its_lease(tmp_path: Path) -> None:
    """Told by the age of the file, which the file system knows better than we do."""
    path = tmp_path / "store"
    opened(path).close()
    elsewhere(path)
    with pytest.raises(StoreError, match="process 4711 on elsewhere"):
        opened(path)
    stamp = (path / "in-use").stat().st_mtime
    os.utime(path / "in-use", (stamp - 61, stamp - 61))
    store = opened(path)
    insert(store, plain("a"))
    store.close()


def test_lease_is_kept_while_the_store_is_used_and_lost_to_whoever_took_it(tmp_path: Path) -> None:
    """A machine that slept finds out before it writes."""
    clock = ManualClock()
    store = opened(tmp_path / "store", clock)
    file = store.path / "in-use"
    os.utime(file, (1, 1))
    clock.advance(14_000)
    insert(store, plain("a"))
    assert 1 == file.stat().st_mtime
    clock.advance(2_000)
    insert(store, plain("b"))
    assert 1 < file.stat().st_mtime
    clock.advance(16_000)
    elsewhere(store.path)
    with pytest.raises(StoreError, match="process 4711 on elsewhere"):
        insert(store, plain("c"))
    store.close()
    assert "elsewhere" in file.read_text()


def test_file_system_without_locks_is_refused_with_the_way_out() -> None:
    """It cannot tell that somebody else is there."""
    message = str(no_locks(Path("/some/store"), "fuse.some", OSError(errno.ENOLCK, "No locks available")))
    assert message.index("/some/store") < message.index("fuse.some") < message.index("No locks available")
    assert message.endswith("RESONATE_NB_STORE, on a local disk.")
