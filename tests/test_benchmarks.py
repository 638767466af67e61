"""The benchmarks' command: every measure of every contestant comes out. How large a figure is, no test says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from benchmarks.contestants import CONTESTANTS
from resonate_nb.runtime import OPTION_NAMES

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = [
    *("1", "1r", "1m", "1g", "2", "3", "4", "5f", "5a", "5h", "7", "7c", "7a", "8", "8s", "9", "10", "11", "12", "13"),
    *("21", "22", "21f", "22f", "30", "31"),
]
PACKAGES = {"joblib.Memory": "joblib", "diskcache.memoize": "diskcache", "DBOS": "dbos"} | {
    "marimo.persistent_cache": "marimo",
    "dask.base.tokenize": "dask",
}
"""Peers that need not be installed."""
NOT_YET = set() if "keyed_by" in OPTION_NAMES else {name for name in CONTESTANTS if name.endswith("keyed by call")}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The table and the record of one tiny run."""
    directory = tmp_path_factory.mktemp("benchmarks")
    ran = run("--tiny", "--json", str(directory / "figures.json"), "--disk", str(directory))
    assert (0, "") == (ran.returncode, ran.stderr if ran.returncode else "")
    return ran.stdout, json.loads((directory / "figures.json").read_text("utf-8"))


@pytest.mark.slow
def test_every_measure_of_every_contestant_comes_out(made: tuple[str, dict[str, Any]]) -> None:
    table, record = made
    assert NUMBERS == [measure["number"] for measure in record["measures"]]
    for measure in record["measures"]:
        for row in measure["rows"]:
            for clock in ("cpu", "wall"):
                assert math.isfinite(row[clock])
                # A call may need no sync at all; everything else takes time.
                assert row[clock] > 0 or measure["number"] == "8s"
            assert row["samples"] >= 1
            assert row["contestant"] in table
        missing = set(measure["absent"])
        if measure["number"] == "8s" and which("strace") is None:
            continue
        assert missing <= {name for name, package in PACKAGES.items() if find_spec(package) is None} | NOT_YET


@pytest.mark.slow
def test_every_goal_is_judged_by_a_ratio_of_this_run(made: tuple[str, dict[str, Any]]) -> None:
    _, record = made
    for measure in record["measures"]:
        rows = {row["contestant"]: row for row in measure["rows"]}
        ours = next(iter(rows.values()))
        for row in rows.values():
            for goal in row["goals"]:
                found = ours[goal["clock"]] / row[goal["clock"]] if "clock" in goal else goal["found"]
                assert math.isclose(found, goal["found"])
                assert goal["met"] == (found <= goal["at_most"])
    assert any(row["goals"] for measure in record["measures"] for row in measure["rows"])


def test_a_number_that_is_none_is_refused() -> None:
    ran = run("--only", "99")
    assert 2 == ran.returncode
    assert "no measure has a number of '99'; there are 1, 1r" in ran.stderr
