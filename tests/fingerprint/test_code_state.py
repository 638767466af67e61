"""What a notebook sets inside of packages counts where code asks for it; what packages do by themselves does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Session, same

SOURCE = """
__version__ = "1.0"
from .tables import config, names as handed_on
from . import tables
LIMIT = 1
extra = list({"a"})
CACHE = {}
seen = []
class Base:
    limit = 3
class Maker(Base):
    table = {"k": 1}
    made = 0
    memo = {}
    def __init__(self, way="a"):
        Maker.made += 1
        self.way = way
        self.last = None
    def run(self):
        self.last = 1
        self.memo["x"] = 1
settings = Maker()
other = Base()
def work(x):
    CACHE[x] = x
    seen.append(x)
    settings.run()
    return x
"""
TABLES = """
config = {"k": 1, "deep": {"k": 1}, "list": [1], "set": {"b", "a"}}
names = ["a"]
managed = {"k": 1}
tally = {"k": 0}
def put(name, value):
    managed[name] = value
def count():
    tally["k"] += 1
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "site-packages" / "notalib"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(SOURCE)
    (folder / "tables.py").write_text(TABLES)
    monkeypatch.syspath_prepend(str(folder.parent))
    yield importlib.import_module("notalib")
    for name in ("notalib", "notalib.tables"):
        del sys.modules[name]


SEEN = {
    "an entry": ("notalib.config['k']", "notalib.config['k'] = 2"),
    "an entry by get": ("notalib.config.get('k')", "notalib.config['k'] = 2"),
    "an entry that is asked for": ("'new' in notalib.config", "notalib.config['new'] = 2"),
    "an entry that is taken out": ("'k' in notalib.config", "del notalib.config['k']"),
    "an entry deep inside": ("notalib.config['deep']['k']", "notalib.config['deep']['k'] = 2"),
    "a list in an entry": ("notalib.config['list']", "notalib.config['list'].append(2)"),
    "a set in an entry": ("notalib.config['set']", "notalib.config['set'].add(2)"),
    "an entry that a function may set": ("notalib.tables.managed['k']", "notalib.tables.put('k', 2)"),
    "a function of the notebook's in an entry": ("notalib.config['k'](x)", "notalib.config['k'] = helper"),
    "a whole table": ("sorted(notalib.config)", "notalib.config['new'] = 2"),
    "a table by a key that is computed": ("notalib.config[x]", "notalib.config['k'] = 2"),
    "a table that is bound anew": ("notalib.config['k']", "notalib.config = {'k': 2}"),
    "a list": ("len(notalib.handed_on)", "notalib.handed_on.append('b')"),
    "a list that the package computes": ("len(notalib.extra)", "notalib.extra.append('b')"),
    "a new table": ("notalib.mine['k']", "notalib.mine = {'k': 2}"),
    "a constant of a class": ("notalib.Base.limit", "notalib.Base.limit = 5"),
    "a constant that a class inherits": ("notalib.Maker.limit", "notalib.Base.limit = 5"),
    "a constant that is put before an inherited one": ("notalib.Maker.limit", "notalib.Maker.limit = 5"),
    "a constant read from a new object": ("notalib.Base().limit", "notalib.Base.limit = 5"),
    "a constant read from an object": ("notalib.other.limit", "notalib.Base.limit = 5"),
    "a table under a name of the body's": ("[t['k'] for t in (notalib.config,)]", "notalib.config['k'] = 2"),
    "a table that a function may change, as a whole": ("notalib.tables.managed[x]", "notalib.tables.put('k', 2)"),
    "a constant of a base, from a new object": ("notalib.Maker().limit", "notalib.Base.limit = 5"),
    "a constant of a base of the notebook's class": ("Mine().limit", "notalib.Base.limit = 5"),
    "a constant that a method of the notebook's reads": ("Mine().go()", "notalib.Base.limit = 5"),
    "an object under a name of the body's": ("[s.way for s in (notalib.settings,)]", "notalib.settings.way = 'b'"),
    "a table by getattr": ("getattr(notalib, 'config')['k']", "notalib.config['k'] = 2"),
    "a new constant": ("notalib.Base.added", "notalib.Base.added = 5"),
    "a table of a class": ("notalib.Maker.table['k']", "notalib.Maker.table['k'] = 2"),
    "an attribute of an object": ("notalib.settings.way", "notalib.settings.way = 'b'"),
    "a variable of a module": ("notalib.LIMIT", "notalib.LIMIT = 2"),
}


