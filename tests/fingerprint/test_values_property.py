"""Random values: the digests are equal exactly when the values are the same, type by type and part by part."""

from __future__ import annotations

import collections
import datetime
import decimal
import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_under_test import Colour, Config, Model, Point, fp

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]),
    st.complex_numbers(max_magnitude=2),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.dates(datetime.date(2020, 1, 1), datetime.date(2020, 1, 3)),
    st.sampled_from([decimal.Decimal("1"), decimal.Decimal("1.0"), Colour.RED, Colour.GREEN, Ellipsis]),
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.tuples(inner, inner),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.sets(HASHABLE, max_size=3),
        st.builds(collections.deque, st.lists(inner, max_size=2)),
        st.builds(collections.OrderedDict, st.dictionaries(st.text(max_size=1), inner, max_size=2)),
        st.builds(Point, inner, inner),
        st.builds(Config, inner, st.lists(st.text(max_size=1), max_size=1)),
        st.builds(Model, a=inner),
        st.builds(Model, b=inner),
    ),
    max_leaves=8,
)


def spelled(value: Any) -> Any:
    """The same question answered slowly, by other means: a text that shows type and content of everything."""
    kind = type(value).__name__
    match value:
        case float():
            return f"{kind} {'nan' if math.isnan(value) else value.hex()}"
        case complex():
            return f"{kind} {spelled(value.real)} {spelled(value.imag)}"
        case set() | frozenset():
            return f"{kind} {sorted(spelled(member) for member in value)}"
        case collections.OrderedDict() | dict():
            return f"{kind} {[(spelled(key), spelled(part)) for key, part in value.items()]}"
        case list() | tuple() | collections.deque():
            return f"{kind} {[spelled(part) for part in value]}"
        case Config() | Model():
            return f"{kind} {spelled(dict(vars(value)))}"
        case _:
            return f"{kind} {value!r}"


def _has_no_shared_part(value: Any, met: set[int]) -> bool:
    """Whether every mutable object occurs once; the strategies hand out the same list twice now and then."""
    if isinstance(value, (list, dict, set, collections.deque, Config, Model)):
        if id(value) in met:
            return False
        met.add(id(value))
    match value:
        case dict():
            parts = [*value.keys(), *value.values()]
        case Config() | Model():
            parts = list(vars(value).values())
        case list() | tuple() | set() | frozenset() | collections.deque():
            parts = list(value)
        case _:
            return True
    return all(_has_no_shared_part(part, met) for part in parts)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(VALUES, VALUES)
def test_digests_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    if _has_no_shared_part(one, set()) and _has_no_shared_part(other, set()):
        assert (spelled(one) == spelled(other)) is (fp(one) == fp(other))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_a_random_value_keeps_its_digest_through_pickle(value: Any) -> None:
    assert fp(value) == fp(pickle.loads(pickle.dumps(value)))


COLUMNS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=3), min_size=3, max_size=3),
    st.lists(st.sampled_from(["a", None]), min_size=3, max_size=3),
    st.lists(st.sampled_from([1, "1", None, 1.0, True]), min_size=3, max_size=3).map(
        lambda items: pd.Series(items, dtype=object)
    ),
    st.lists(st.sampled_from([1, None]), min_size=3, max_size=3).map(lambda items: pd.array(items, dtype="Int64")),
    st.lists(st.sampled_from(["u", "v"]), min_size=3, max_size=3).map(pd.Categorical),
    st.lists(st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2030, 1, 1)), min_size=3, max_size=3),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), COLUMNS, max_size=4))
def test_a_random_frame_keeps_its_digest_through_pickle_and_copies(columns: dict[str, Any]) -> None:
    frame = pd.DataFrame(columns)
    before = fp(frame)
    assert before == fp(pickle.loads(pickle.dumps(frame, 5)))
    assert before == fp(frame.copy())
    assert before == fp(pd.concat([frame[[name]] for name in frame], axis=1) if columns else frame)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_layout_never_counts_and_content_always_does(data: st.DataObject) -> None:
    """Any view of an array has the digest of its contiguous copy; a change of one element is seen."""
    shape = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from(["i2", "f8", ">i4", "c16", "M8[s]", "U5"]))
    array = np.arange(math.prod(shape)).astype(dtype).reshape(shape)
    view = array.transpose(data.draw(st.permutations(range(len(shape)))))
    view = view[tuple(slice(None, None, data.draw(st.sampled_from([1, 2, -1]))) for _ in shape)]
    before = fp(view)
    assert before == fp(view.copy(order="C")) == fp(view.copy(order="F"))
    changed = view.copy()
    place = tuple(data.draw(st.integers(0, length - 1)) for length in changed.shape)
    changed[place] = np.array(7_777_777).astype(array.dtype)
    assert (before == fp(changed)) is bool(changed[place] == view[place])
