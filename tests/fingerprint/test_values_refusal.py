"""What is not covered is refused where it lies, with its path, and never written as something weaker."""

from __future__ import annotations

import csv
import io
import itertools
import os
import pickle
import queue
import re
import sqlite3
import subprocess
import tempfile
import weakref
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from values_under_test import Model, fp, reach

import resonate_nb as rnb
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint.values._values import Walker, fingerprint_values


class Memory(io.BytesIO):
    pass


class Failure(Exception):
    pass


class Finalizer(weakref.finalize):  # type: ignore[misc,type-arg]
    pass


ZONE = b"TZif" + bytes(32) + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + bytes(6) + b"UTC\0"
"""Rules without a change, which may be called as one likes."""

REFUSED: dict[str, Any] = {
    "generator": (i for i in ()),
    "iterator": iter([1]),
    "zip": zip((), (), strict=True),
    "count": itertools.count(),
    "queue": queue.Queue(),
    "cursor": sqlite3.connect(":memory:").cursor(),
    "file": open(__file__),  # noqa: SIM115
    "text in memory": io.StringIO("a"),
    "memoryview": memoryview(b"a"),
    "weak reference": weakref.ref(Model),
    "weak dict": weakref.WeakValueDictionary(),
    "finalizer": Finalizer(Model(), print),
    "exception": Failure("a"),
    "object": object(),
    "csv": csv.reader(()),
    "environment": os.environ,
    "raised": ValueError("a"),
    "map": map(len, ()),
    "array iterator": np.zeros(2).flat,
    "match": re.match("a", "a"),
    "code of a function": fp.__code__,
    "resampled": pd.Series([1], index=pd.to_datetime(["2020"])).resample("D"),
    "styled": pd.DataFrame({"a": [1]}).style,
    "figure": Figure(),
    "line": Line2D([0], [1]),
    "zone of a file": zoneinfo.ZoneInfo.from_file(io.BytesIO(ZONE), key="Europe/Oslo"),
    "dtype with metadata": np.zeros(1, np.dtype("i4", metadata={"a": 1})),
    "group": pd.DataFrame({"a": [1]}).groupby("a"),
    "subclass of an object of C": Memory(b"a"),
    "temporary directory": tempfile.TemporaryDirectory.__new__(tempfile.TemporaryDirectory),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(UnfingerprintableError) as caught:
        fp({"cfg": [REFUSED[name]]})
    assert caught.value.path == "value['cfg'][0]"
    assert caught.value.reason


@pytest.mark.parametrize(
    ("build", "path"),
    [
        pytest.param(lambda bad: {"db": [Model(conn=bad)]}, "cfg['db'][0].conn", id="dict, list, attribute"),
        pytest.param(lambda bad: (1, (2, bad)), "cfg[1][1]", id="tuples"),
        pytest.param(lambda bad: {bad}, "cfg<member>", id="set"),
        pytest.param(lambda bad: {bad: 1}, "cfg<key>", id="key"),
        pytest.param(lambda bad: {(1, 2): bad}, "cfg[<tuple>]", id="below a key that is no scalar"),
        pytest.param(lambda bad: {"x" * 99: bad}, f"cfg['{'x' * 56}...]", id="below a long key"),
        pytest.param(lambda bad: np.array([1, bad], dtype=object), "cfg[1]", id="array"),
        pytest.param(lambda bad: pd.DataFrame({"a": [1], "b": [bad]}), "cfg['b'][0]", id="frame"),
        pytest.param(lambda bad: pd.Series([1, bad]), "cfg[1]", id="series"),
        pytest.param(lambda bad: pd.DataFrame({"a": [1]}, index=[bad]), "cfg.index[0]", id="index"),
        pytest.param(lambda bad: Model(a=Model(b=[0, bad])).fit, "cfg.__self__.a.b[1]", id="method"),
    ],
)
def test_the_path_leads_to_what_is_refused(build: Any, path: str) -> None:
    with pytest.raises(UnfingerprintableError) as caught:
        Walker(reach).digest("cfg", build(object()))
    assert path == caught.value.path
    assert caught.value.type_name == "object"


def test_the_path_starts_with_the_name_of_the_argument() -> None:
    with pytest.raises(UnfingerprintableError) as caught:
        fingerprint_values({"a": 1, "conn": sqlite3.connect(":memory:").cursor()}, reach)
    assert ("conn", "sqlite3.Cursor") == (caught.value.path, caught.value.type_name)
    assert "ignore=('conn',)" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "in_a_call", "alone"),
    [
        ((i for i in ()), "Pass a list of what it yields, or leave it out", "Pass a list of what it yields."),
        (
            Model(rows=iter(())),
            "Pass a list of what it yields, leave it out",
            "Pass a list of what it yields, or say what counts of it: rnb.register_fingerprint(the type of `value`",
        ),
        (map(len, ()), "Pass a list of what it yields, or leave it out", "Pass a list of what it yields."),
        (open(__file__), "Pass its path, leave it out", "Pass its path, or say what counts of it: rnb.reg"),  # noqa: SIM115
        (object(), "Pass what it is made of, leave it out", "Pass what it is made of, or say what counts of it: rnb."),
    ],
    ids=["generator", "attribute", "iterator", "file", "object"],
)
def test_the_ways_out_are_those_there_are(value: object, in_a_call: str, alone: str) -> None:
    """No function can say what counts of an iterator, and what is asked about by itself has no call to be left out."""
    with pytest.raises(UnfingerprintableError) as caught:
        fingerprint_values({"x": [value]}, reach)
    assert f"). {in_a_call} of the key with ignore=('x',)" in str(caught.value)
    with pytest.raises(UnfingerprintableError) as caught:
        rnb.fingerprint([value])
    assert f"). {alone}" in str(caught.value)
    assert "ignore=" not in str(caught.value)
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


