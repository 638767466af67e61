"""What is remembered of files is what they hold, whatever is done to them, and spares the reading where it may."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from contextlib import chdir
from pathlib import Path

import pytest
from blake3 import blake3

from resonate_nb import durable
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.runtime import configure, engine
from resonate_nb.runtime._digests import RACY_MS, Progress, digest_of
from resonate_nb.runtime._entries import MISSING, entry_digest

LATER_MS = 3_600_000
LARGE = 1_500_000


class Reads(Progress):
    """Counts the chunks that are read."""

    count = 0

    def went_on(self, path: str, done: int, size: int) -> None:
        self.count += 1


def at_rest() -> ManualClock:
    """A clock by which every file has rested for an hour."""
    return ManualClock(SystemClock().now_ms() + LATER_MS)


def asked(path: Path, clock: ManualClock | None = None) -> tuple[str, int]:
    """The digest, and how many chunks were read for it."""
    reads = Reads()
    return digest_of(str(path), path.stat(), reads, clock), reads.count


def fresh(path: Path) -> str:
    return blake3(path.read_bytes()).hexdigest()


def tick(folder: Path) -> None:
    """The clock of the file system has moved on: what changes from here on has other times than what did before."""
    probe = folder / "probe"
    probe.touch()
    then = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == then:
        probe.write_text("x")


def test_a_file_that_has_rested_is_read_once(tmp_path: Path) -> None:
    """By as many as ask."""
    file = tmp_path / "a"
    file.write_text("one")
    clock = at_rest()
    assert [(fresh(file), 1), (fresh(file), 0)] == [asked(file, clock) for _ in range(2)]


@pytest.mark.parametrize("ago_ms", [0, RACY_MS - 100])
def test_a_file_that_changed_just_now_is_not_remembered(ago_ms: int, tmp_path: Path) -> None:
    """It may change again within one tick of a coarse clock, its size and times as they were."""
    file = tmp_path / "a"
    file.write_text("one")
    clock = ManualClock(file.stat().st_ctime_ns // 1_000_000 + ago_ms)
    assert [1, 1] == [asked(file, clock)[1] for _ in range(2)]


def test_the_time_that_counts_cannot_be_set(tmp_path: Path) -> None:
    """A file whose mtime was set back, or to the future, has rested only since it was really changed."""
    file = tmp_path / "a"
    file.write_text("one")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    just_now = ManualClock(file.stat().st_ctime_ns // 1_000_000)
    assert [1, 1] == [asked(file, just_now)[1] for _ in range(2)]
    os.utime(file, (4_000_000_000, 4_000_000_000))
    assert [1, 0] == [asked(file, at_rest())[1] for _ in range(2)]


def write(file: Path, chance: random.Random) -> None:
    file.write_bytes(bytes([chance.randrange(3)]) * chance.choice((1, 7, 7, 7)))


def write_and_set_back(file: Path, chance: random.Random) -> None:
    found = file.stat()
    file.write_bytes(bytes([chance.randrange(3)]) * found.st_size)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def replace_it(file: Path, chance: random.Random) -> None:
    other = file.with_name("other")
    other.write_bytes(bytes([chance.randrange(3)]) * file.stat().st_size)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(other, file)


def swap(file: Path, chance: random.Random) -> None:
    second = file.with_name("second")
    if not second.exists():
        second.write_bytes(b"\x02" * file.stat().st_size)
    third = file.with_name("third")
    os.rename(file, third)
    os.rename(second, file)
    os.rename(third, second)


def write_in_the_middle(file: Path, chance: random.Random) -> None:
    with open(file, "r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(bytes([chance.randrange(3)]))


def relink(file: Path, chance: random.Random) -> None:
    target = file.with_name(f"target{chance.randrange(2)}")
    if not target.exists():
        target.write_bytes(bytes([chance.randrange(3)]) * 7)
    file.unlink()
    file.symlink_to(target.name)


def delete_and_make(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    file.unlink()
    file.write_bytes(bytes([chance.randrange(3)]) * size)


CHANGES = [write, write_and_set_back, replace_it, swap, write_in_the_middle, relink, delete_and_make]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_remembered_is_what_the_file_holds(seed: int, tmp_path: Path) -> None:
    """After any row of changes, told by reading the file anew; the size is mostly the same, and the times often."""
    chance = random.Random(seed)
    file = tmp_path / "a"
    file.write_bytes(b"\x00" * 7)
    spared = 0
    for _ in range(60):
        tick(tmp_path)
        if chance.random() < 0.6:
            chance.choice(CHANGES)(file, chance)
        digest, count = asked(file, at_rest())
        assert fresh(file) == digest
        spared += count == 0
    assert spared > 0


class Meddler(Progress):
    """Somebody else who changes a file while it is read, so many times."""

    def __init__(self, file: Path, times: int) -> None:
        super().__init__()
        self.file = file
        self.times = times

    def went_on(self, path: str, done: int, size: int) -> None:
        if self.times:
            self.times -= 1
            tick(self.file.parent)
            with open(self.file, "ab") as opened:
                opened.write(b"more")


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """Until it stands still."""
    file = tmp_path / "a"
    file.write_text("one")
    assert digest_of(str(file), file.stat(), Meddler(file, 2), at_rest()) == fresh(file)


def test_a_file_that_changes_for_ever_is_refused_by_name(tmp_path: Path) -> None:
    """A log that grows is no input."""
    file = tmp_path / "a.log"
    file.write_text("one")
    with pytest.raises(UnfingerprintableError, match=r"a\.log.*it changes while it is read"):
        digest_of(str(file), file.stat(), Meddler(file, 100), at_rest())


def test_a_long_reading_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a second, and not before; what is large is named."""
    clock = ManualClock()
    progress = Progress(clock)
    with caplog.at_level("INFO", "resonate_nb"):
        progress.went_on("/d/a.txt", 10, 10)
        clock.advance(900)
        progress.went_on("/d/b.parquet", 100_000_000, 3_000_000_000)
        assert [] == caplog.messages
        clock.advance(200)
        progress.went_on("/d/b.parquet", 1_500_000_000, 3_000_000_000)
        progress.end()
    said = "reading 1 file and 1.5 of 3.0 GB of b.parquet, to know whether anything has changed"
    assert [said] == caplog.messages