# What an import inside of the body makes of these cannot be told from what the notebook has set.
MADE = ("a list that the package computes", "an attribute of an object", "an object under a name of the body's")
CASES = [(case, is_inside) for is_inside in (False, True) for case in SEEN if not (is_inside and case in MADE)]


@pytest.mark.parametrize(("case", "is_inside"), CASES)
def test_what_is_set_in_a_package_counts(case: str, is_inside: bool) -> None:
    asked, change = SEEN[case]
    session = Session().cell("def helper(x): return 1")
    session.cell("import notalib as n\nclass Mine(n.Maker):\n def go(self): return self.limit")
    if is_inside:
        session.cell(f"def f(x):\n import notalib\n return {asked}").cell("import notalib")
    else:
        session.cell("import notalib").cell(f"def f(x): return {asked}")
    session.cell("def g(x): return x")
    subject, others = session.subject(), session.subject("g")
    before, unused = subject.key(), others.key()
    assert before is subject.key()
    session.cell(change)
    after = subject.key()
    assert not same(before, after)
    assert same(after, session.key())
    assert unused is others.key()


@pytest.mark.parametrize(
    ("asked", "use"),
    [
        ("notalib.work(x)", "notalib.work(1)"),
        ("notalib.CACHE", "notalib.work(1)"),
        ("notalib.CACHE[1]", "notalib.work(1)"),
        ("1 in notalib.CACHE", "notalib.work(1)"),
        ("len(notalib.seen)", "notalib.work(1)"),
        ("notalib.Maker.made", "notalib.Maker()"),
        ("notalib.Maker().made", "notalib.Maker()"),
        ("notalib.Maker.memo", "notalib.work(1)"),
        ("notalib.settings.memo", "notalib.work(1)"),
        ("notalib.settings.last", "notalib.work(1)"),
        ("notalib.tables.tally['k']", "notalib.tables.count()"),
        ("notalib.tables.tally", "notalib.tables.count()"),
        ("notalib.tables.managed", "notalib.tables.put('more', 1)"),
        ("notalib.config.update(a=x)", "notalib.config['a'] = 1"),
        ("notalib.config.pop('a', 0)", "notalib.config['a'] = 1"),
    ],
)
def test_what_a_package_does_by_itself_does_not_count(asked: str, use: str) -> None:
    session = Session().cell("import notalib").cell(f"def f(x): return {asked}")
    before = session.key()
    session.cell(use)
    assert same(before, session.key())
    assert () == before.unsure


@pytest.mark.parametrize("asked", [each for each, _ in SEEN.values() if "ine" not in each and "added" not in each])
def test_a_package_as_it_comes_has_no_part_in_the_key(asked: str, package: Any) -> None:
    """An import inside of the body gives the same key before it has run, and after."""
    session = Session().cell(f"def f(x):\n import notalib\n return {asked}")
    loaded = session.key()
    del sys.modules["notalib"], sys.modules["notalib.tables"]
    unloaded = Session().cell(f"def f(x):\n import notalib\n return {asked}").key()
    sys.modules.update({"notalib": package, "notalib.tables": package.tables})
    assert dict(loaded.content_parts) == dict(unloaded.content_parts) == {}


def test_a_table_in_place_of_what_it_was_counts_by_content() -> None:
    """The same content in another object, and back again: the same key."""
    session = Session().cell("import notalib").cell("def f(x): return notalib.config['deep'], notalib.config['set']")
    before = session.key()
    session.cell("notalib.config['deep'] = {'k': 2}")
    assert not same(before, session.key())
    session.cell("notalib.config['deep'] = {'k': 1}")
    session.cell("notalib.config['set'] = {'a', 'b'}")
    assert same(before, session.key())


