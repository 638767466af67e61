"""What code does to its process, and a replay does not, is named where its text shows it."""

from __future__ import annotations

import pytest
from sessions import key_of

IMPORTS = "import locale, os, sys, warnings\nfrom unittest import mock\nfrom os import chdir, environ"
VARIABLES, FILTERS = "sets environment variables", "sets the filters of warnings"
DIRECTORY, PATH = "changes the working directory", "changes `sys.path`"


def done_by(body: str) -> tuple[str, ...]:
    key = key_of(IMPORTS, f"def f(x):\n    {body}")
    assert () == key.undurable
    return key.unsure


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("os.environ['K'] = x", VARIABLES),
        ("environ['K'] = x", VARIABLES),
        ("del os.environ['K']", VARIABLES),
        ("os.environ.update(x)", VARIABLES),
        ("import os as o\n    o.putenv('K', x)", VARIABLES),
        ("os.chdir(x)", DIRECTORY),
        ("chdir(x)", DIRECTORY),
        ("sys.path.append(x)", PATH),
        ("sys.path.insert(0, x)", PATH),
        ("locale.setlocale(locale.LC_ALL, x)", "sets the locale"),
        ("warnings.filterwarnings('ignore')", FILTERS),
        ("warnings.simplefilter('ignore')", FILTERS),
        ("def g(): os.chdir(x)\n    g()", DIRECTORY),
    ],
)
def test_what_no_replay_does_is_said(body: str, said: str) -> None:
    assert (f"{said} in f; a replay does not",) == done_by(body)


@pytest.mark.parametrize(
    "body",
    [
        "with mock.patch.dict(os.environ): os.environ['K'] = x",
        "with warnings.catch_warnings():\n        warnings.simplefilter('ignore')",
        "os.chdir(x)\n    try: return 1\n    finally: os.chdir('/')",
        "sys.path.insert(0, x)\n    try: return 1\n    finally: sys.path.remove(x)",
        "return x in sys.path",
        "x.chdir(1); x.environ['K'] = 1",
        "environ = {}\n    environ['K'] = 1",
    ],
)
def test_what_is_undone_or_only_looks_so_is_not_said(body: str) -> None:
    assert not any("a replay does not" in text for text in done_by(body))


def test_a_path_that_is_joined_at_the_end_undoes_nothing() -> None:
    body = "sys.path.append(x)\n    try: return 1\n    finally: os.path.join('a')"
    assert (f"{PATH} in f; a replay does not",) == done_by(body)


def test_what_is_read_as_well_is_said_as_well() -> None:
    read, done = done_by("return os.environ.setdefault('K', '1')")
    assert "reads the environment variable `K` in f" in read
    assert f"{VARIABLES} in f; a replay does not" == done
