"""Numbers as people read them, and the page's copy of the same rules."""

from __future__ import annotations

import pytest

from resonate_nb.view import age, count, duration, one_line, size

DURATIONS = [
    (0, "0 ms"),
    (0.4, "0 ms"),
    (0.5, "1 ms"),
    (850, "850 ms"),
    (999.4, "999 ms"),
    (999.5, "1.0 s"),
    (1_000, "1.0 s"),
    (3_249, "3.2 s"),
    (3_250, "3.3 s"),
    (9_949, "9.9 s"),
    (9_950, "10 s"),
    (59_499, "59 s"),
    (59_500, "1 m 00 s"),
    (192_000, "3 m 12 s"),
    (3_599_500, "1 h 00 m"),
    (7_500_000, "2 h 05 m"),
    (86_399_999, "1 d 00 h"),
    (273_600_000, "3 d 04 h"),
    (-5, "0 ms"),
]
AGES = [
    (0, "now"),
    (-9_000, "now"),
    (1_999, "now"),
    (2_000, "2 s"),
    (59_999, "59 s"),
    (180_000, "3 m"),
    (7_200_000, "2 h"),
    (47 * 3_600_000, "47 h"),
    (48 * 3_600_000, "2 d"),
]
SIZES = [
    (0, "0 B"),
    (999, "999 B"),
    (1_000, "1.0 kB"),
    (9_949, "9.9 kB"),
    (9_950, "10 kB"),
    (999_499, "999 kB"),
    (999_500, "1.0 MB"),
    (1_200_000, "1.2 MB"),
    (48_200_000, "48 MB"),
    (3_000_000_000, "3.0 GB"),
    (2_000_000_000_000_000, "2 PB"),
]
COUNTS = [(0, "0"), (999, "999"), (1_000, "1,000"), (100_000, "100,000"), (1_234_567, "1,234,567")]


@pytest.mark.parametrize(("ms", "text"), DURATIONS, ids=[text for _, text in DURATIONS])
def test_durations_have_at_most_two_units(ms: float, text: str) -> None:
    assert text == duration(ms)


@pytest.mark.parametrize(("ms", "text"), AGES)
def test_ages_have_one_unit(ms: int, text: str) -> None:
    assert text == age(ms)


@pytest.mark.parametrize(("size_bytes", "text"), SIZES, ids=[text for _, text in SIZES])
def test_sizes_are_decimal(size_bytes: int, text: str) -> None:
    assert text == size(size_bytes)


@pytest.mark.parametrize(("number", "text"), COUNTS)
def test_counts_are_grouped(number: int, text: str) -> None:
    assert text == count(number)


def test_what_is_not_known_is_empty() -> None:
    assert ("", "") == (duration(None), size(None))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("day=6", "day=6"),
        ("a  b", "a  b"),
        ("   rows\n0     1\r\n1     2\n", "rows 0 1 1 2"),
        ("\x1b[31mred\x1b[0m\x07\x00!", "red !"),
        ("one\u2028two\x85three", "one two three"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("x" * 18 + " yyy", "x" * 18 + "…"),
        ("", ""),
    ],
)
def test_one_line_is_one_short_line(text: str, line: str) -> None:
    """Whatever a repr holds, a table keeps its rows and a terminal its colours."""
    assert line == one_line(text, 20)
