"""Values that look alike have digests of their own; equal ones share theirs, wherever and however they were made."""

from __future__ import annotations

import copy
import math
import pickle
import random
import sys
from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np
import pandas as pd
import pytest
from values_under_test import (
    Model,
    arrays_under_test,
    builtins_under_test,
    everything,
    fp,
    frames_under_test,
    records,
    unpicklable_under_test,
)

EVERYTHING = everything()


def test_no_two_values_share_a_digest() -> None:
    """All pairs: a list of a few hundred values that differ in type, structure, sharing or content."""
    by_digest: dict[str, str] = {}
    for name, value in {**EVERYTHING, **unpicklable_under_test()}.items():
        other = by_digest.setdefault(fp(value), name)
        assert name == other, f"{name!r} has the digest of {other!r}"
    assert len(by_digest) > 300


# pickle gives a masked array without a mask one of its own, which `.mask` shows.
@pytest.mark.parametrize("name", [name for name in EVERYTHING if name != "masked none"])
def test_a_value_keeps_its_digest_through_pickle(name: str) -> None:
    value = EVERYTHING[name]
    assert fp(value) == fp(pickle.loads(pickle.dumps(value, 5)))


@pytest.mark.parametrize("name", EVERYTHING)
def test_looking_at_a_value_does_not_change_it(name: str) -> None:
    value = EVERYTHING[name]
    assert fp(value) == fp(value)


def test_values_built_again_have_the_same_digests() -> None:
    assert {name: fp(value) for name, value in EVERYTHING.items()} == {
        name: fp(value) for name, value in everything().items()
    }


def test_values_stay_apart_inside_of_containers() -> None:
    """A fast path for flat lists, dicts and tuples must not confuse what the plain path tells apart."""
    digests: dict[str, str] = {}
    for name, value in builtins_under_test().items():
        for kind, holder in (("list", [value, 1]), ("dict", {"a": value}), ("tuple", (value,)), ("rows", [(value,)])):
            other = digests.setdefault(fp(holder), f"{kind} {name}")
            assert other == f"{kind} {name}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(math.nan, -math.nan, id="nan of the other sign"),
        pytest.param([math.nan, 1.0], [-math.nan, 1.0], id="nan in a list of floats"),
        pytest.param([math.nan, 1], [-math.nan, 1], id="nan in a mixed list"),
        pytest.param({"a": math.nan}, {"a": -math.nan}, id="nan in a dict"),
        pytest.param(np.float64("nan"), -np.float64("nan"), id="nan of numpy"),
        pytest.param(np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), id="F order"),
        pytest.param(np.arange(10)[::2], np.array([0, 2, 4, 6, 8]), id="strided"),
        pytest.param(np.arange(3)[::-1], np.array([2, 1, 0]), id="backwards"),
        pytest.param(np.broadcast_to(1.0, (3, 2)), np.ones((3, 2)), id="broadcast"),
        pytest.param(np.arange(40_000.0).reshape(200, 200).T, np.arange(40_000.0).reshape(200, 200).T.copy(), id="T"),
        pytest.param(records(0), records(255), id="padding of records"),
        pytest.param(records(0)[1], records(255)[1], id="padding of a scalar record"),
        pytest.param({"b", "a", "c"}, set("cab"), id="set"),
        pytest.param("".join(["a", "b"]) * 2, "abab", id="text"),
        pytest.param([10**20, 10**20], [10**20, int("1" + "0" * 20)], id="equal immutables"),
        pytest.param((lambda t: [t, t])((1, [])), (lambda p: [(1, p), (1, p)])([]), id="equal tuples over one list"),
    ],
)
def test_what_does_not_count(one: Any, other: Any) -> None:
    assert fp(one) == fp(other)


def test_payload_of_long_doubles_only() -> None:
    """The six bytes with which x86 pads a long double hold whatever lay there."""
    one, other = np.full(32, 0, "u1").view("g"), np.full(32, 255, "u1").view("g")
    one[:], other[:] = 1.5, 1.5
    assert fp(one) == fp(other)
    assert fp(one[0]) == fp(other[0])
    other[1] = 2.5
    assert fp(one) != fp(other)


def test_blocks_of_a_frame_do_not_count() -> None:
    joined = pd.DataFrame(np.arange(60_000.0).reshape(10_000, 6), columns=list("abcdef"))
    split = pd.DataFrame({name: joined[name].to_numpy().copy() for name in joined})
    strided = pd.DataFrame(np.arange(60_000.0).reshape(10_000, 6), columns=list("abcdef"), copy=False)
    assert fp(joined) == fp(split) == fp(strided)
    strided.iloc[-1, -1] = 0
    assert fp(joined) != fp(strided)


