# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""What is declared to count, files=, env= and depends=: relatives of traps 65 and 66, over sessions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from trap_sessions import Notebook

pytestmark = pytest.mark.slow


def write(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return change


def both(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [change(folder) for change in changes]


def kept_times(name: str, text: str) -> Callable[[Path], object]:
    """Other content of the same size, the times set back."""

    def change(folder: Path) -> None:
        found = (folder / name).stat()
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(found.st_atime_ns, found.st_mtime_ns))

    return change


def touch(folder: Path) -> None:
    os.utime(folder / "a.txt")


def copied(folder: Path) -> None:
    shutil.copy(folder / "a.txt", folder / "copy")
    os.replace(folder / "copy", folder / "a.txt")


def linked(target: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to(target)

    return change


ONE, TWO = write("a.txt", "1"), write("a.txt", "2")
BOTH = both(ONE, write("b.txt", "b"))
TREE = both(write("d/a.txt", "1"), write("d/sub/b.txt", "2"))


@dataclass(frozen=True)
class Declared:
    """One way to declare, and one way in which what is declared changes between two sessions."""

    law: str
    options: str
    change: Callable[[Path], object]
    runs: int
    """Of the second session; the third, in which nothing has changed, has none."""
    before: Callable[[Path], object] = ONE
    call: str = "f()"
    parameters: str = ""
    says: str = ""
    environ: tuple[dict[str, str], dict[str, str]] = field(default_factory=lambda: ({}, {}))


def nothing(folder: Path) -> None:
    """It stays as it is."""


PATH = {"options": "files=('path',)", "parameters": "path", "call": "f('a.txt')"}
LITERAL = {"options": "files=('./a.txt',)"}
FOLDER = {"options": "files=('d/',)", "before": TREE}
PATTERN = {"options": "files=('d/*.txt',)", "before": TREE}

CASES = [
    Declared("an argument's file changes", change=TWO, runs=1, says="f runs: file a.txt changed", **PATH),
    Declared("an argument's file stays", change=nothing, runs=0, **PATH),
    Declared("it is touched", change=touch, runs=0, **PATH),
    Declared("it is replaced by a copy", change=copied, runs=0, **PATH),
    Declared("same size, times set back", change=kept_times("a.txt", "2"), runs=1, **PATH),
    Declared("another file changes", change=write("c.txt", "2"), runs=0, **PATH),
    Declared("it is gone", change=lambda folder: (folder / "a.txt").unlink(), runs=1, says="file a.txt is no longer there", **PATH),
    Declared("it comes", change=ONE, runs=1, before=nothing, says="file a.txt is there now", **PATH),
    Declared("it becomes a folder", change=lambda folder: ((folder / "a.txt").unlink(), (folder / "a.txt").mkdir()), runs=1, **PATH),
    Declared("a Path", "files=('path',)", TWO, 1, call="import pathlib; f(pathlib.Path('a.txt'))", parameters="path"),
    Declared("a default", "files=('path',)", TWO, 1, parameters="path='a.txt'"),
    Declared("a keyword", "files=('path',)", TWO, 1, parameters="*, path", call="f(path='a.txt')"),
    Declared("a list of paths", "files=('paths',)", TWO, 1, call="f(['b.txt', 'a.txt'])", parameters="paths", before=BOTH, says="file a.txt"),
    Declared("a dict of paths", "files=('paths',)", TWO, 1, call="f({'x': 'a.txt'})", parameters="paths"),
    Declared("paths after a star", "files=('paths',)", TWO, 1, call="f('b.txt', 'a.txt')", parameters="*paths", before=BOTH),
    Declared("more than are told apart", "files=('paths',)", TWO, 1, call="f(['a.txt'] * 100)", parameters="paths", says="files of `paths`"),
    Declared("None", "files=('path',)", TWO, 0, call="f(None)", parameters="path=None"),
    Declared("with a fixed version", "files=('path',), version=1", TWO, 1, call="f('a.txt')", parameters="path"),
    Declared("with a fixed id", "files=('path',), id='one', on_reuse='rerun'", TWO, 1, call="f('a.txt')", parameters="path", says="differing: `file a.txt`"),
    Declared("a literal path changes", change=TWO, runs=1, says="file ./a.txt", **LITERAL),
    Declared("a literal path stays", change=touch, runs=0, **LITERAL),
    Declared("a literal path with a fixed version", "files=('./a.txt',), version=1", TWO, 1),
    Declared("a bare string", "files='./a.txt'", TWO, 1),
    Declared("a literal Path", "files=(__import__('pathlib').Path('a.txt'),)", TWO, 1),
    Declared("through a link", "files=('./link',)", TWO, 1, before=both(ONE, linked("a.txt"))),
    Declared("a link is pointed elsewhere", "files=('./link',)", linked("b.txt"), 1, before=both(BOTH, linked("a.txt"))),
    Declared("a link is pointed to the same content", "files=('./link',)", linked("b.txt"), 0, before=both(write("b.txt", "1"), ONE, linked("a.txt"))),
    Declared("a file in a folder changes", change=write("d/sub/b.txt", "x"), runs=1, says="f runs: folder d/: file `sub/b.txt` changed", **FOLDER),
    Declared("a file in a folder comes", change=write("d/sub/c.txt", ""), runs=1, says="file `sub/c.txt` added", **FOLDER),
    Declared("a hidden file in a folder comes", change=write("d/.zarray", "{}"), runs=1, **FOLDER),
    Declared("a file in a folder goes", change=lambda folder: (folder / "d" / "a.txt").unlink(), runs=1, says="file `a.txt` removed", **FOLDER),
    Declared("a file in a folder is renamed", change=lambda folder: os.rename(folder / "d" / "a.txt", folder / "d" / "c.txt"), runs=1, **FOLDER),
    Declared("an empty folder comes", change=lambda folder: (folder / "d" / "new").mkdir(), runs=1, **FOLDER),
    Declared("a folder stays", change=nothing, runs=0, **FOLDER),
    Declared("litter in a folder", change=both(write("d/.DS_Store", "x"), write("d/.ipynb_checkpoints/a.txt", "x"), write("d/__pycache__/m.pyc", "x")), runs=0, **FOLDER),
    Declared("the folder holds the store", "files=('.',)", nothing, 0),
    Declared("a folder as an argument", "files=('path',)", write("d/a.txt", "x"), 1, call="f('d')", parameters="path", before=TREE),
    Declared("a link within a folder leads up", "files=('d/',)", write("d/a.txt", "x"), 1, before=both(TREE, lambda folder: (folder / "d" / "up").symlink_to(".."))),
    Declared("what a pattern finds changes", change=write("d/a.txt", "x"), runs=1, says="files d/*.txt: file `a.txt` changed", **PATTERN),
    Declared("what a pattern finds is more", change=write("d/c.txt", ""), runs=1, **PATTERN),
    Declared("what a pattern does not find", change=both(write("d/c.csv", "1"), write("d/sub/b.txt", "x")), runs=0, **PATTERN),
    Declared("a deep pattern", "files=('d/**/*.txt',)", write("d/sub/b.txt", "x"), 1, before=TREE),
    Declared("all under a deep pattern", "files=('d/**',)", write("d/sub/b.txt", "x"), 1, before=TREE),
    Declared("a pattern as an argument", "files=('path',)", write("d/a.txt", "x"), 1, call="f('d/*.txt')", parameters="path", before=TREE),
    Declared("a file whose name looks like a pattern", "files=('./a[1].txt',)", write("a[1].txt", "x"), 1, before=both(write("a[1].txt", "1"), write("a1.txt", "1"))),
    Declared("a pattern that finds nothing, then something", "files=('d/*.txt',)", write("d/a.txt", ""), 1, before=nothing, says="files d/*.txt are there now"),
    Declared("a variable changes", "env=('MODE',)", nothing, 1, environ=({"MODE": "a"}, {"MODE": "b"}), says="environment variable `MODE`"),
    Declared("a variable stays", "env='MODE'", nothing, 0, environ=({"MODE": "a"}, {"MODE": "a"})),
    Declared("a variable is emptied", "env=('MODE',)", nothing, 1, environ=({}, {"MODE": ""}), says="environment variable `MODE` is set now"),
    Declared("a variable is gone", "env=('MODE',)", nothing, 1, environ=({"MODE": ""}, {}), says="environment variable `MODE` is no longer set"),
    Declared("a variable with a fixed version", "env=('MODE',), version=1", nothing, 1, environ=({"MODE": "a"}, {"MODE": "b"})),
    Declared("another variable changes", "env=('MODE',)", nothing, 0, environ=({"OTHER": "a"}, {"OTHER": "b"})),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.law)
def test_what_is_declared_counts_by_content(case: Declared, tmp_path: Path) -> None:
    """It runs where what was declared holds something else, says which, and at no other time."""
    book = Notebook(tmp_path)
    book.store = book.folder / ".resonate_nb"
    log = tmp_path / "ran"
    cells = f"@durable({case.options})\ndef f({case.parameters}):\n    import subprocess\n    subprocess.run(['sh', '-c', 'echo >> {log}'])\n    return 1\n# %%\n{case.call}"
    case.before(book.folder)
    counted = []
    for turn in range(3):
        if turn == 1:
            case.change(book.folder)
        outcome = book.run(cells, **case.environ[min(turn, 1)])
        assert [] == outcome.errors, outcome.said
        counted.append(len(log.read_text()))
        if turn == 1 and case.says:
            assert case.says in outcome.said, outcome.said
    assert [1, 1 + case.runs, 1 + case.runs] == counted


SECRET = "sk-very-secret-of-mine"


def test_the_value_of_a_variable_is_stored_nowhere(tmp_path: Path) -> None:
    """It may be a secret: not in the store, and not in what is said."""
    book = Notebook(tmp_path)
    outcome = book.run("@durable(env='KEY')\ndef f(): return 1\n# %%\nf()", KEY=SECRET)
    assert [] == outcome.errors
    assert SECRET not in outcome.said
    assert book.store is not None
    for file in book.store.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("cells", "turns", "runs"),
    [
        pytest.param("cfg = {'a': §}\n# %%\n@durable(depends=(cfg,))\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="a value"),
        pytest.param("cfg = {'a': 1}\n# %%\n@durable(depends=(cfg,))\ndef f():\n    ran()\n    return 1\n# %%\ncfg['a'] = §\nf()", "12", [1, 1], id="a value that changes after the decoration"),
        pytest.param("cfg = [§]\n# %%\n@durable(depends=(cfg,))\ndef f():\n    ran()\n    return 1\n# %%\nf()", "11", [1, 0], id="an equal value"),
        pytest.param("def g(): return §\n# %%\n@durable(depends=(g,))\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="a function"),
        pytest.param("def h(): return §\ndef g(): return h()\n# %%\n@durable(depends=(g,), version=1, on_drift='rerun')\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="what a function reaches, as drift of a fixed version"),
        pytest.param("def h(): return x\nx = §\n# %%\n@durable(depends=(h,), version=1)\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="data that it reads, with a fixed version"),
        pytest.param("class C:\n    a = §\n# %%\n@durable(depends=(C,))\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="a class"),
        pytest.param("import local\n# %%\n@durable(depends=(local,))\ndef f():\n    ran()\n    return 1\n# %%\nf()", "12", [1, 1], id="a module"),
        pytest.param("cfg = [§]\n# %%\n@durable(depends=(cfg,))\ndef g(): return 1\n@durable\ndef f():\n    ran()\n    return g()\n# %%\nf()", "12", [1, 1], id="of a durable function that it calls"),
        pytest.param("@durable(files=('./a.txt',))\ndef g(): return 1\n@durable\ndef f():\n    ran()\n    return g()\n# %%\nopen('a.txt', 'w').write('§')\nf()", "12", [1, 1], id="a file of a durable function that it calls"),
        pytest.param("import os\nos.environ['MODE'] = '§'\n@durable(env='MODE')\ndef g(): return 1\n@durable\ndef f():\n    ran()\n    return g()\n# %%\nf()", "12", [1, 1], id="a variable of a durable function that it calls"),
        pytest.param("import os\n@durable(env='MODE')\ndef f(x):\n    ran()\n    return x\n# %%\nfor mode in 'aba':\n    os.environ['MODE'] = mode\n    f(1); f(1)", "12", [2, 0], id="a variable that changes between calls of one session"),
    ],
)  # fmt: skip
def test_what_else_is_declared_counts(cells: str, turns: str, runs: list[int], tmp_path: Path) -> None:
    """depends=: values by content, code with all that it reaches; and what is declared of a call inside a call."""
    book = Notebook(tmp_path)
    counted = []
    for turn in turns:
        book.write("local.py", f"def g(): return {turn}\n")
        outcome = book.run(cells.replace("§", turn))
        assert [] == outcome.errors, outcome.said
        counted.append(outcome.ran["f"])
    assert runs == counted


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("files=('pth',)", "f: files='pth' names no parameter and looks like no path; write one of its parameters (path), or a path or pattern such as './pth' or 'data/\\*.csv'"),
        ("files=(1,)", "files must be names of arguments that are paths, or paths"),
        ("files=('',)", "files must be names of arguments"),
        ("files=('path',), ignore=('path',)", "'path' is in files=, so its content counts, and in ignore="),
        ("env=('A=B',)", "env must be names of environment variables, e.g. env=\\('MODE',\\), not \\('A=B',\\)"),
        ("env=1", "env must be names"),
        ("depends=f2", "depends must be a tuple of values, functions, classes or modules"),
        ("depends=(open('a.txt', 'w'),)", "`depends\\[0\\]` is a _?\\w*.*depends= takes values that have one"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_decoration(options: str, told: str, tmp_path: Path) -> None:
    """With what is right."""
    import re

    outcome = Notebook(tmp_path).run(f"def f2(): pass\n# %%\n@durable({options})\ndef f(path): return 1")
    assert ["InvalidOptionError"] == [kind for _, kind, _ in outcome.errors], outcome.said
    assert re.search(told.replace("(path)", "\\(path\\)"), outcome.errors[0][2]), outcome.errors


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("f(1)", "file 'path' counts by its content, which cannot be told: it is a int, and files= takes"),
        ("f('http://example.org/a.csv')", "it is an address, and only what lies on a disk can be looked at"),
        ("import os; os.mkfifo('pipe'); f('pipe')", "file 'pipe' counts by its content, which cannot be told: it is neither"),
        ("f('x' * 300)", "which cannot be told: it cannot be read \\(File name too long\\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(call: str, told: str, tmp_path: Path) -> None:
    """Before the body runs: no content, no key."""
    import re

    outcome = Notebook(tmp_path).run(f"@durable(files=('path',))\ndef f(path):\n    ran()\n    return 1\n# %%\n{call}")
    assert ["UnfingerprintableError"] == [kind for _, kind, _ in outcome.errors], outcome.said
    assert re.search(told, outcome.errors[0][2]), outcome.errors
    assert 0 == outcome.runs


def test_a_result_that_was_computed_while_its_file_changed_is_no_hit(tmp_path: Path) -> None:
    """Whose content it is of, nobody can tell."""
    book = Notebook(tmp_path)
    cells = "@durable(files=('./a.txt',))\ndef f(x):\n    ran()\n    if x: open('a.txt', 'w').write('2')\n    return open('a.txt').read()\n# %%\n"
    (book.folder / "a.txt").write_text("1")
    first = book.run(cells + "got['value'] = f(True)")
    assert "f is not replayable: it ran while file ./a.txt changed" in first.said, first.said
    (book.folder / "a.txt").write_text("1")
    assert (1, "2") == ((second := book.run(cells + "got['value'] = f(True)")).runs, second.got["value"])
    # What it writes is what was there already: then nothing has changed.
    assert [1, 0] == [book.run(cells + "f(True)").runs for _ in range(2)]


def test_a_folder_that_moved_with_its_store_is_unchanged(tmp_path: Path) -> None:
    """Relative paths are seen from where the notebook is, as the body sees them."""
    book = Notebook(tmp_path)
    book.store = None
    (book.folder / "d").mkdir()
    (book.folder / "d" / "a.txt").write_text("1")
    cells = (
        "@durable(files=('path', 'd/*.txt'))\ndef f(path):\n    ran()\n    return open(path).read()\n# %%\nf('d/a.txt')"
    )
    assert 1 == book.run(cells).runs
    book.move("elsewhere")
    assert 0 == book.run(cells).runs


def test_cells_take_files_and_variables(tmp_path: Path) -> None:
    """%%durable --files and --env, also the files that a variable names."""
    book = Notebook(tmp_path)
    cells = "%load_ext resonate_nb\npath = 'b.txt'\n# %%\n%%durable one --files data/*.csv path --env MODE\nran()\ny = 1\n# %%\ngot['value'] = y"
    (book.folder / "data").mkdir()
    runs, said = [], []
    for change in (nothing, nothing, write("data/a.csv", "1"), write("b.txt", "1"), nothing):
        change(book.folder)
        outcome = book.run(cells)
        assert [] == outcome.errors, outcome.said
        runs.append(outcome.runs)
        said.append(outcome.said)
    assert [1, 0, 1, 1, 0] == runs
    assert "files data/*.csv" in said[2]
    assert "files of `path`" in said[3]
    assert 1 == book.run(cells, MODE="x").runs
    wrong = book.run("%load_ext resonate_nb\n# %%\n%%durable --files a-b\n1")
    assert "--files takes paths, patterns such as data/*.csv, and names of variables, not 'a-b'" in wrong.errors[0][2]


@pytest.mark.parametrize(
    ("body", "options", "unsure"),
    [
        pytest.param("return os.environ['MODE']", "", True, id="nothing is declared"),
        pytest.param("return os.environ['MODE']", "env='MODE'", False, id="the variable is"),
        pytest.param("return os.environ['MODE']", "env='OTHER'", True, id="another one is"),
        pytest.param("return os.getenv('MODE')", "env=('OTHER', 'MODE')", False, id="asked for by a function"),
        pytest.param("return dict(os.environ)['MODE']", "env='MODE'", False, id="all of them are read"),
        pytest.param("return subprocess.run(['true']).returncode", "", True, id="a child process"),
        pytest.param("return subprocess.run(['true']).returncode", "files='./a.txt'", False, id="and what it reads"),
        pytest.param("return sqlite3.connect(':memory:' * x) and 1", "", True, id="a database"),
        pytest.param("return sqlite3.connect(':memory:' * x) and 1", "files='./a.txt'", False, id="and its file"),
    ],
)  # fmt: skip
def test_what_is_declared_is_not_unsure(body: str, options: str, unsure: bool, tmp_path: Path) -> None:
    """The line about what the key does not see names a way out; who took it hears no more of it."""
    outcome = Notebook(tmp_path).run(
        f"import os, sqlite3, subprocess\nx = 1\n@durable({options})\ndef f():\n    {body}\n# %%\nf()", MODE="x"
    )
    assert [] == outcome.errors, outcome.said
    assert unsure is ("its key does not see everything" in outcome.said), outcome.said


@pytest.mark.parametrize(
    ("inner", "change", "runs"),
    [
        pytest.param("files=('path',)", write("d/a.txt", "x"), 1, id="an argument's file"),
        pytest.param("files=('path',)", nothing, 0, id="an argument's file that stays"),
        pytest.param("files=('./d/a.txt',)", write("d/a.txt", "x"), 1, id="a literal path"),
        pytest.param("files=('./d',)", write("d/new.txt", "x"), 1, id="a new file in a folder"),
        pytest.param("files=('./d/*.txt',)", write("d/new.txt", "x"), 1, id="a new file that a pattern finds"),
        pytest.param("files=('./d/*.txt',)", write("d/new.csv", "x"), 0, id="a new file that it does not find"),
    ],
)
@pytest.mark.parametrize("seen", ["statically", "by a computed name"])
@pytest.mark.parametrize("is_hit", [False, True], ids=["it runs", "it is replayed"])
def test_what_a_call_inside_declares_counts_for_the_call_around_it(
    inner: str, change: Callable[[Path], object], runs: int, seen: str, is_hit: bool, tmp_path: Path
) -> None:
    """Native code reads past Python, and a hit of the outer call never asks for the inner one's key."""
    book = Notebook(tmp_path)
    TREE(book.folder)
    call = "g(path)" if seen == "statically" else "globals()['g'](path)"
    first = "g('d/a.txt')\n" if is_hit else ""
    cells = (
        f"@durable({inner})\ndef g(path):\n    return 1\n@durable\ndef f(path):\n    ran()\n    return {call}\n# %%\n"
        f"{first}f('d/a.txt')"
    )
    counted = []
    for turn in range(3):
        if turn == 1:
            change(book.folder)
        outcome = book.run(cells)
        assert [] == outcome.errors, outcome.said
        counted.append(outcome.ran["f"])
    assert [1, runs, 0] == counted


def test_what_the_outer_body_wrote_itself_does_not_make_it_run_again(tmp_path: Path) -> None:
    """A file that is made for a call inside is no input of the call around it."""
    book = Notebook(tmp_path)
    cells = (
        "import os\n@durable(files=('path', './out'))\ndef g(path):\n    return open(path).read()\n"
        "@durable\ndef f():\n    ran()\n    os.makedirs('out', exist_ok=True)\n    open('out/a.txt', 'w').write('1')\n"
        "    found = globals()['g']('out/a.txt')\n    open('out/b.txt', 'w').write('2')\n    return found\n# %%\nf()"
    )
    counted = [book.run(cells).ran["f"] for _ in range(3)]
    assert [1, 0, 0] == counted


LOGGED = "os.system('printf x >> ../ran')"
"""A run, told past Python and outside of the folder, so that it is no file of the body's."""
OPENS = [
    pytest.param("@durable(files=('path',))\ndef f(path):\n    ran()\n    return open(path).read()", "f('a.txt')", id="a function"),
    pytest.param("@durable(files=('path',))\nasync def f(path):\n    ran()\n    return open(path).read()", "await f('a.txt')", id="an awaited one"),
    pytest.param("class C:\n    @durable(files=('path',))\n    def f(self, path):\n        ran()\n        return open(path).read()", "C().f('a.txt')", id="a method"),
    pytest.param("class C:\n    @staticmethod\n    @durable(files='path')\n    def f(path):\n        ran()\n        return open(path).read()", "C.f('a.txt')", id="a static method"),
    pytest.param("@durable(files=('./a.txt',))\ndef f():\n    ran()\n    return open('a.txt').read()", "f()", id="a literal path"),
    pytest.param("@durable(files='.')\ndef f():\n    ran()\n    return [open(n).read() for n in sorted(os.listdir()) if n == 'a.txt'][0]", "f()", id="a folder that is listed"),
    pytest.param("@durable(files=('path',), keyed_by='call')\ndef g(path):\n    return open(path).read()\n@durable\ndef f(path):\n    ran()\n    return g(path)", "f('a.txt')", id="a step"),
    pytest.param("@durable(files=('path',))\ndef f(path):\n    ran()\n    return open(path).read()\nf = f.options(tags={'a': 'b'})", "f('a.txt')", id="with other options"),
]  # fmt: skip


@pytest.mark.parametrize(("define", "call"), OPENS)
def test_what_is_declared_and_opened_is_no_double_trouble(define: str, call: str, tmp_path: Path) -> None:
    """The record of what a body opened and the key agree: content counts, and nothing else."""
    book = Notebook(tmp_path)
    cells = f"import os\n{define.replace('ran()', LOGGED)}\n# %%\ngot['value'] = {call}"
    log = tmp_path / "ran"
    found = []
    for change in (ONE, nothing, touch, copied, TWO, touch, ONE):
        change(book.folder)
        outcome = book.run(cells)
        assert [] == outcome.errors, outcome.said
        found.append((outcome.got["value"], log.stat().st_size))
    assert [("1", 1), ("1", 1), ("1", 1), ("1", 1), ("2", 2), ("2", 2)] == found[:-1]
    # Under its own key an earlier content is found again; around a step the last run counts.
    assert ("1", 3 if "keyed_by" in define else 2) == found[-1]
