"""Lengths of time, as users write them for delays, deadlines and ages."""

from __future__ import annotations

import math
from datetime import timedelta

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from resonate_nb.errors import InvalidOptionError
from resonate_nb.retry import seconds_of


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        pytest.param(90.0, 90, id="int"),
        pytest.param(0.5, 0.5, id="float"),
        pytest.param(0.0, 0, id="nothing"),
        pytest.param(7200.0, timedelta(hours=2), id="timedelta"),
        pytest.param(300.0, pd.Timedelta("5min"), id="pandas"),
        pytest.param(3.0, np.int64(3), id="numpy_int"),
        pytest.param(0.25, np.float64(0.25), id="numpy_float"),
        pytest.param(90.0, "90s", id="seconds"),
        pytest.param(90.0, "90", id="bare_number"),
        pytest.param(0.5, ".5", id="bare_fraction"),
        pytest.param(0.25, "250ms", id="milliseconds"),
        pytest.param(300.0, "5m", id="minutes"),
        pytest.param(300.0, "5 min", id="min"),
        pytest.param(7200.0, "2h", id="hours"),
        pytest.param(259_200.0, "3d", id="days"),
        pytest.param(1_209_600.0, "2w", id="weeks"),
        pytest.param(5400.0, "1h30m", id="two_parts"),
        pytest.param(5415.5, " 1 h 30 m 15.5 s ", id="spaced"),
        pytest.param(3_153_600_000.0, "36500d", id="longest"),
    ],
)
def test_length_of_time(seconds: float, written: object) -> None:
    """All that a user may write for one."""
    found = seconds_of(written, "timeout")
    assert seconds == found
    assert float is type(found)


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "soon", "2 hours", "1h30", "h", "-5s", "1e3", "inf", "nan", "5M", "1,5s", "٣s", "1.s", "s1"),
        *(True, None, (5,), b"5s", 1j, np.timedelta64(5, "m"), np.bool_(True), np.arange(2), pd.NaT),
    ],
    ids=repr,
)
def test_what_is_no_length_of_time_is_refused_with_what_to_write(written: object) -> None:
    """Also what could be read in two ways; the message names the option, what it was given, and what to write."""
    with pytest.raises(InvalidOptionError) as caught:
        seconds_of(written, "max_age")
    for part in ("max_age", repr(written), "'90s'", "timedelta"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "written", [-1, -0.001, timedelta(seconds=-1), "36501d", math.inf, math.nan, 10**400, "9" * 400], ids=str
)
def test_length_out_of_range_is_refused(written: object) -> None:
    """A deadline before the call, or one that no clock will show, was not meant."""
    with pytest.raises(InvalidOptionError, match="timeout must be from 0 seconds to 100 years"):
        seconds_of(written, "timeout")


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(["ms", "s", "m", "h", "d"])), min_size=1, max_size=5))
def test_length_of_parts_is_their_sum(parts: list[tuple[int, str]]) -> None:
    """In any order, and as timedelta counts."""
    words = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    total = sum((timedelta(**{words[unit]: number}) for number, unit in parts), timedelta())
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert total.total_seconds() == pytest.approx(seconds_of(text, "timeout"))
