"""Lines and warnings: at the user's line, and never silent by accident."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import duration

pytestmark = pytest.mark.usefixtures("engine")


def unstorable():
    @durable
    def lines():
        return (letter for letter in "ab")

    return lines


def test_a_warning_points_at_the_users_line():
    lines = unstorable()
    with pytest.warns(rnb.DurableWarning) as caught:
        lines()
    here = sys._getframe().f_lineno - 1
    assert (__file__, here) == (caught[0].filename, caught[0].lineno)


@pytest.mark.parametrize(
    ("category", "is_said"), [(Warning, True), (UserWarning, True), (rnb.DurableWarning, False)], ids=str
)
def test_only_a_filter_that_names_our_warnings_silences_them(
    category: type[Warning], is_said: bool, caplog: pytest.LogCaptureFixture
):
    lines = unstorable()
    with warnings.catch_warnings(), caplog.at_level("INFO", "resonate_nb"):
        warnings.simplefilter("ignore", category)
        lines()
    assert is_said == any("not stored" in line for line in caplog.messages)


def test_why_it_runs_again_is_not_said_once_more_after_the_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    @durable(version=1)
    def change(table):
        table["here"] = 1

    with caplog.at_level("INFO", "resonate_nb"):
        change({})
        monkeypatch.setattr("resonate_nb.runtime._say._said", set())  # as in the next session
        change({})
    said = [line.partition("change")[2] for line in caplog.messages]
    assert [
        " is not replayable: it changed its argument `table` in place",
        ": runs again, the last run is not replayable: changed its argument `table` in place",
    ] == said


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (85.4, "85 ms"), (999, "999 ms"), (4200, "4.2 s"), (192_000, "3 m 12 s"), (7_500_000, "2 h 05 m")],
)
def test_durations_are_for_people(milliseconds: float, text: str):
    assert text == duration(milliseconds)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arranged", "is_said"),
    [
        ("", True),
        ("logging.basicConfig()", True),
        ("logging.basicConfig(level='INFO')", True),
        ("logging.basicConfig(); logging.getLogger('resonate_nb').setLevel('WARNING')", False),
        ("logging.getLogger('resonate_nb').addHandler(logging.NullHandler())", False),
    ],
    ids=str,
)
def test_only_who_names_our_logger_makes_us_silent(arranged: str, is_said: bool, tmp_path: Path):
    """`logging.basicConfig()` hears warnings only, and libraries call it: that is no word about our lines."""
    text = f"import logging\n{arranged}\nfrom resonate_nb.runtime import say\nsay('one'); say('two')"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert [is_said] * 2 == [word in done.stderr for word in ("one", "two")]
    assert 2 * is_said == len(done.stderr.splitlines())
