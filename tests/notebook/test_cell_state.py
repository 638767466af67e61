"""State beside the names: what a cell moved is seen, what imports do by themselves is not held against it."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resonate_nb.notebook._state import changes, look


def moved(text: str, tmp_path: Path) -> list[tuple[str, int | None]]:
    before = look()
    exec(compile(text, "cell", "exec"), {"np": np, "pd": pd, "os": os, "random": random, "warnings": warnings})
    return [(phrase.split(";")[0], line) for phrase, line in changes(ast.parse(text), before, look())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", []),
        # The global random generators are recorded and set again (test_cell_generators.py): no reason any more.
        ("random.random()", []),
        ("np.random.seed(3)\nnp.random.rand()", []),
        ("with warnings.catch_warnings():\n    warnings.simplefilter('ignore')", []),
        ("with pd.option_context('display.precision', 2):\n    pass", []),
    ],
)
def test_what_moved(text: str, expected: list[tuple[str, int | None]], tmp_path: Path) -> None:
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        assert moved(text, tmp_path) == expected
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNB_STATE", "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    with warnings.catch_warnings():
        text = (
            "import sys\nos.environ['RNB_STATE'] = '2'\nsys.path.append('q')\nos.chdir('in')\n"
            "warnings.simplefilter('ignore', ImportWarning)"
        )
        assert moved(text, tmp_path) == [
            ("changed the working directory", 4),
            ("changed `sys.path`", 3),
            ("changed environment variables", 2),
            ("changed the warnings filters", 5),
        ]


FRESH = """
import ast
from resonate_nb.notebook._state import look, changes
before = look()
assert "rcParams" not in before.tokens, before.tokens.keys()
text = {text!r}
exec(text)
print([phrase.split(";")[0] for phrase, _ in changes(ast.parse(text), before, look())])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import numpy.random, sklearn, matplotlib.pyplot", []),
        ("import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 61", ["changed matplotlib's rcParams"]),
        ("import sklearn, warnings\nwarnings.filterwarnings('ignore', 'q')", ["changed the warnings filters"]),
    ],
)
def test_packages_that_the_cell_itself_imported(text: str, expected: list[str]) -> None:
    """In a fresh interpreter: there is no token from before, and importing changes settings by itself."""
    program = FRESH.format(text=text).replace("from resonate_nb.notebook._state", _ALONE + "from _state_under_test")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stderr == ""
    assert run.stdout.strip() == str(expected)


# The room's door imports pandas through the view; the module alone imports nothing.
_ALONE = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_state_under_test", {str(Path(__file__).parents[2] / "resonate_nb/notebook/_state.py")!r})
sys.modules["_state_under_test"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""  # noqa: E501