class Interrupted(Progress):
    def went_on(self, path: str, done: int, size: int) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_is_heard_while_a_file_is_read(tmp_path: Path) -> None:
    """And nothing of it is remembered."""
    file = tmp_path / "a"
    file.write_text("one")
    with pytest.raises(KeyboardInterrupt):
        digest_of(str(file), file.stat(), Interrupted(), at_rest())
    assert (fresh(file), 1) == asked(file, at_rest())


PROCESS = """
import os, sys
from pathlib import Path
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.runtime import configure
from resonate_nb.runtime._digests import Progress, digest_of
class Reads(Progress):
    count = 0
    def went_on(self, path, done, size): self.count += 1
store, path = sys.argv[1:]
configure(store=store)
reads = Reads()
print(digest_of(path, os.stat(path), reads, ManualClock(SystemClock().now_ms() + 3_600_000)), reads.count)
"""


def elsewhere(store: Path, file: Path) -> tuple[str, int]:
    """What another process is told of a file."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, str(store), str(file)], capture_output=True, text=True, check=True
    )
    digest, count = done.stdout.split()
    return digest, int(count)


@pytest.mark.slow
def test_a_large_file_is_read_once_by_all_processes(tmp_path: Path) -> None:
    """For as long as it is the same; also where it was first read before there was a store."""
    store, file, other = tmp_path / "store", tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"x" * LARGE)
    other.write_bytes(b"y" * LARGE)
    configure(store=store)
    assert not store.exists()
    clock = at_rest()
    assert 1 == asked(file, clock)[1]
    engine()
    assert 1 == asked(other, clock)[1]
    assert (fresh(file), 0) == elsewhere(store, file)
    assert (fresh(other), 0) == elsewhere(store, other)
    os.utime(file)
    assert (fresh(file), 1) == elsewhere(store, file)
    assert (fresh(file), 0) == elsewhere(store, file)
    file.write_bytes(b"z" * LARGE)
    assert (fresh(file), 1) == elsewhere(store, file)


def test_a_small_file_is_not_worth_a_database(tmp_path: Path) -> None:
    """To read it takes no longer than to ask."""
    configure(store=tmp_path / "store")
    engine()
    (tmp_path / "a").write_text("one")
    asked(tmp_path / "a", at_rest())
    assert not (tmp_path / "store" / "digests").exists()


def test_what_the_system_makes_up_is_read_each_time() -> None:
    """It has no size, and its times stand still."""
    if not os.path.exists("/proc/self/stat"):
        return  # only Linux has such files
    assert [1, 1] == [min(1, asked(Path("/proc/self/stat"), at_rest())[1]) for _ in range(2)]


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    """Each is told the same."""
    files = [tmp_path / str(number) for number in range(40)]
    for file in files:
        file.write_text(file.name)
    clock, wrong = at_rest(), []

    def ask() -> None:
        for file in files * 3:
            if asked(file, clock)[0] != fresh(file):
                wrong.append(file)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


def test_a_folder_counts_by_names_and_contents_alone(tmp_path: Path) -> None:
    """Wherever it lies, and whatever order its names come in."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, "abc"), (two, "cba")):
        (folder / "sub").mkdir(parents=True)
        for name in names:
            (folder / "sub" / name).write_text(name)
    assert entry_digest(one) == entry_digest(two)
    (two / "sub" / "a").rename(two / "a")
    assert entry_digest(one) != entry_digest(two)


