"""Format, lint and types, so that one command says all. Each gate is the tool itself, configured in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def run(*arguments: str, cwd: Path = ROOT) -> tuple[int, str]:
    """Exit code and all output of one of this environment's tools."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def test_ruff_check_is_content() -> None:
    """The lint rules hold in package, tests and tools."""
    code, output = run("ruff", "check", "--no-cache", ".")
    assert code == 0, output


def test_ruff_format_would_change_nothing() -> None:
    """One format, so that a change shows only what it changes."""
    code, output = run("ruff", "format", "--no-cache", "--check", ".")
    assert code == 0, output


def test_mypy_strict_is_content() -> None:
    """The package is strictly typed, and its public names can be used as tests/typing/api.py uses them."""
    code, output = run("mypy", "resonate_nb", *map(str, sorted((ROOT / "tests" / "typing").glob("*.py"))))
    assert code == 0, output


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        pytest.param(("ruff", "check", "--no-cache"), "import os\n", id="lint"),
        pytest.param(("ruff", "format", "--no-cache", "--check"), "x = {  'a':1 }\n", id="format"),
        pytest.param(("mypy", "--cache-dir", "/dev/null"), "def f(x):\n    return x\n", id="types"),
    ],
)
def test_gate_stops_an_offender(tool: tuple[str, ...], text: str, tmp_path: Path) -> None:
    """With this project's configuration each tool finds what it is there for; a gate that is always open is none."""
    offender = tmp_path / "offender.py"
    offender.write_text(text, "utf-8")
    config = "--config-file" if tool[0] == "mypy" else "--config"
    code, output = run(*tool, config, str(ROOT / "pyproject.toml"), str(offender))
    assert code == 1, output
    assert "offender.py" in output