def test_chunks_and_offsets_of_arrow_do_not_count() -> None:
    import pyarrow as pa

    words = ["a", None, "bc", "", "def"] * 2_000
    whole = pd.Series(words, dtype=pd.StringDtype("pyarrow"))
    chunked = pd.concat([whole.iloc[:3], whole.iloc[3:]], ignore_index=True)
    assert chunked.array._pa_array.num_chunks == 2
    assert fp(whole) == fp(chunked)
    assert fp(whole.iloc[1:4].reset_index(drop=True)) == fp(pd.Series(words[1:4], dtype=whole.dtype))
    assert fp(whole.iloc[1:4]) != fp(whole.iloc[2:5])
    for kind in (pa.int32(), pa.bool_(), pa.float64(), pa.timestamp("ms")):
        numbers = pa.array([1, None, 0, 1] * 3_000).cast(kind)
        pieces = pa.chunked_array([numbers[:3], numbers[3:]])
        one = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([numbers])))
        assert fp(one) == fp(pd.Series(pd.arrays.ArrowExtensionArray(pieces)))
        assert fp(one.iloc[:4]) != fp(one.iloc[1:5].set_axis(range(4)))


def test_what_lies_under_a_missing_value_does_not_count() -> None:
    import pyarrow as pa

    hidden = pd.arrays.IntegerArray(np.array([1, 99]), np.array([False, True]))
    assert fp(pd.array([1, None], dtype="Int64")) == fp(hidden)
    valid = pa.py_buffer(bytes([0b01]))
    zero = pa.Array.from_buffers(pa.int32(), 2, [valid, pa.py_buffer(np.array([1, 0], "i4"))])
    other = pa.Array.from_buffers(pa.int32(), 2, [valid, pa.py_buffer(np.array([1, 7], "i4"))])
    assert fp(pd.Series(pd.arrays.ArrowExtensionArray(zero))) == fp(pd.Series(pd.arrays.ArrowExtensionArray(other)))
    offsets, short = pa.py_buffer(np.array([0, 1, 3], "i4")), pa.py_buffer(np.array([0, 1, 1], "i4"))
    long_null = pa.Array.from_buffers(pa.string(), 2, [valid, offsets, pa.py_buffer(b"abc")])
    no_text = pa.Array.from_buffers(pa.string(), 2, [valid, short, pa.py_buffer(b"a")])
    assert fp(pd.Series(pd.arrays.ArrowExtensionArray(long_null))) == fp(
        pd.Series(pd.arrays.ArrowExtensionArray(no_text))
    )


def test_a_missing_text_and_an_empty_one_are_apart() -> None:
    for dtype in ("str", "string", object):
        assert fp(pd.Series(["a", None], dtype=dtype)) != fp(pd.Series(["a", ""], dtype=dtype))


@pytest.mark.parametrize("name", [*arrays_under_test(), *frames_under_test()])
def test_one_changed_place_changes_the_digest(name: str) -> None:
    """Whatever of a value can be written to counts."""
    value = copy.deepcopy(EVERYTHING[name])
    before = fp(value)
    if _change(value):
        assert before != fp(value)


def _change(value: Any) -> bool:
    """Change one place of a value; False where this test knows no way."""
    match value:
        case np.ndarray() if value is not np.ma.masked and value.size and value.dtype.char in "?bhilqBHILQfdgFDG":
            value.flat[-1] = 0 if value.flat[-1] else 1
        case pd.DataFrame() if value.size:
            value.iloc[-1, 0] = 77
        case np.random.Generator() | np.random.RandomState():
            value.normal()
        case _:
            return False
    return True


def test_a_changed_attribute_counts() -> None:
    model = Model(a=[1])
    before = fp(model)
    model.a.append(2)
    assert before != fp(model)


def test_names_of_slots_are_no_part_of_content() -> None:
    """A mangled private slot and an unset one are seen."""
    from values_under_test import Slotted

    unset, full = Slotted(), Slotted()
    full.b = 1
    assert fp(unset) != fp(full)
    hidden = Slotted()
    object.__setattr__(hidden, "_Slotted__private", 3)
    assert fp(unset) != fp(hidden)


def test_a_context_variable_counts_by_what_it_gives_here() -> None:
    variable: ContextVar[list[int]] = ContextVar("variable")
    found = [fp(variable)]
    for value in ([1], [2]):
        context = copy_context()
        context.run(variable.set, value)
        found.append(context.run(fp, variable))
    assert 3 == len(set(found))
    assert found[0] == fp(ContextVar("variable"))
    assert found[0] != fp(ContextVar("another"))


def test_the_version_of_python_counts_as_such() -> None:
    assert fp(sys.version_info) == fp(sys.version_info)
    assert fp(sys.version_info) != fp(tuple(sys.version_info))


def test_a_method_of_a_global_generator_counts_by_its_name() -> None:
    """As the generator's module does in code: who draws from it is told so. One's own generator counts."""
    own = random.Random(1)
    for draw, move in ((random.choice, random.random), (np.random.rand, np.random.rand)):
        before = fp({"draw": draw})
        move()
        assert before == fp({"draw": draw})
    before = fp(own.random)
    own.random()
    assert before != fp(own.random)
    assert 4 == len({fp(random.choice), fp(random.choices), fp(np.random.choice), fp(own.choice)})
