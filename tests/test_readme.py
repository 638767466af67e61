"""The README is what a newcomer follows: its two lines, and names that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import resonate_nb
from resonate_nb.runtime import OPTION_NAMES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

SET_UP = 'python3 -m venv .venv && .venv/bin/pip install -q -e ".[{extra}]" && .venv/bin/{command}'


def test_there_are_exactly_two_lines_to_run() -> None:
    """One that installs and runs the main job, one that installs and runs the tests; each works by itself."""
    blocks = re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert [
        SET_UP.format(extra="lab", command="resonate-nb demo"),
        SET_UP.format(extra="test", command="python -m pytest"),
    ] == [block.strip() for block in blocks]
    assert {"lab", "test"} <= set(PROJECT["optional-dependencies"])
    assert "resonate-nb" in PROJECT["scripts"]


def test_every_name_of_ours_exists() -> None:
    names = set(re.findall(r"\brnb\.(\w+)", README))
    assert names
    assert set() == names - set(resonate_nb.__all__)


def test_every_option_is_shown() -> None:
    shown = re.search(r"`@durable\((.*?)\)`", README)
    assert shown is not None
    assert all(f"{option}=" in shown[1] for option in OPTION_NAMES)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_what_is_linked_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_it_is_the_readme_of_the_package_and_its_python_is_said() -> None:
    assert "README.md" == PROJECT["readme"]
    assert ">=3.11" == PROJECT["requires-python"]
    assert "Python 3.11 or newer" in README


def test_every_public_name_is_in_the_changelog_or_an_error() -> None:
    """A user-visible change has a line there, in the user's words, symbols in full."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    functions = {name for name in resonate_nb.__all__ if name.islower() and "ipython" not in name}
    assert set() == {name for name in functions if f"resonate_nb.{name}(" not in changelog}
