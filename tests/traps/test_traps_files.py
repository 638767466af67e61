# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Files that a body opens: relatives of trap 65. What was read and differs now is read again; nothing else is.

Not seen in this stage, and therefore not here: reads by native code and child processes, which files a directory
holds, and whether a file is there without opening it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from trap_sessions import Notebook

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Reading:
    """One way to read, and one way in which what is read changes between two sessions."""

    law: str
    body: str
    change: Callable[[Path], object]
    values: tuple[object, object]
    runs: tuple[int, int]
    before: Callable[[Path], object] = lambda folder: (folder / "a.txt").write_text("1")
    call: str = "got['value'] = f()"


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def kept_times(name: str, text: str) -> Callable[[Path], object]:
    """Other content of the same size, the times set back."""

    def change(folder: Path) -> None:
        stat = (folder / name).stat()
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return change


def replaced(name: str, text: str) -> Callable[[Path], object]:
    """Another file moved into its place, as editors do, with the times of the old one."""

    def change(folder: Path) -> None:
        stat = (folder / name).stat()
        (folder / "new").write_text(text)
        os.utime(folder / "new", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.replace(folder / "new", folder / name)

    return change


def touch(folder: Path) -> None:
    os.utime(folder / "a.txt")


def copied(folder: Path) -> None:
    """The same content in a new file."""
    shutil.copy(folder / "a.txt", folder / "copy")
    os.replace(folder / "copy", folder / "a.txt")


def links(folder: Path) -> None:
    (folder / "a.txt").write_text("1")
    (folder / "b.txt").write_text("2")
    (folder / "link").symlink_to("a.txt")


def relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("b.txt")


ONE, TWO = write("a.txt", "1"), write("a.txt", "2")
READ = "return open('a.txt').read()"

READINGS = [
    Reading("nothing changes", READ, lambda folder: None, ("1", "1"), (1, 0)),
    Reading("the content changes", READ, TWO, ("1", "2"), (1, 1)),
    Reading("the times alone change", READ, touch, ("1", "1"), (1, 0)),
    Reading("the same content in a new file", READ, copied, ("1", "1"), (1, 0)),
    Reading("same size, times set back", READ, kept_times("a.txt", "2"), ("1", "2"), (1, 1)),
    Reading("replaced by a file with the same times", READ, replaced("a.txt", "2"), ("1", "2"), (1, 1)),
    Reading("a file that is not read changes", READ, write("b.txt", "2"), ("1", "1"), (1, 0)),
    Reading("pathlib", "import pathlib\nreturn pathlib.Path('a.txt').read_text()", TWO, ("1", "2"), (1, 1)),
    Reading("bytes, by absolute path", "import os\nreturn open(os.path.abspath('a.txt'), 'rb').read()", TWO, (b"1", b"2"), (1, 1)),
    Reading("os.open", "import os\nfd = os.open('a.txt', os.O_RDONLY)\ntry: return os.read(fd, 9)\nfinally: os.close(fd)", TWO, (b"1", b"2"), (1, 1)),
    Reading("opened for reading and writing", "with open('a.txt', 'r+') as f: return f.read()", TWO, ("1", "2"), (1, 1)),
    Reading("opened for appending and reading", "with open('a.txt', 'a+') as f:\n    f.seek(0)\n    return f.read()", TWO, ("1", "2"), (1, 1)),
    Reading("a link that is pointed elsewhere", "return open('link').read()", relink, ("1", "2"), (1, 1), links),
    Reading("the target of a link changes", "return open('link').read()", TWO, ("1", "2"), (1, 1), links),
    Reading("mmap", "import mmap\nwith open('a.txt', 'rb') as f: return mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[:]", TWO, (b"1", b"2"), (1, 1)),
    Reading("json, and linecache", "import json, linecache\nreturn [json.load(open('a.txt')), linecache.getline('a.txt', 1)]", TWO, ([1, "1\n"], [2, "2\n"]), (1, 1)),
    Reading("in a thread of the body", "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool: return pool.submit(lambda: open('a.txt').read()).result()", TWO, ("1", "2"), (1, 1)),
    Reading("in a directory that the body enters", "import os\nos.chdir('sub')\ntry: return open('a.txt').read()\nfinally: os.chdir('..')", write("sub/a.txt", "2"), ("1", "2"), (1, 1), lambda folder: ((folder / "sub").mkdir(), (folder / "sub" / "a.txt").write_text("1"))),
    Reading("the file is gone", "try: return open('a.txt').read()\nexcept FileNotFoundError: return 'gone'", lambda folder: (folder / "a.txt").unlink(), ("1", "gone"), (1, 1)),
    Reading("it became a directory", "try: return open('a.txt').read()\nexcept OSError: return 'gone'", lambda folder: ((folder / "a.txt").unlink(), (folder / "a.txt").mkdir()), ("1", "gone"), (1, 1)),
    Reading("what the body wrote itself", "open('out.txt', 'w').write('x')\nreturn open('out.txt').read()", write("out.txt", "other"), ("x", "x"), (1, 0)),
    Reading("a config.ini", "import configparser\nc = configparser.ConfigParser()\nc.read('a.txt')\nreturn c['a']['k']", write("a.txt", "[a]\nk=2"), ("1", "2"), (1, 1), write("a.txt", "[a]\nk=1")),
    Reading("pickle", "import pickle\nreturn pickle.load(open('a.txt', 'rb'))", write("a.txt", "I2\n."), (1, 2), (1, 1), write("a.txt", "I1\n.")),
    Reading("a file looked for in vain appears", "try: return open('late.txt').read()\nexcept FileNotFoundError: return 'none'", write("late.txt", "here"), ("none", "here"), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.law)
def test_65_files_that_are_read_count(reading: Reading, tmp_path: Path) -> None:
    """By content; times only spare the reading."""
    book = Notebook(tmp_path)
    reading.before(book.folder)
    body = "".join(f"    {line}\n" for line in reading.body.splitlines())
    cells = f"@durable\ndef f():\n    ran()\n{body}# %%\n{reading.call}"
    first = book.run(cells)
    reading.change(book.folder)
    second, third = book.run(cells), book.run(cells)
    assert (*reading.values, reading.values[1]) == (first.got["value"], second.got["value"], third.got["value"]), (
        second.said
    )
    assert (*reading.runs, 0) == (first.runs, second.runs, third.runs), second.said


def test_65_a_relative_path_read_from_another_folder(tmp_path: Path) -> None:
    """The same text names another file there."""
    book = Notebook(tmp_path)
    cells = "@durable\ndef f():\n    ran()\n    return open('data.txt').read()\n# %%\ngot['value'] = f()"
    book.write("data.txt", "one")
    first = book.run(cells)
    book.folder = tmp_path / "other"
    book.folder.mkdir()
    book.write("data.txt", "two")
    second = book.run(cells)
    assert ["one", "two"] == [first.got["value"], second.got["value"]], second.said
    (book.folder / "data.txt").unlink()
    third = book.run(cells)
    assert {} == third.got
    assert ["FileNotFoundError"] == [error[1] for error in third.errors]


def test_65_a_path_argument_read_after_a_change_of_folder_in_the_session(tmp_path: Path) -> None:
    """`os.chdir` between two calls of one session."""
    book = Notebook(tmp_path)
    for name in "ab":
        (book.folder / name).mkdir()
        book.write(f"{name}/data.txt", name)
    cells = """
import os
@durable
def f(path):
    open('/dev/null')
    return open(path).read()
# %%
os.chdir('a')
one = f('data.txt')
os.chdir('../b')
got['value'] = [one, f('data.txt')]
"""
    first, second = book.run(cells), book.run(cells)
    assert [["a", "b"]] * 2 == [first.got["value"], second.got["value"]], second.said


def test_65_a_file_changed_between_two_calls_of_one_session(tmp_path: Path) -> None:
    """The memory layer asks the file as well."""
    cells = """
import os
@durable
def f():
    ran()
    return open('a.txt').read()
# %%
open('a.txt', 'w').write('1')
out = [f(), f()]
open('a.txt', 'w').write('2')
out += [f(), f()]
s = os.stat('a.txt')
open('a.txt', 'w').write('3')
os.utime('a.txt', ns=(s.st_atime_ns, s.st_mtime_ns))
out += [f(), f()]
got['value'] = out
"""
    outcome = Notebook(tmp_path).run(cells)
    assert ["1", "1", "2", "2", "3", "3"] == outcome.got["value"]
    assert 3 == outcome.runs


@pytest.mark.parametrize("how", ["together", "hit in memory", "hit from the store", "async", "in a thread"])
def test_65_a_durable_parent_depends_on_the_files_of_its_durable_child(how: str, tmp_path: Path) -> None:
    """Whether the child ran or replayed under it."""
    book = Notebook(tmp_path)
    book.write("a.txt", "1")
    child = "@durable\ndef g():\n    ran(g)\n    return open('a.txt').read()"
    parent = "@durable\ndef f():\n    ran()\n    return g()"
    call = "got['value'] = f()"
    if how == "async":
        child, parent, call = (
            text.replace("def ", "async def ").replace("return g", "return await g").replace("= f", "= await f")
            for text in (child, parent, call)
        )
    if how == "in a thread":
        parent = "from concurrent.futures import ThreadPoolExecutor\n@durable\ndef f():\n    ran()\n    with ThreadPoolExecutor() as pool: return pool.submit(g).result()"
    if how == "hit from the store":
        book.run(f"{child}\n# %%\ng()")
    before = "g()" if how == "hit in memory" else "pass"
    cells = f"{child}\n# %%\n{parent}\n# %%\n{before}\n# %%\n{call}"
    first = book.run(cells)
    book.write("a.txt", "2")
    second, third = book.run(cells), book.run(cells)
    assert ["1", "2", "2"] == [outcome.got["value"] for outcome in (first, second, third)], second.said
    assert [2, 0] == [second.runs, third.runs], second.said
