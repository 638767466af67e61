"""Plain values go a short way to the digests that the walk gives them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_under_test import Text, Whole, everything, reach

from resonate_nb.fingerprint import fingerprint, fingerprint_named
from resonate_nb.fingerprint.values._named import joint_of_scalars, plain_digests
from resonate_nb.fingerprint.values._values import fingerprint_values, walked_values

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 127, 128, -128, -129, 2**2023, 2**2040, -(2**2040)]),
    st.floats(),
    st.sampled_from([0.0, -0.0, math.nan, -math.nan, math.inf]),
    st.complex_numbers(),
    st.text(st.characters(), max_size=4),
    st.sampled_from(["x" * 254, "x" * 255, "x" * 256, "é" * 127, "é" * 128, "\udce9", "x" * 20_000]),
    st.binary(max_size=4),
    st.sampled_from([b"x" * 255, b"x" * 256, Text("a"), Whole(1), np.int64(1), np.float64(1), bytearray(b"a")]),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=4),
    st.lists(SCALARS, max_size=4).map(tuple),
    st.lists(st.tuples(SCALARS, SCALARS), max_size=3),
    st.lists(st.lists(SCALARS, max_size=2), max_size=2),
    st.dictionaries(st.one_of(st.text(max_size=2), st.integers(), st.floats()), SCALARS, max_size=4),
    st.sampled_from([[1] * 255, [1] * 256, tuple(range(300)), dict.fromkeys(range(300))]),
)
NAMES = st.sampled_from(["a", "b", "_", "n", "é", "x" * 300])


def both(values: dict[str, Any]) -> None:
    found, expected = fingerprint_values(values, reach), walked_values(values, reach)
    assert expected[:3] == found[:3]
    assert (list(values), expected.parts) == (list(found.parts), found.parts)
    assert found == fingerprint_values(values, reach)  # remembered by now
    assert joint_of_scalars(tuple(values), tuple(values.values())) in (None, expected.joint)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_short_way_and_the_walk_agree(values: dict[str, Any]) -> None:
    both(values)


def test_they_agree_on_values_of_every_kind() -> None:
    for value in everything().values():
        both({"value": value, "n": 1})


@pytest.mark.parametrize(
    ("value", "is_plain"),
    [
        (3, True),
        (2**2047 - 1, False),
        ("x" * 255, True),
        ("x" * 256, False),
        ([1, "a", None, 2.5, b"c"], True),
        ({"a": 1}, True),
        ([[1]], False),
        ((1, (2,)), False),
        (Whole(1), False),
        (Text("a"), False),
        (np.int64(1), False),
        ([np.int64(1)], False),
        ({1, 2}, False),
    ],
    ids=repr,
)
def test_what_is_plain(value: object, is_plain: bool) -> None:
    assert is_plain is (plain_digests({"a": value}) is not None)
    both({"a": value})


def test_scalars_have_a_way_that_remembers_nothing() -> None:
    """Under several names, in whatever order; what is no scalar, or a long one, is left to the walk."""
    values = {"b": -7, "a": "x", "c": 2.5, "e": b"y", "d": None, "f": True}
    assert walked_values(values, reach).joint == joint_of_scalars(tuple(values), tuple(values.values()))
    for other in ([1], (), "x" * 256, Whole(1), Text("a"), np.int64(1)):
        assert joint_of_scalars(("a", "b"), (1, other)) is None


def test_look_alikes_are_apart_though_they_are_equal_to_python() -> None:
    alike = [1, 1.0, True, "1", b"1", (1,), [1], (1.0,), (True,), {1: 1}, {1.0: 1}, {True: 1}, {1: True}, None, "None"]
    alike += [0.0, -0.0, 0, False, [0.0], [-0.0]]
    found = [fingerprint_named({"a": value}).joint for value in alike]
    assert len(alike) == len(set(found))
    assert found == [fingerprint_named({"a": value}).joint for value in alike]


def test_one_list_under_two_names_is_no_pair_of_equal_ones() -> None:
    one, pair = [1], (1, 2)
    assert fingerprint_named({"a": one, "b": one}).joint != fingerprint_named({"a": [1], "b": [1]}).joint
    assert fingerprint_named({"a": one, "b": one}).parts == fingerprint_named({"a": [1], "b": [1]}).parts
    assert fingerprint_named({"a": pair, "b": pair}) == fingerprint_named({"a": pair, "b": (1, int("2"))})
    both({"a": one, "b": one, "c": {}})


def test_a_list_that_changed_is_another_one() -> None:
    value = [1]
    before = fingerprint_named({"a": value})
    value.append(2)
    assert before != fingerprint_named({"a": value})
    assert before.parts["a"] == fingerprint([1])


def test_threads_that_ask_for_many_get_what_they_ask_for() -> None:
    """More than are remembered, so that the memory is emptied under the others."""
    expected = {number: walked_values({"n": number}, reach) for number in range(700)}
    wrong: list[int] = []

    def ask(start: int) -> None:
        for number in range(start, start + 700):
            if fingerprint_named({"n": number % 700, "start": start}).parts["n"] != expected[number % 700].parts["n"]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
