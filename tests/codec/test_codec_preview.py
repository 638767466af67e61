"""Text for people is short, harmless, and never costs the call its result."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb.codec import describe, preview
from resonate_nb.codec._preview import LINE_LIMIT, _Short


class Rude:
    def __repr__(self) -> str:
        raise ValueError("no")


class Wide:
    def __repr__(self) -> str:
        return "wide " * 10_000


class Rows(list[int]):
    pass


@dataclasses.dataclass
class Holder:
    items: list[int]
    hidden: int = dataclasses.field(default=0, repr=False)


FRAME = pd.DataFrame({"<b>": ["<script>alert(1)</script>", "&"] * 10, "n": range(20)})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        (1.5, "1.5"),
        ("a\nb", "'a\\nb'"),
        ([1, (2,)], "[1, (2,)]"),
        (FRAME, "DataFrame 20 x 2"),
        (pd.DataFrame(index=range(336_776), columns=list("abc")), "DataFrame 336,776 x 3"),
        (FRAME["n"], "Series int64 20"),
        (np.zeros((3, 4)), "ndarray float64 (3, 4)"),
        (np.float64(1.5), "np.float64(1.5)"),
        (Rude(), "<unprintable Rude: ValueError>"),
        ([Rude()], "[<unprintable Rude: ValueError>]"),
        (Rows(range(2000)), "<Rows of 2,000 items>"),
        (Holder([1]), "Holder(items=[1])"),
        ({"df": FRAME, "a": np.zeros(2)}, "{'a': <ndarray float64 (2,)>, 'df': <DataFrame 20 x 2>}"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_line_for_an_argument(value: Any, expected: str) -> None:
    """Frames and arrays by their size, everything else by its repr."""
    assert describe(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 10**99, -(10**99), 10**100, 10**198, 10**199, 10**200, -(10**200)),
        *(0.0, -0.0, 1e300, float("nan"), float("-inf"), 1j),
        *(
            "",
            "a  b \t c",
            "'",
            "\"'",
            "ä\ud800\0\x85\u2028 \u3000",
            "\0" * 49,
            "\0" * 50,
            "\U0010ffff" * 20,
            "x" * 300,
        ),
        *(b"a  b", b"x" * 300, b"x" * 2_000),
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:8]!r}",
)
def test_short_scalars_read_as_long_ones_do(value: Any) -> None:
    """They go a short way to the same text."""
    text = " ".join(_Short(LINE_LIMIT).repr(value).split())
    assert (text if len(text) <= LINE_LIMIT else text[: LINE_LIMIT - 1] + "…") == describe(value)


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        list(range(10**6)),
        {n: n for n in range(10**5)},
        Wide(),
        [Wide()] * 40,
        endless(),
        Holder([0] * 10**5),
        10**4000,
    ],
    ids=range(8),
)
def test_texts_are_short(value: Any) -> None:
    """200 characters in one line, 2,000 in a panel."""
    line = describe(value)
    text, html = preview(value)
    assert len(line) <= 200
    assert "\n" not in line
    assert len(text) <= 2_000
    assert html is None


@pytest.mark.parametrize("value", [10**5000, [10**5000]], ids=["int", "list"])
def test_numbers_beyond_pythons_digit_limit_do_not_raise(value: Any) -> None:
    """Their repr is a ValueError."""
    assert describe(value)
    assert preview(value)[0]


def test_frames_show_their_first_rows_escaped() -> None:
    """A cell may hold markup; it must not run in the page that shows it."""
    text, html = preview(FRAME)
    assert html is not None
    assert "<script>" not in html
    assert "<th><b></th>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr") == 6
    assert text.startswith("DataFrame 20 x 2")


def test_a_series_is_a_table_too() -> None:
    """With its name as the heading."""
    text, html = preview(pd.Series([1, 2], name="count"))
    assert html is not None
    assert "count" in html
    assert text.startswith("Series int64 2")


@pytest.mark.parametrize("value", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.Series([], dtype=float)])
def test_empty_frames_have_a_preview(value: Any) -> None:
    """Nothing in them is no reason to fail."""
    assert preview(value)[1] is not None


def test_a_frame_of_rude_cells_falls_back_to_text() -> None:
    """Cells print themselves through code of the user."""
    text, html = preview(pd.DataFrame({"a": [Rude()]}))
    assert (text, html) == ("<unprintable DataFrame: ValueError>", None)


def test_wide_frames_are_cut() -> None:
    """A thousand columns are no preview."""
    _, html = preview(pd.DataFrame(np.zeros((5, 1000))))
    assert html is not None
    assert html.count("<th>") < 40


def test_html_is_bounded() -> None:
    """It goes into a page with hundreds of others."""
    with pd.option_context("display.max_colwidth", None):
        text, html = preview(pd.DataFrame({"a": ["x" * 100_000]}))
    assert html is None
    assert len(text) == 2_000


@pytest.mark.slow
def test_nothing_heavy_is_imported() -> None:
    """Frames are known by the name of their type."""
    code = (
        "import sys; from resonate_nb.codec import describe, preview, encode, failure_of;"
        "preview([1]); describe([1]); encode([1]); failure_of(ValueError());"
        "print(sorted({'numpy', 'pandas', 'cloudpickle', 'platformdirs'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