@pytest.mark.parametrize("place", ["notalib.config['k']", "notalib.hook", "notalib.Base.limit"])
def test_an_object_of_the_notebooks_is_said(place: str) -> None:
    session = Session().cell(f"import notalib\nclass C: pass\n{place} = C()")
    key = session.cell(f"def f(x): return {place}").key()
    assert (f"reads `{place}`, which holds a C of the notebook's in f",) == key.unsure


def test_what_is_set_can_be_left_out() -> None:
    session = Session().cell("import notalib").cell("def f(x): return notalib.config['k']")
    before = session.key(ignore=("notalib.config",))
    session.cell("notalib.config['k'] = 2")
    assert same(before, session.key(ignore=("notalib.config",)))


@pytest.fixture
def figures() -> Iterator[Any]:
    matplotlib = pytest.importorskip("matplotlib")
    yield matplotlib
    matplotlib.rcdefaults()


@pytest.mark.parametrize(
    ("imported", "asked"),
    [
        ("import matplotlib", "matplotlib.rcParams['figure.dpi']"),
        ("import matplotlib.pyplot as plt", "plt.rcParams.get('figure.dpi')"),
        ("from matplotlib import rcParams", "rcParams['figure.dpi']"),
        ("from matplotlib import rcParams", "rcParams.copy()"),
        ("import matplotlib", "dict(matplotlib.rcParams)"),
    ],
)
def test_settings_of_figures_count_for_who_asks_for_them(imported: str, asked: str, figures: Any) -> None:
    session = Session().cell(imported).cell(f"def f(x): return {asked}")
    session.cell("import matplotlib as m\ndef g(x): return m.rcParams['lines.linewidth'], m.rcParams['font.family']")
    subject, others = session.subject(), session.subject("g")
    before, unused = subject.key(), others.key()
    assert not before.undurable
    figures.rcParams["backend"] = "svg"
    assert same(before, subject.key())
    figures.rcParams["figure.dpi"] = 123
    assert not same(before, subject.key())
    assert same(unused, others.key())
    figures.rcParams["font.family"].append("serif")
    assert not same(unused, others.key())
    figures.rcdefaults()
    assert same(before, subject.key())


def test_the_cycle_of_colours_counts(figures: Any) -> None:
    session = Session().cell("import matplotlib.pyplot as plt").cell("def f(x): return plt.rcParams['axes.prop_cycle']")
    before = session.key()
    figures.rcParams["axes.prop_cycle"] = figures.cycler(color=["r", "g"])
    assert not same(before, session.key())


@pytest.fixture
def options() -> Iterator[Any]:
    pandas = pytest.importorskip("pandas")
    yield pandas
    pandas.reset_option("display.precision")
    pandas.reset_option("display.max_rows")


@pytest.mark.parametrize(
    "asked",
    [
        "pd.get_option('display.precision')",
        "pd.options.display.precision",
        "pd.get_option('precision')",
        "pd.get_option('display.' + x)",
        "pd.options",
    ],
)
def test_options_of_pandas_count_for_who_asks_for_them(asked: str, options: Any) -> None:
    session = Session().cell("import pandas as pd").cell(f"def f(x): return {asked}")
    subject = session.subject()
    before = subject.key()
    assert {} == dict(before.content_parts)
    options.set_option("display.precision", 3)
    after = subject.key()
    assert ["pandas.options.display.precision"] == list(after.content_parts)
    options.set_option("display.max_rows", 7)
    assert same(after, subject.key()) is asked.endswith(("'display.precision')", "display.precision"))


def test_how_numpy_prints_counts_for_who_asks_for_it() -> None:
    numpy = pytest.importorskip("numpy")
    session = Session().cell("import numpy as np").cell("def f(x): return np.get_printoptions()['precision']")
    before = session.key()
    with numpy.printoptions(precision=3):
        assert not same(before, session.key())
    assert same(before, session.key())


@pytest.mark.parametrize(
    "asked", ["np.pi", "string.digits", "signal.SIGINT", "sys.path", "warnings.filters", "re._cache"]
)
def test_constants_and_what_grows_by_itself_is_no_data(asked: str) -> None:
    pytest.importorskip("numpy")
    session = Session().cell("import numpy as np, re, signal, string, sys, warnings").cell(f"def f(x): return {asked}")
    assert {} == dict(session.key().content_parts)
