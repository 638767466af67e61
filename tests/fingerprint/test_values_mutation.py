"""Nested values of many packages: a copy has the same digest, in any process; a change in any one place another."""

from __future__ import annotations

import copy
import datetime
import decimal
import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_under_test import Config, Frozen, Model, Wider, fp

NUMBERS = st.lists(st.integers(-3, 3), min_size=2, max_size=4)
WORDS = st.lists(st.sampled_from(["", "a", "ab", "b", None]), min_size=2, max_size=4)
KINDS = st.sampled_from(["i1", "i8", "f4", "f8", ">i4", "c16", "?", "M8[s]", "U3", "O"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-300, 300),
    st.sampled_from([0.0, -0.0, 1.5, math.nan, 2**70, 1j, b"", b"ab", bytearray(b"a"), range(3), "", "a", "ab"]),
    st.dates(datetime.date(2020, 1, 1), datetime.date(2020, 1, 3)),
    st.decimals(-2, 2, places=1),
    st.builds(np.float64, st.integers(0, 2)),
    st.builds(Path, st.sampled_from(["a", "a/b"])),
    st.builds(Frozen, st.sampled_from([0.5, 1.0])),
)
TABLES = st.one_of(
    st.builds(lambda items, kind: np.array(items).astype(kind), NUMBERS, KINDS),
    st.builds(lambda items: pd.Series(items, name="a"), NUMBERS),
    st.builds(lambda items: pd.Series(items, dtype="str"), WORDS),
    st.builds(lambda items: pd.DataFrame({"a": items, "b": [str(item) for item in items]}), NUMBERS),
    st.builds(lambda items: pd.DataFrame({"a": pd.array(items, dtype="Int64")}, index=pd.Index(items)), NUMBERS),
    st.builds(lambda items: pl.Series("a", items), NUMBERS),
    st.builds(lambda items: pl.DataFrame({"a": items, "b": [str(item) for item in items]}), NUMBERS),
    st.builds(lambda items: pl.Series("a", items, dtype=pl.String), WORDS),
    st.builds(lambda items: pa.array(items), NUMBERS),
    st.builds(lambda items: pa.table({"a": items, "b": [[item] for item in items]}), NUMBERS),
    st.builds(lambda items: nx.Graph([(item, item + 1) for item in items]), NUMBERS),
)
NESTED = st.recursive(
    SCALARS | TABLES,
    lambda inside: st.one_of(
        st.lists(inside, min_size=1, max_size=3),
        st.tuples(inside, inside),
        st.dictionaries(st.sampled_from(["a", "b", 1, (1, "a")]), inside, min_size=1, max_size=3),
        st.sets(st.sampled_from(["a", "b", "c", 1, (1, "b"), None]), min_size=1),
        st.builds(Model, part=inside),
        st.builds(Config, inside),
        st.builds(Wider, inside, inside),
    ),
    max_leaves=6,
)


def changed(data: st.DataObject, value: Any) -> Any:
    """The value with one place of it changed, and all else as it was."""
    match value:
        case list() | tuple() if value:
            place = data.draw(st.integers(0, len(value) - 1))
            return type(value)(changed(data, part) if at == place else part for at, part in enumerate(value))
        case dict() if value:
            name = data.draw(st.sampled_from(list(value)))
            if data.draw(st.booleans()):
                return {("key" if key is name else key): part for key, part in value.items()}
            return {key: changed(data, part) if key is name else part for key, part in value.items()}
        case set():
            return value ^ {"one more"}
        case Model() | Config():
            found = copy.copy(value)
            name = data.draw(st.sampled_from(list(vars(found))))
            setattr(found, name, changed(data, getattr(found, name)))
            return found
        case Wider():
            return Wider(value.left, changed(data, value.right))
        case _:
            return _leaf_changed(data, value)


def _leaf_changed(data: st.DataObject, value: Any) -> Any:
    place = data.draw(st.integers(0, max(0, len(value) - 1))) if hasattr(value, "__len__") else 0
    match value:
        case np.ndarray():
            found = value.copy()
            found[place] = {"b": not value[place], "U": "zz", "O": "zz"}.get(value.dtype.kind, 77)
            return found
        case pd.Series():
            found = value.copy()
            found.iloc[place] = "zz" if value.dtype == "str" else 77
            return data.draw(st.sampled_from([found, value.rename("other"), value.set_axis(range(5, 5 + len(value)))]))
        case pd.DataFrame():
            found = value.copy()
            found.iloc[place, 0] = 77
            return data.draw(st.sampled_from([found, value.rename(columns={"a": "other"}), value.iloc[1:]]))
        case pl.Series():
            items = _replaced(value.to_list(), place, "zz" if value.dtype == pl.String else 77)
            return data.draw(st.sampled_from([pl.Series("a", items), value.alias("other"), value[1:]]))
        case pl.DataFrame():
            other = value.with_columns(a=pl.Series(_replaced(value["a"].to_list(), place, 77)))
            return data.draw(st.sampled_from([other, value.rename({"a": "other"}), value[1:]]))
        case pa.Array():
            return pa.array(_replaced(value.to_pylist(), place, 77))
        case pa.Table():
            other = value.set_column(0, "a", pa.array(_replaced(value["a"].to_pylist(), place, 77)))
            return data.draw(st.sampled_from([other, value.rename_columns(["other", "b"]), value[1:]]))
        case nx.Graph():
            found = value.copy()
            found.nodes[next(iter(found))]["colour"] = "red"
            return data.draw(st.sampled_from([found, value.to_directed()]))
        case bool() | None:
            return 0
        case int() | datetime.date():
            return value + (datetime.timedelta(1) if isinstance(value, datetime.date) else 1)
        case float():
            return type(value)(7.25)
        case str() | bytes() | bytearray():
            return value + (b"z" if not isinstance(value, str) else "z")
        case Frozen():
            return Frozen(value.rate, value.kind + "z")
        case _:
            return {complex: 2j, range: range(4), decimal.Decimal: decimal.Decimal("7.25")}.get(type(value), Path("z"))


def _replaced(items: list[Any], place: int, item: Any) -> list[Any]:
    return [item if at == place else part for at, part in enumerate(items)]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(NESTED, st.data())
def test_a_copy_is_the_same_and_any_change_is_seen(value: Any, data: st.DataObject) -> None:
    before = fp(value)
    assert before == fp(copy.deepcopy(value)) == fp(pickle.loads(pickle.dumps(value, 5)))
    assert before != fp(changed(data, value))
    assert before == fp(value)


SCRIPT = """
import json, pickle, sys
sys.path.insert(0, sys.argv[1])
from values_under_test import fp
print(json.dumps([fp(value) for value in pickle.load(open(sys.argv[2], "rb"))]))
"""


@pytest.mark.slow
def test_equal_values_are_the_same_in_other_processes_with_other_seeds(tmp_path: Path) -> None:
    values: list[Any] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(NESTED)
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    # What a set holds comes out in the order of the seed of the process that loads it.
    values = [pickle.loads(pickle.dumps(value, 5)) for value in values]
    (tmp_path / "values").write_bytes(pickle.dumps(values, 5))
    expected = [fp(value) for value in values]
    for seed in ("1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path / "values")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert expected == json.loads(done.stdout)
