"""What a key cannot see is said and costs no call its durability; what its text does say is seen."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Session, key_of, same, write_module

from resonate_nb.fingerprint import CodeKey, Subject, fingerprint, fingerprint_named

pytest.importorskip("pandas")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    Session(tmp_path)


def unsure_of(body: str, *cells: str) -> tuple[str, ...]:
    key = key_of(*cells, f"def f(x):\n    {body}")
    assert key.undurable == ()
    assert key.code
    return key.unsure


COMPUTED = "with a computed name in f"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return globals()[x]", "uses `globals()` in f"),
        ("return globals().get(x)", "uses `globals()` in f"),
        ("return x in globals()", "uses `globals()` in f"),
        ("return dict(globals())", "uses `globals()` in f"),
        ("return globals", "uses `globals()` in f"),
        ("return eval(x)", "uses `eval()` in f"),
        ("return eval('glo' + 'bals()')", "uses `eval()` in f"),
        ("return eval('globals()')", "uses `eval()` in f"),
        ("exec('a = 1')", "uses `exec()` in f"),
        ("return getattr(x, x)", f"uses `getattr()` {COMPUTED}"),
        ("return getattr(x(), x)", f"uses `getattr()` {COMPUTED}"),
        ("return list(map(getattr, x))", f"uses `getattr()` {COMPUTED}"),
        ("return __import__(x)", f"uses `__import__()` {COMPUTED}"),
        ("import importlib\n    return importlib.import_module(x)", f"uses `import_module()` {COMPUTED}"),
        ("import builtins\n    return builtins.eval(x)", "uses `eval()` in f"),
        ("import sys\n    return sys._getframe()", "uses `sys._getframe()` in f"),
        ("return x._getframe()", "uses `_getframe` in f"),
        ("import sys\n    return sys.modules[x]", "uses `sys.modules` in f"),
        ("return x.query(x)", "gives `query()` a text that is not written there in f"),
        ("return x.query('a > ' + x)", "gives `query()` a text that is not written there in f"),
        ("return x.query(f'a > @{x}')", "gives `query()` a text that is not written there in f"),
        ("return x.query(f'a > @K_{x}')", "gives `query()` a text that is not written there in f"),
        ("import pandas\n    return pandas.eval(x)", "uses `pandas.eval()` in f"),
        ("import sys\n    return sys.modules['__main__']", "uses the module `__main__` as a whole in f"),
        ("import __main__\n    return getattr(__main__, x)", "uses the module `__main__` as a whole in f"),
        ("return x.__globals__", "uses `__globals__` in f"),
        ("return getattr(x, '__globals__')", "uses `__globals__` in f"),
        ("breakpoint()", "uses `breakpoint()` in f"),
    ],
)
def test_what_the_key_does_not_see_is_said(body: str, reason: str) -> None:
    assert reason in unsure_of(body)


@pytest.mark.parametrize(
    "body",
    [
        "return getattr(x, 'name')",
        "return getattr(math, x)",
        "return getattr(cfg, x)",
        "import math as m\n    return getattr(m, x)",
        "globals = dict\n    return globals()",
        "return x.query('a > 1')",
        "return x.query(f'a > {x}')",
        "return x.eval()",
        "return x.globals()",
        "return __import__('math')",
        "import ast\n    return ast.literal_eval(x)",
        "setattr(x, 'a', 1)",
        "return locals()",
        "y = 1\n    return locals()['y'], vars()['y'], dir()",
        "return vars(x), dir(x)",
        "return globals()['helper'](x)",
        "return globals().get('missing'), 'K' in globals(), globals()['K']",
        "return eval('helper(1) + K')",
        "return x.query('a > @K and b < @missing')",
        "import sys\n    return sys.modules['math'].pi",
    ],
)
def test_what_the_text_says_is_seen(body: str) -> None:
    assert unsure_of(body, "import math\ncfg = [1]\nK = 1\ndef helper(v): return v") == ()


def test_a_method_that_asks_itself_by_a_computed_name_sees_its_class() -> None:
    cells = "class C:\n    def m(self, k): return getattr(self, 'do_' + k)()\n    def do_a(self): return {n}"
    first = key_of(cells.format(n=1), "def f(k): return C().m(k)")
    assert first.unsure == ()
    assert not same(first, key_of(cells.format(n=2), "def f(k): return C().m(k)"))


RECOMPUTE = {
    "24 globals by a constant": ("def helper(): return {n}", "def f(): return globals()['helper']()"),
    "globals by get": ("def helper(): return {n}", "def f(): return globals().get('helper')()"),
    "globals for a value": ("K = {n}", "def f(): return globals()['K']"),
    "eval of a constant text": ("def helper(): return {n}", "def f(): return eval('helper()')"),
    "pandas.eval of a constant text": (
        "import pandas as pd\nK = {n}",
        "def f(): return pd.eval('K + 1')",
    ),
    "a query names a global": ("thr = {n}", "def f(df): return df.query('a > @thr')"),
    "a query names a global in an f-string": ("thr = {n}", "def f(df, k): return df.query(f'a > @thr and b < {{k}}')"),
    "a query names a global in joined texts": ("thr = {n}", "def f(df, k): return df.query('a > ' + '@thr')"),
    "eval of a frame names a global": ("thr = {n}", "def f(df): return df.eval('b = a + @thr')"),
    "a query calls a helper": ("def helper(v): return {n}", "def f(df): return df.query('@helper(a)')"),
    "a query names an attribute": (
        "class C: pass\ncfg = C()\ncfg.thr = {n}",
        "def f(df): return df.query('a > @cfg.thr')",
    ),
    "a query text is a global": ("q = 'a > @thr'\nthr = {n}", "def f(df): return df.query(q)"),
    "a query text is a local": ("thr = {n}", "def f(df):\n    q = 'a > @thr'\n    return df.query(q)"),
    "a query names a closure's variable": (
        "def make(thr):\n    def f(df):\n        thr\n        return df.query('a > @thr')\n    return f",
        "f = make({n})",
    ),
}


@pytest.mark.parametrize("case", RECOMPUTE)
def test_what_a_text_names_counts(case: str) -> None:
    cells = RECOMPUTE[case]
    first, again, other = ([cell.format(n=n) for cell in cells] for n in (1, 1, 2))
    assert same(key_of(*first), key_of(*again))
    assert not same(key_of(*first), key_of(*other))


def test_what_a_query_names_of_its_own_function_is_no_global() -> None:
    body = "def f(df):\n    thr = 3\n    return df.query('a > @thr')"
    assert same(key_of("thr = 1", body), key_of("thr = 2", body))


def test_a_name_that_is_bound_later_changes_the_key() -> None:
    session = Session().cell("def f(): return globals().get('late')")
    subject = session.subject()
    first = subject.key()
    session.cell("late = 1")
    assert not same(first, subject.key())


@pytest.mark.parametrize("use", ["getattr(mymod, name)()", "vars(mymod)[name]()", "mymod.__dict__[name]()"])
def test_a_local_module_that_is_asked_by_a_computed_name_counts_whole(use: str, folder: Path) -> None:
    cells = "import mymod\nname = 'g'", f"def f(): return {use}"
    write_module(folder, "mymod", "def g(): return 1\n")
    first = key_of(*cells, folder=folder)
    assert first.unsure == ()
    write_module(folder, "mymod", "def g(): return 2\n")
    assert not same(first, key_of(*cells, folder=folder))


@pytest.mark.parametrize("use", ["importlib.import_module('mymod').g()", "sys.modules['mymod'].g()"])
def test_a_local_module_that_is_asked_for_by_its_name_counts(use: str, folder: Path) -> None:
    cells = "import importlib, sys, mymod", f"def f(): return {use}"
    write_module(folder, "mymod", "def g(): return 1\n")
    first = key_of(*cells, folder=folder)
    assert first.unsure == ()
    write_module(folder, "mymod", "def g(): return 2\n")
    assert not same(first, key_of(*cells, folder=folder))


def test_what_a_modules_own_getattr_makes_counts(folder: Path) -> None:
    """PEP 562: the module answers for names that it does not hold."""
    cells = "import mymod", "def f(): return mymod.lazy"
    write_module(folder, "mymod", "K = 1\ndef __getattr__(name): return K\n")
    first = key_of(*cells, folder=folder)
    assert (first.unsure, first.undurable) == ((), ())
    assert same(first, key_of(*cells, folder=folder))
    write_module(folder, "mymod", "K = 2\ndef __getattr__(name): return K\n")
    assert not same(first, key_of(*cells, folder=folder))


def test_a_function_of_the_user_by_the_name_of_a_builtin_is_no_builtin() -> None:
    assert key_of("def globals(): return x", "def f(x): return globals()[x]").unsure == ()


def test_a_builtin_under_another_name_is_seen() -> None:
    assert key_of("g = globals", "def f(x): return g()['x']").unsure == ("uses `globals()` in f",)
    assert len(key_of("g = getattr", "def f(x): return g(x, 'a')").unsure) == 1


def test_what_a_helper_hides_is_said_with_the_helper() -> None:
    assert key_of("def helper(n): return globals()[n]", "def f(): return helper('a')").unsure == (
        "uses `globals()` in helper",
    )


@pytest.mark.parametrize("name", ["pydoc.locate", "pkgutil.resolve_name", "runpy.run_path", "numexpr.evaluate"])
def test_what_hides_names_is_said_before_its_module_is_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, last = name.partition(".")
    monkeypatch.delitem(sys.modules, module, raising=False)
    body = f"def f(x):\n    import {module}\n    return {module}.{last}(x)"
    expected = (f"uses `{name}` in f",) if importlib.util.find_spec(module) else ()
    assert key_of(body).unsure == expected
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("body", "effect"),
    [
        ("globals()['a'] = 1", "global a in f"),
        ("globals().update(a=1)", "global what `globals()` gives in f"),
        ("del globals()['a']", "global a in f"),
        ("globals().setdefault('a', 1)", "global a in f"),
    ],
)
def test_a_variable_that_is_bound_through_globals_is_an_effect(body: str, effect: str) -> None:
    assert key_of(f"def f(x):\n    {body}").effects == (effect,)


ENVIRONMENT = "reads the environment variable `MODE` in f; declare it with env=('MODE',)"


@pytest.mark.parametrize(
    "body",
    [
        "return os.environ['MODE']",
        "return os.environ.get('MODE', 'slow')",
        "return os.getenv('MODE')",
        "return getenv('MODE')",
        "return environ['MODE']",
        "return environ.get('MODE')",
        "return 'MODE' in os.environ",
        "import os as o\n    return o.environ['MODE']",
        "from os import environ as e\n    return e['MODE']",
        "from os import getenv as g\n    return g('MODE')",
        "return os.environ.setdefault('MODE', 'slow')",
    ],
)
def test_a_variable_of_the_environment_is_said_by_its_name(body: str) -> None:
    assert unsure_of(body, "import os\nfrom os import environ, getenv")[:1] == (ENVIRONMENT,)


@pytest.mark.parametrize("body", ["return dict(os.environ)", "return os.environ[x]", "return os.getenv(x)"])
def test_an_environment_that_is_read_by_no_name_is_said(body: str) -> None:
    assert unsure_of(body, "import os") == ("reads the environment in f; name what it takes in env=",)


def test_a_variable_of_the_environment_that_is_only_set_is_not_read() -> None:
    (said,) = unsure_of("os.environ['MODE'] = 'slow'; os.environ.update(A='b')", "import os")
    assert "reads" not in said


NATIVE = {
    "pandas.read_parquet": "import pandas as pd\n    return pd.read_parquet('a')",
    "pandas.read_hdf": "import pandas as pd\n    return pd.read_hdf('a')",
    "pyarrow.read_table": "import pyarrow.parquet as pq\n    return pq.read_table('a')",
    "pyarrow.dataset": "import pyarrow.dataset as ds\n    return ds.dataset('a')",
    "pyarrow.memory_map": "import pyarrow as pa\n    return pa.memory_map('a')",
    "polars.scan_csv": "import polars as pl\n    return pl.scan_csv('a')",
    "polars.read_parquet": "import polars as pl\n    return pl.read_parquet('a')",
}
READS = "reads files past Python, by `{}()` in f; name them in files="


@pytest.mark.parametrize("name", NATIVE)
def test_a_file_that_native_code_reads_is_said(name: str) -> None:
    if importlib.util.find_spec(name.partition(".")[0]) is not None:
        assert READS.format(name) in unsure_of(NATIVE[name])


def test_a_reader_in_a_table_of_readers_is_said() -> None:
    cells = "import pandas as pd\nT = {'p': pd.read_parquet}", "def f(k, p): return T[k](p)"
    assert key_of(*cells).unsure == (READS.format("pandas.read_parquet"),)


@pytest.mark.parametrize(
    "body",
    [
        "import pandas as pd\n    return pd.read_csv('a'), pd.read_pickle('a'), pd.read_feather('a'), pd.DataFrame()",
        "import numpy as np\n    return np.load('a'), np.memmap('a'), np.fromfile('a')",
        "import sqlite3\n    return sqlite3.connect(':memory:')",
        "return open('a').read()",
    ],
)
def test_what_opens_its_files_through_python_is_seen(body: str) -> None:
    assert unsure_of(body) == ()


@pytest.mark.parametrize(
    "call", ["subprocess.run(x)", "subprocess.check_output(x)", "os.system(x)", "os.popen(x)", "subprocess.Popen(x)"]
)
def test_a_child_process_is_said(call: str) -> None:
    (reason,) = unsure_of(f"return {call}", "import os, subprocess")
    assert reason.startswith("starts processes by `")
    assert " in f; " in reason


def test_a_database_is_said() -> None:
    (reason,) = unsure_of("return sqlite3.connect('a.db')", "import sqlite3")
    assert reason == "reads a database by `sqlite3.connect()` in f; name its file in files="


def cell_key(text: str, *cells: str) -> CodeKey:
    session = Session()
    for cell in cells:
        session.cell(cell)
    return Subject.of_cell(ast.parse(text), session.names, []).key()


@pytest.mark.parametrize(
    "text",
    [
        "y = globals()[name]",
        "y = df.query(name)",
        "if name in vars(): pass",
        "y = locals()",
        "y = eval(name)",
        "y = [globals() for _ in 'a']",
    ],
)
def test_a_cell_that_reads_what_it_does_not_name_is_durable_and_unsure(text: str) -> None:
    key = cell_key(text)
    assert key.undurable == ()
    assert len(key.unsure) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import inspect\ny = inspect.getsource(g)", "uses `inspect.getsource` in cell"),
        ("import os\ny = os.environ['A']", "reads the environment variable `A` in cell; declare it with --env A"),
        (
            "import os\ny = os.path.expandvars('$A')",
            "reads the environment by `os.expandvars()` in cell; name what it takes in --env",
        ),
        (
            "import sqlite3\ny = sqlite3.connect('a')",
            "reads a database by `sqlite3.connect()` in cell; name its file in --files",
        ),
        (
            "import subprocess\nsubprocess.run('a')",
            "starts processes by `subprocess.run()` in cell; "
            "they may read anything: name what they read in --files or --env",
        ),
        (
            "import sys\ny = sys.argv",
            "reads the command line by `sys.argv` in cell; bind what it takes in a cell above",
        ),
    ],
)
def test_a_cell_is_told_so_in_the_words_of_its_magic(text: str, said: str) -> None:
    assert (said,) == cell_key(text).unsure


@pytest.mark.parametrize(
    "text",
    [
        "globals()['x'] = 1",
        "vars()['x'] = 1",
        "locals().update(x=1)",
        "exec('x = 1')",
        "import inspect\ninspect.currentframe().f_globals['x'] = 1",
        "def g():\n    globals()['x'] = 1\ng()",
        "f = g.__globals__",
    ],
)
def test_a_cell_whose_names_cannot_be_known_has_no_key(text: str) -> None:
    assert cell_key(text).undurable != ()


@pytest.mark.parametrize("text", ["y = globals()['x']", "y = 'x' in vars()", "y = eval('x + 1')", "df.query('a > @x')"])
def test_what_a_cell_names_in_a_text_counts(text: str) -> None:
    first, again, other = (cell_key(text, f"x = {n}\nimport pandas as pd\ndf = pd.DataFrame()") for n in (1, 1, 2))
    assert (first.undurable, first.unsure) == ((), ())
    assert same(first, again)
    assert not same(first, other)


def test_code_that_hides_names_is_a_value_and_is_said() -> None:
    session = Session().cell("def g(n): return globals()[n]")
    found = fingerprint_named({"callback": session.names["g"]})
    assert found.unsure == ("uses `globals()` in g",)
    assert fingerprint(session.names["g"]) == fingerprint(session.names["g"])


def test_a_note_in_a_hint_counts_by_what_it_is() -> None:
    cells = (
        "import typing, dataclasses\nclass Note:\n    def __init__(self, n): self.n = n",
        "@dataclasses.dataclass\nclass C:\n    a: typing.Annotated[int, Note({n})]",
        "def f(): return C(1)",
    )
    first, again, other = ([cell.format(n=n) if "{n}" in cell else cell for cell in cells] for n in (1, 1, 2))
    assert same(key_of(*first), key_of(*again))
    assert not same(key_of(*first), key_of(*other))