def test_a_name_and_a_content_are_told_apart(tmp_path: Path) -> None:
    """No text in a file looks like another file beside it."""
    found = set()
    for number, files in enumerate(({"a": "b"}, {"ab": ""}, {"a": "", "b": ""}, {"b": "a"}, {}, {"a": "missing"})):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        found.add(entry_digest(folder))
    assert 6 == len(found)
    assert MISSING not in found


def test_what_is_no_file_within_a_folder_counts_by_its_kind(tmp_path: Path) -> None:
    """A pipe is not opened: nobody may ever write to it."""
    os.mkfifo(tmp_path / "pipe")
    before = entry_digest(tmp_path)
    (tmp_path / "pipe").unlink()
    assert before != entry_digest(tmp_path)


def nest(folder: Path, depth: int) -> None:
    """Step by step: no path may be so long."""
    with chdir(folder):
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")


@pytest.mark.usefixtures("engine")
def test_folders_that_are_nested_too_deep_are_refused(tmp_path: Path) -> None:
    """With the path, before the body runs; and what a body has made so does not cost it its value."""

    @durable(files="tree")
    def reads(tree: Path) -> int:
        return 1

    @durable
    def makes(tree: Path) -> int:
        reads(tree)
        nest(tree, 250)
        return 2

    assert 2 == makes(tmp_path)
    with pytest.raises(UnfingerprintableError, match="it lies more than 200 folders deep"):
        reads(tmp_path)


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_that_leads_nowhere_counts_as_missing(target: str, tmp_path: Path) -> None:
    """As whoever opens it finds it."""
    (tmp_path / "link").symlink_to(target)
    assert MISSING == entry_digest(tmp_path / "link")


def test_a_path_may_have_bytes_that_are_no_text(tmp_path: Path) -> None:
    """As files of old archives do."""
    name = os.fsencode(tmp_path) + b"/\xff"
    with open(name, "w") as file:
        file.write("one")
    before = entry_digest(name)
    assert before == entry_digest(os.fsdecode(name))
    assert entry_digest(tmp_path) != MISSING != before


@pytest.mark.slow
def test_a_folder_of_many_files(tmp_path: Path) -> None:
    """Each counts, and links that lead back up come to an end."""
    for number in range(5_000):
        (tmp_path / f"{number}.txt").write_text(str(number))
    (tmp_path / "up").symlink_to(tmp_path)
    before = entry_digest(tmp_path)
    assert before == entry_digest(tmp_path)
    (tmp_path / "2500.txt").write_text("other")
    assert before != entry_digest(tmp_path)
    assert MISSING != entry_digest(f"{tmp_path}/*.txt")
