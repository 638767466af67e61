"""What is said of two values that differ: which part, in a few words; never a secret, and never nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from test_values_property import VALUES
from values_under_test import Model, everything, fp, reach

from resonate_nb.fingerprint import describe, differences, fingerprint_named
from resonate_nb.fingerprint._explain import Summary
from resonate_nb.fingerprint.values._values import walked_values


def kept(value: object, name: str = "value") -> Summary:
    """The summary as it comes back from the store."""
    noted = walked_values({name: value}, reach).noted
    text = json.dumps(describe(value, noted.get(name, ()), name))
    assert len(text) <= 4_096
    return json.loads(text)  # type: ignore[no-any-return]


def said(before: object, after: object) -> list[str]:
    return list(differences(kept(before), kept(after)))


FLIGHTS = pd.DataFrame(
    {"a": [1, 2, 3], "dep_delay": [1.0, 2.0, 3.0], "c": pd.Categorical(list("xyx")), "s": list("abc")}
)
LONG = pd.DataFrame({"n": range(336_776)})
WIDE = pd.DataFrame(np.zeros((3, 200)))
WIDE_TOO = WIDE.copy()
WIDE_TOO[150] = 1.0
TAGGED = FLIGHTS.copy()
TAGGED.attrs["unit"] = "min"
NAMED = FLIGHTS.copy()
NAMED.columns.name = "field"
BOTH = FLIGHTS.rename(columns={"dep_delay": "delay"}).assign(a=[1, 2, 4])
A, C = FLIGHTS["a"], FLIGHTS["c"]
POLARS = pl.DataFrame({"a": [1, 2], "dep_delay": [1.0, 2.0]})
ARROW = pa.table({"a": [1, 2], "dep_delay": [1.0, 2.0]})

PHRASES: list[tuple[object, object, list[str]]] = [
    (FLIGHTS, FLIGHTS.rename(columns={"dep_delay": "delay"}), ["column `dep_delay` renamed to `delay`"]),
    (FLIGHTS, FLIGHTS.assign(a=[1, 2, 4]), ["column `a`: values differ"]),
    (FLIGHTS, FLIGHTS.assign(a=0, s="x"), ["columns `a`, `s`: values differ"]),
    (FLIGHTS, BOTH, ["column `dep_delay` renamed to `delay`", "column `a`: values differ"]),
    (LONG, LONG.iloc[:-6], ["rows 336,776 → 336,770"]),
    (FLIGHTS, FLIGHTS.astype({"a": float}), ["column `a`: dtype int64 → float64"]),
    (FLIGHTS, FLIGHTS.assign(z=1), ["column `z` added"]),
    (FLIGHTS, FLIGHTS.drop(columns=["a", "c"]), ["columns `a`, `c` gone"]),
    (FLIGHTS, FLIGHTS[["s", "a", "dep_delay", "c"]], ["column `s` moved"]),
    (FLIGHTS, FLIGHTS[["s", "c", "dep_delay", "a"]], ["columns in another order"]),
    (FLIGHTS, FLIGHTS.assign(c=C.cat.rename_categories({"x": "q"})), ["column `c`: categories differ"]),
    (FLIGHTS, FLIGHTS.set_index(pd.Index([3, 4, 5])), ["index differs"]),
    (
        FLIGHTS.set_index("s"),
        FLIGHTS.set_index("s").sort_index(ascending=False).assign(**FLIGHTS.set_index("s")),
        ["index differs"],
    ),
    (FLIGHTS, TAGGED, ["attrs or flags differ"]),
    (FLIGHTS, NAMED, ["the labels of its columns differ in their type or name"]),
    (WIDE, WIDE.assign(**{"150": 1}), ["columns 200 → 201"]),
    (WIDE, WIDE_TOO, ["columns after `62` differ"]),
    (A, A.rename("b"), ["name `a` → `b`"]),
    (A, A + 1, ["values differ"]),
    (A, A.astype("Int64"), ["dtype int64 → Int64"]),
    (A.index, A.index + 1, ["values differ"]),
    (POLARS, POLARS.rename({"dep_delay": "delay"}), ["column `dep_delay` renamed to `delay`"]),
    (POLARS, POLARS.with_columns(a=pl.Series([1, 3])), ["column `a`: values differ"]),
    (POLARS, POLARS.cast({"a": pl.Float64}), ["column `a`: dtype Int64 → Float64"]),
    (POLARS, POLARS.head(1), ["rows 2 → 1"]),
    (POLARS["a"], POLARS["a"].alias("b"), ["name `a` → `b`"]),
    (POLARS["a"], POLARS["a"] + 1, ["values differ"]),
    (ARROW, ARROW.rename_columns(["a", "delay"]), ["column `dep_delay` renamed to `delay`"]),
    (ARROW, ARROW.set_column(0, "a", [[1, 3]]), ["column `a`: values differ"]),
    (ARROW, ARROW.replace_schema_metadata({"unit": "min"}), ["metadata differs"]),
    (np.zeros((3, 2)), np.zeros((4, 2)), ["shape (3, 2) → (4, 2)"]),
    (np.zeros(3), np.zeros(3, "f4"), ["dtype float64 → float32"]),
    (np.zeros(3), np.ones(3), ["values differ"]),
    ({"a": 1}, {"a": 2, "c": 3}, ["size 1 → 2", "key `'c'` added", "key `'a'`: 1 → 2"]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["another order of its keys"]),
    ({"t": FLIGHTS}, {"t": FLIGHTS.assign(a=0)}, ["key `'t'`: column `a`: values differ"]),
    ([1, 2, 3], [1, 5, 3], ["position 1: 2 → 5"]),
    ([1, 2], [1, 2, 3], ["length 2 → 3"]),
    ([FLIGHTS, [1]], [FLIGHTS, [2]], ["position 1: position 0: 1 → 2"]),
    ([1] * 1_000, [1] * 999 + [2], ["differs after position 31"]),
    ({1, 2}, {1, 3}, ["member 2 gone", "member 3 added"]),
    (3, 4, ["3 → 4"]),
    (1, True, ["1 → True"]),
    ("a" * 100, "a" * 50 + "b" * 50, ["text differs from character 51 on"]),
    ((1,), [1], ["tuple → list"]),
    (pd.Timestamp("2020"), pd.Timestamp("2021"), ["2020-01-01 00:00:00 → 2021-01-01 00:00:00"]),
    (Model(a=1), Model(a=2), ["attribute `a`: 1 → 2"]),
    (Ridge(alpha=1.0), Ridge(alpha=0.5), ["attribute `alpha`: 1.0 → 0.5"]),
    (Ridge().fit([[1], [2]], [1, 2]), Ridge().fit([[1], [2]], [1, 3]), ["attribute `coef_`: values differ"]),
]


@pytest.mark.parametrize(("before", "after", "expected"), PHRASES, ids=[case[2][0] for case in PHRASES])
def test_what_differs_is_said_in_a_few_words(before: object, after: object, expected: list[str]):
    assert expected == said(before, after)[: len(expected)]


def test_of_equal_values_equal_things_are_kept():
    for value in (FLIGHTS, A, {"t": FLIGHTS}, [1, [2]], {3, 1, 2}, Ridge().fit([[1], [2]], [1, 2])):
        assert kept(value) == kept(value)
    assert kept(FLIGHTS) == kept(FLIGHTS.copy())


def test_of_all_that_is_covered_something_is_said():
    values = everything()
    for before, after in pairwise(values.values()):
        assert said(before, after)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_something_is_said_whenever_the_fingerprints_differ(before: Any, after: Any):
    if fp(before) == fp(after):
        assert kept(before) == kept(after)
    else:
        assert said(before, after)


FRAMES = st.fixed_dictionaries({}, optional=dict.fromkeys("abc", st.lists(st.integers(0, 1), min_size=2, max_size=2)))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(FRAMES, FRAMES)
def test_of_frames_the_column_is_named(before: dict[str, list[int]], after: dict[str, list[int]]):
    old, new = (pd.DataFrame(columns, index=pd.RangeIndex(2)) for columns in (before, after))
    if list(before.items()) != list(after.items()):
        assert any("column" in phrase for phrase in said(old, new))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", "hunter2"),
        ("API_KEY", "short"),
        ("url", "postgresql://me:hunter2@host/db"),
        ("x", "sk-proj-abcdefgh12345678"),
        ("x", "9f86d081884c7d659a2feaa0c55ad015"),
        ("header", "Bearer abc.def"),
    ],
)
def test_a_secret_is_never_kept(name: str, secret: str):
    for value in (secret, {name: secret}, [{name: secret}], Model(**{name: secret})):
        assert secret not in json.dumps(describe(value, fingerprint_named({name: value}).noted.get(name, ()), name))
    assert ["its text differs, which is not shown"] == list(
        differences(describe(secret, (), name), describe(f"{secret}!", (), name))
    )


def test_secret_bytes_are_not_kept_either():
    assert "text" not in describe(b"hunter2", (), "password")
    assert "text" not in describe(b"sk-proj-abcdefgh12345678")
    assert "b'plain'" == describe(b"plain")["text"]


def test_attributes_of_packages_classes_are_told_apart_and_not_shown():
    class Client:
        def __init__(self, key: str) -> None:
            self.word = key

    Client.__module__ = "httpx"
    assert "hunter" not in json.dumps(describe(Client("hunter"), [(".word", "1234")]))