def test_what_code_cannot_cover_is_told_from_the_value() -> None:
    def refuse(thing: object) -> bytes:
        raise UnfingerprintableError("helper.conn", "Connection", "it is a connection")

    with pytest.raises(UnfingerprintableError) as caught:
        Walker(refuse).digest("cfg", [test_refused])
    assert caught.value.path == "cfg[0]"
    assert "helper.conn" in caught.value.reason


def test_a_dict_that_grows_while_it_is_read_is_refused() -> None:
    """Another thread may do that; here it is the code part that is asked in between."""
    growing: dict[object, object] = {1: object, 2: [int]}

    def grow(thing: object) -> bytes:
        growing[thing] = 1
        return b""

    with pytest.raises(UnfingerprintableError) as caught:
        Walker(grow).digest("cfg", [growing])
    assert caught.value.path.startswith("cfg[0]")
    assert "another thread" in caught.value.reason


class Proxy:
    """Gives what it stands for as its own attributes, and stands for nothing."""

    @property
    def __dict__(self) -> Any:
        raise RuntimeError("it is not connected")


class Unhashable(type):
    def __eq__(cls, other: object) -> bool:
        return cls is other

    __hash__ = None  # type: ignore[assignment]


class Strange(metaclass=Unhashable):
    pass


@pytest.mark.parametrize(
    "value",
    [Proxy(), Strange(), type("Homeless", (), {"__module__": None})()],
    ids=["attributes that raise", "a class without a hash", "a class without a module"],
)
def test_what_cannot_be_read_is_refused_where_it_lies(value: object) -> None:
    with pytest.raises(UnfingerprintableError) as caught:
        fp({"cfg": [value]})
    assert caught.value.path.startswith("value['cfg']")


def test_a_walker_goes_on_after_a_refusal() -> None:
    walker = Walker(reach)
    with pytest.raises(UnfingerprintableError):
        walker.digest("a", [[1], {frozenset((object(), 1)), 2}])
    assert walker.digest("b", [[1]]) == Walker(reach).digest("b", [[1]])


def test_no_code_of_the_user_runs() -> None:
    """Reading a value must not change it, nor depend on what its class says about itself."""

    class Loud(dict):  # type: ignore[type-arg]
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

        def __iter__(self) -> Any:
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

        def items(self) -> Any:
            raise AssertionError

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    assert fp(Loud(a=1)) != fp(Loud(a=2))


def test_numpy_and_pandas_are_not_imported(tmp_path: Path) -> None:
    import sys

    script = (
        "import sys\n"
        "from resonate_nb.fingerprint.values._values import Walker\n"
        "Walker(lambda thing: b'').digest('x', [{'a': 1}, bytearray(b'a'), {(1, 2)}, sys])\n"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'sklearn', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == "[]\n"
