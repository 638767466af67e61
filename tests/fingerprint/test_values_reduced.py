"""Objects of packages of which nothing is known: by their attributes or by what pickle makes of them, or refused."""

from __future__ import annotations

import argparse
import ast
import configparser
import copy
import dataclasses
import datetime
import decimal
import email.message
import inspect
import json
import os
import pickle
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import dateutil.relativedelta
import dateutil.tz
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import pytz
import scipy.interpolate
import scipy.spatial
import scipy.stats
from sessions import Session
from values_under_test import fp

from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint import fingerprint

POINTS = np.random.default_rng(0).random((9, 2))


def parser(*names: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("tool")
    for name in names:
        made.add_argument(name, type=int, default=3)
    return made


def message(text: str) -> email.message.Message:
    made = email.message.Message()
    made["Subject"] = text
    return made


def settings_of(value: str) -> configparser.ConfigParser:
    made = configparser.ConfigParser()
    made.read_dict({"a": {"b": value}})
    return made


def moment(zone: datetime.tzinfo) -> datetime.datetime:
    return datetime.datetime(2020, 1, 1, tzinfo=zone)


OTHERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "signature": lambda: (inspect.signature(lambda a, b=1: a), inspect.signature(lambda a, b=2: a)),
    "normal": lambda: (statistics.NormalDist(1, 2), statistics.NormalDist(1, 3)),
    "context": lambda: (decimal.Context(5), decimal.Context(6)),
    "tree": lambda: (ast.parse("a + 1"), ast.parse("a + 2")),
    "url": lambda: (urllib.parse.urlparse("http://a/b"), urllib.parse.urlparse("http://a/c")),
    "stat": lambda: (os.stat_result(range(10)), os.stat_result(range(1, 11))),
    "time": lambda: (time.gmtime(0), time.gmtime(1)),
    "message": lambda: (message("a"), message("b")),
    "settings": lambda: (settings_of("1"), settings_of("2")),
    "zone": lambda: (dateutil.tz.gettz("Europe/Oslo"), dateutil.tz.gettz("America/New_York")),
    "zone by rules": lambda: (dateutil.tz.tzstr("EST5EDT"), dateutil.tz.tzstr("CET-1CEST")),
    "zone fixed": lambda: (dateutil.tz.tzoffset("a", 3_600), dateutil.tz.tzoffset("a", 7_200)),
    "zone here": lambda: (dateutil.tz.tzlocal(), dateutil.tz.tzutc()),
    "zone of pytz": lambda: (pytz.timezone("Europe/Oslo"), pytz.timezone("America/New_York")),
    "zone of pytz fixed": lambda: (pytz.FixedOffset(60), pytz.FixedOffset(120)),
    "moment": lambda: (moment(dateutil.tz.gettz("Europe/Oslo")), moment(pytz.FixedOffset(60))),
    "span": lambda: (dateutil.relativedelta.relativedelta(days=1), dateutil.relativedelta.relativedelta(days=2)),
    "poly1d": lambda: (np.poly1d([1, 2]), np.poly1d([1, 3])),
    "density": lambda: (scipy.stats.gaussian_kde([1, 2, 4.0]), scipy.stats.gaussian_kde([1, 2, 5.0])),
    "spline": lambda: (
        scipy.interpolate.CubicSpline([1, 2, 3], [3, 4, 1]),
        scipy.interpolate.CubicSpline([1, 2, 3], [3, 4, 2]),
    ),
    "kd tree": lambda: (scipy.spatial.cKDTree(POINTS), scipy.spatial.cKDTree(POINTS + 1)),
    "kd tree of several nodes": lambda: (
        scipy.spatial.KDTree(np.arange(90.0).reshape(30, 3), leafsize=4),
        scipy.spatial.KDTree(np.arange(90.0).reshape(30, 3), leafsize=5),
    ),
    "rotation": lambda: (
        scipy.spatial.transform.Rotation.from_euler("x", 1),
        scipy.spatial.transform.Rotation.from_euler("x", 2),
    ),
    "options of a field": lambda: (attrs.validators.in_({"a", "b", "c"}), attrs.validators.in_({"a", "b", "d"})),
    "grouper": lambda: (pd.Grouper(key="a"), pd.Grouper(key="b")),
    "rolling": lambda: (pd.Series([1, 2]).rolling(2), pd.Series([1, 2]).rolling(1)),
    "colormap": lambda: (mpl.colormaps["viridis"], mpl.colormaps["magma"]),
    "norm": lambda: (mpl.colors.Normalize(0, 1), mpl.colors.Normalize(0, 2)),
}
BESIDE: dict[str, Callable[[], tuple[Any, Any]]] = {
    # Pickle cannot write these, or brings them back as something that differs in what can be seen.
    "parser": lambda: (parser("--a"), parser("--b")),
    "mark": lambda: (dataclasses.MISSING, dataclasses.KW_ONLY),
    "distribution": lambda: (scipy.stats.norm, scipy.stats.gamma),
    "frozen": lambda: (scipy.stats.norm(0, 1), scipy.stats.norm(0, 2)),
    "keys": lambda: ({"a": 1}.keys(), {"b": 1}.keys()),
    "items": lambda: ({"a": 1}.items(), {"a": 2}.items()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_content_counts_and_nothing_else(name: str) -> None:
    one, other = OTHERS[name]()
    before = fp(one)
    assert before == fp(OTHERS[name]()[0]) == fp(pickle.loads(pickle.dumps(one))) == fp(one)
    assert before != fp(other)


@pytest.mark.parametrize("name", BESIDE)
def test_what_does_not_go_through_pickle(name: str) -> None:
    one, other = BESIDE[name]()
    assert fp(one) == fp(BESIDE[name]()[0])
    assert fp(one) != fp(other)


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_values_reduced import BESIDE, OTHERS, fp
print(json.dumps({name: fp(build()[0]) for name, build in {**OTHERS, **BESIDE}.items()}))
"""


@pytest.mark.slow
def test_the_same_in_another_process_with_another_seed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert {name: fp(build()[0]) for name, build in {**OTHERS, **BESIDE}.items()} == json.loads(done.stdout)


def test_a_colormap_that_was_used_is_the_same() -> None:
    fresh, used = mpl.colormaps["viridis"], mpl.colormaps["viridis"]
    used(0.5)
    assert fp(fresh) == fp(used)


PACKAGE = """
import collections.abc, dataclasses, itertools, random, threading, zoneinfo

class Plain:
    def __init__(self, a): self.a = a

class Mark:
    pass

MARK = Mark()

class Scaler:
    '''Nothing but what it does.'''
    def scale(self, x): return x

class Forgetful:
    '''Its pickle leaves out what makes two of them differ.'''
    def __init__(self, a, b): self.a, self.b = a, b
    def __getstate__(self): return {"a": self.a}

class Blanking(Forgetful):
    def __getstate__(self): return {"a": self.a, "b": None}

class Emptying(Forgetful):
    def __getstate__(self): return {"a": self.a, "b": []}

class Rounding(Forgetful):
    def __getstate__(self): return {"a": self.a, "b": self.b // 10 * 10}

class Table(dict):
    '''A dict is equal whatever its attributes are.'''
    def __init__(self, a, b): super().__init__(a=a); self.b = b
    def __reduce__(self): return Table, (self["a"], None)

class Mapped(collections.abc.Mapping):
    def __init__(self, a, b): self.a, self.b = a, b
    def __getitem__(self, name): return {"a": self.a}[name]
    def __iter__(self): return iter("a")
    def __len__(self): return 1
    def __reduce__(self): return Mapped, (self.a, None)

@dataclasses.dataclass
class Loose:
    a: int
    b: int = dataclasses.field(default=0, compare=False)
    def __reduce__(self): return Loose, (self.a,)

class Dice(random.Random):
    '''Its state is a tuple, in which there is no place for attributes.'''
    def __init__(self, a, b): super().__init__(a); self.b = b
    def __reduce__(self): return Dice, (1, 0), self.getstate()

class Caching:
    '''Leaves out a cache, and says that it does not count.'''
    def __init__(self, a): self.a, self.cache = a, None
    def look(self): self.cache = [self.a]
    def __getstate__(self): return {"a": self.a}
    def __setstate__(self, state): self.__init__(state["a"])
    def __eq__(self, other): return type(other) is Caching and self.a == other.a
    __hash__ = None

class Locked:
    def __init__(self, a): self.a, self.lock = a, threading.Lock()
    def __getstate__(self): return {"a": self.a}
    def __setstate__(self, state): self.__init__(**state)

class Rebuilt:
    '''Tells its constructor what it was made of.'''
    def __init__(self, a): self.a, self.double = a, [a, a]
    def __reduce__(self): return Rebuilt, (self.a,)

class Handle:
    '''Holds an address; pickles the bytes behind it.'''
    def __init__(self, data): self.data, self.handle = data, open(__file__)
    def __getstate__(self): return {"data": self.data, "handle": b"bytes"}
    def __setstate__(self, state): self.__init__(state["data"])

class Counting:
    '''Another pickle each time.'''
    _count = itertools.count()
    def __init__(self): self.a = 1
    def __reduce__(self): return Counting, (), {"a": self.a, "n": next(self._count)}

class Drifting:
    '''Comes back as something else.'''
    def __init__(self, a): self.a = a
    def __getstate__(self): return {"a": self.a}
    def __setstate__(self, state): self.a = state["a"] + 1

class Unequal(Plain):
    def __getstate__(self): return {"a": self.a}
    def __eq__(self, other): return self is other
    __hash__ = object.__hash__

class Unreadable(Plain):
    def __getstate__(self): return {"a": self.a}
    def __setstate__(self, state): raise ValueError("made for reading only")

class Once(Plain):
    def __next__(self): ...

class Named(Plain):
    def __reduce__(self): return "CONSTANT"

CONSTANT, OTHER = Named(1), Named(1)

class Zone(zoneinfo.ZoneInfo):
    '''Pickles itself by a method of C that is bound anew each time.'''

class Tree:
    def __init__(self, parent=None): self.parent, self.below = parent, []
    def __reduce__(self): return Tree, (), {"parent": self.parent, "below": self.below}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An installed package of whose classes nothing is known."""
    folder = tmp_path_factory.mktemp("installed") / "site-packages"
    folder.mkdir()
    (folder / "foreign_package.py").write_text(PACKAGE)
    sys.path.insert(0, str(folder))
    try:
        yield __import__("foreign_package")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["foreign_package"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(lambda p: p.Plain([1]), lambda p: p.Plain([2]), id="attributes"),
        pytest.param(lambda p: p.MARK, lambda p: p.Scaler(), id="a mark under its name"),
        pytest.param(lambda p: p.Scaler(), lambda p: p.Plain(1), id="methods without attributes"),
        pytest.param(lambda p: p.Caching(1), lambda p: p.Caching(2), id="a cache that does not count"),
        pytest.param(lambda p: p.Locked([1]), lambda p: p.Locked([2]), id="a lock left out"),
        pytest.param(lambda p: p.Rebuilt(1), lambda p: p.Rebuilt(2), id="built again"),
        pytest.param(lambda p: p.Handle(1), lambda p: p.Handle(2), id="a handle as its bytes"),
        pytest.param(lambda p: p.Zone("Europe/Oslo"), lambda p: p.Zone("America/New_York"), id="a method of C"),
        pytest.param(lambda p: p.CONSTANT, lambda p: p.Plain(1), id="a name"),
        pytest.param(lambda p: {p.Rebuilt(1): p}, lambda p: {p.Rebuilt(2): p}, id="a key"),
        pytest.param(lambda p: [p.Rebuilt(p.Plain(1))], lambda p: [p.Rebuilt(p.Plain(2))], id="one in another"),
    ],
)
def test_whole_objects_count_by_content(package: Any, one: Any, other: Any) -> None:
    assert fp(one(package)) == fp(one(package))
    assert fp(one(package)) != fp(other(package))


def test_a_cache_that_was_filled_does_not_count(package: Any) -> None:
    used = package.Caching(1)
    before = fp(used)
    used.look()
    assert before == fp(used)


def test_the_same_object_twice_is_no_pair_of_equal_ones(package: Any) -> None:
    one = package.Rebuilt(1)
    assert fp([one, one]) != fp([one, package.Rebuilt(1)])
    parent = package.Tree()
    parent.below.append(package.Tree(parent))
    assert fp(parent) == fp(pickle.loads(pickle.dumps(parent))) != fp(package.Tree())
    assert fp([parent, parent.below]) != fp([parent, list(parent.below)])


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(lambda p: p.Forgetful(1, 2), "pickle leaves out its attribute 'b'", id="left out"),
        pytest.param(lambda p: p.Blanking(1, 2), "pickle leaves out its attribute 'b'", id="blanked"),
        *(
            pytest.param(lambda p, name=name: getattr(p, name)(1, 25), "pickle leaves out its attribute 'b'", id=name)
            for name in ("Emptying", "Rounding", "Table", "Mapped", "Loose", "Dice")
        ),
        pytest.param(lambda p: p.Counting(), "otherwise", id="another each time"),
        pytest.param(lambda p: p.Drifting(1), "reads otherwise", id="comes back as another"),
        pytest.param(lambda p: p.Unequal(1), "not equal to it", id="not equal to its copy"),
        pytest.param(lambda p: p.Unreadable(1), "made for reading only", id="cannot be read"),
        pytest.param(lambda p: p.Once(1), "only once", id="an iterator"),
        pytest.param(lambda p: p.Mark(), "only an identity", id="a mark without a name"),
        pytest.param(lambda p: p.OTHER, "another object", id="another under its name"),
        pytest.param(lambda p: object(), "only an identity", id="object"),
    ],
)
def test_what_is_not_shown_to_be_whole_is_refused_where_it_lies(package: Any, build: Any, reason: str) -> None:
    """A look-alike in the same value must not take the blame."""
    with pytest.raises(UnfingerprintableError) as caught:
        fp({"good": package.Rebuilt(1), "cfg": [package.Plain(build(package))]})
    assert "value['cfg'][0].a" == caught.value.path
    assert reason in caught.value.reason


def test_a_value_that_was_refused_is_refused_again(package: Any) -> None:
    for _ in range(2):
        with pytest.raises(UnfingerprintableError):
            fp(package.Forgetful(1, 2))


def test_what_was_shown_of_one_object_is_not_taken_for_another_that_reads_the_same(package: Any) -> None:
    assert fp(package.Forgetful(1, None)) == fp(package.Forgetful(1, None))
    with pytest.raises(UnfingerprintableError, match="leaves out its attribute 'b'"):
        fp(package.Forgetful(1, 2))
    grown = package.Locked(1)
    fp(grown)
    grown.more = [1]
    with pytest.raises(UnfingerprintableError, match="leaves out its attribute 'more'"):
        fp(grown)


def test_the_copy_does_not_touch_the_value(package: Any) -> None:
    """What a class does to its state as it is unpickled happens to a copy of the parts."""
    array = np.arange(3)
    value = package.Rebuilt(array)
    before = copy.deepcopy(vars(value))
    fp(value)
    assert before["a"].tolist() == value.a.tolist()
    assert value.a is array


def test_a_class_of_the_user_made_of_an_array_counts_whole() -> None:
    class Part(np.ndarray):  # type: ignore[type-arg]
        unit = "m"

    one, other = np.zeros(2).view(Part), np.zeros(2).view(Part)
    assert fp(one) == fp(other) != fp(np.zeros(2))
    other.unit = "km"
    assert fp(one) != fp(other)
    assert fp(one) != fp(np.ones(2).view(Part))


class Rows(pd.DataFrame):
    """A frame of the user's own."""

    _metadata = ["_origin"]  # noqa: RUF012
    _origin = ""

    @property
    def _constructor(self) -> Any:
        return Rows


def test_a_class_of_the_user_made_of_a_frame_counts_whole() -> None:
    one, other = Rows({"a": [1, 2]}), Rows({"a": [1, 2]})
    assert fp(one) == fp(other) == fp(pickle.loads(pickle.dumps(one))) != fp(pd.DataFrame({"a": [1, 2]}))
    other._origin = "file"
    assert fp(one) != fp(other)
    assert fp(one) != fp(Rows({"a": [1, 3]}))


def test_an_attribute_that_pandas_knows_nothing_of_counts() -> None:
    one, other = pd.DataFrame({"a": ["x"]}), pd.DataFrame({"a": ["x"]})
    before = fp(one)
    assert one["a"].str is not None
    assert one.plot is not None
    assert before == fp(one) == fp(other)
    object.__setattr__(other, "source", "file")
    assert before != fp(other)


MODELS = """
import attrs, collections, dataclasses, pydantic, typing
class Entry(pydantic.BaseModel):
    size: int = {default}
    names: list[str] = ["x"]
    @pydantic.field_validator("size", mode="{mode}")
    @classmethod
    def check(cls, value): return value{check}
@attrs.define
class Item:
    size: int = {default}
    names: list = attrs.field(factory=list)
    def twice(self): return self.size{check}
@pydantic.dataclasses.dataclass
class Checked:
    size: int = {default}
    def twice(self): return self.size{check}
Pair = collections.namedtuple("Pair", "a b", defaults=[{default}])
kinds = Entry, Item, Checked
values = [Entry(size=7), Item(7), Checked(7)]
"""


def _models(default: str = "1", mode: str = "before", check: str = "") -> Session:
    return Session().cell(MODELS.format(default=default, mode=mode, check=check))


def test_objects_of_pydantic_and_attrs_count_with_their_class() -> None:
    """Their classes are full of what packages have made, some of it with addresses in it."""
    before = [fingerprint(value) for value in _models().names["values"]]
    assert before == [fingerprint(value) for value in _models().names["values"]]
    assert len(set(before)) == len(before)
    for edited in (_models(default="2"), _models(check=" + 1")):
        after = [fingerprint(value) for value in edited.names["values"]]
        assert not set(before) & set(after)
    assert before[0] != fingerprint(_models(mode="after").names["values"][0])
    names = _models().names
    assert fingerprint(names["Entry"](size=7)) != fingerprint(names["Entry"](size=8))
    assert fingerprint(names["Item"](7, ["a"])) != fingerprint(names["Item"](7, ["b"]))
    assert fingerprint(names["Pair"](1)) != fingerprint(names["Pair"](2))


def test_named_tuples_of_packages_are_no_code_of_the_user() -> None:
    found = scipy.stats.ttest_ind([1.0, 2.0, 4.0], [1.0, 3.0, 5.0])
    assert fingerprint(found) == fingerprint(scipy.stats.ttest_ind([1.0, 2.0, 4.0], [1.0, 3.0, 5.0]))
    assert fingerprint(urllib.parse.urlsplit("http://a/b")) != fingerprint(urllib.parse.urlsplit("http://a/c"))
