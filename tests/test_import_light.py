"""Importing the package and calling a durable function are not felt: what is heavy is loaded when it is needed.

No times here (`benchmarks/` takes them), but what takes them: other packages, and the slow parts of Python's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset(
    {
        # Never imported by us; loaded by the user, they are looked up.
        *("numpy", "pandas", "pyarrow", "scipy", "sklearn", "torch", "matplotlib", "polars"),
        # By the faces of a notebook.
        *("IPython", "ipykernel", "ipywidgets", "anywidget", "traitlets", "jupyter_client", "nest_asyncio", "tqdm"),
        # When a value, a package or a person needs it.
        *("cloudpickle", "diskcache", "importlib.metadata", "ctypes", "email", "zipfile", "multiprocessing", "http"),
        *("xml", "unittest", "pydoc", "doctest", "webbrowser", "argparse", "ftplib", "csv", "decimal", "fractions"),
        # Ours.
        *("resonate_nb.notebook", "resonate_nb.view", "resonate_nb.cli"),
    }
)

AWAITING = frozenset({"asyncio", "ssl", "selectors", "concurrent.futures"})
PICKLING = frozenset({"pickle", "resonate_nb.codec._pickle", "resonate_nb.codec._rebuild"})
LOOKING = frozenset(f"resonate_nb.runtime.{name}" for name in ("_handle", "_look", "_reading", "_whom"))
SEARCHING = LOOKING | {"resonate_nb.runtime._asked", "resonate_nb.runtime._public"}
RETRYING = frozenset({"resonate_nb.retry"})
SELDOM = frozenset(
    {
        # For a name or a digest each, and slow.
        *("socket", "subprocess", "shutil", "lzma", "bz2", "hashlib", "hmac", "secrets", "uuid", "platform"),
        *("_hashlib", "tempfile"),
        # Where somebody checks, where something is damaged, or where nothing is kept.
        *("resonate_nb.runtime._checking", "resonate_nb.runtime._current"),
        *(f"resonate_nb.store.{name}" for name in ("_check", "_memory", "_mend", "_readonly", "_repair", "_salvage")),
    }
)

PROBE = """
import json, sys
{start}
def say(step):
    print(json.dumps([step, sorted({watched!r} & set(sys.modules))]))
say("at the start")
from resonate_nb import durable
say("imported")

@durable
def step(x):
    {body}

first = step({argument})
say("called")
step({argument})
say("replayed")
"""


def loaded(
    folder: Path,
    *,
    body: str = "return x + 1",
    argument: str = "1",
    start: str = "",
    key: str | None = "tests",
    watched: frozenset[str] = HEAVY,
) -> dict[str, set[str]]:
    """What is loaded of the modules that are watched, in a fresh interpreter, after each of its steps."""
    (folder / "script.py").write_text(PROBE.format(watched=set(watched), body=body, argument=argument, start=start))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RESONATE_NB", "COV"))}
    environment |= {"RESONATE_NB_STORE": str(folder / "store"), "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    if key is not None:
        environment["RESONATE_NB_KEY"] = key
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return {step: set(names) for step, names in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "argument"),
    [
        ("return x + 1", "1"),
        ("return {'a': [x, 'text'], 'b': (x, None)}", "[1, 2]"),
        ("import json, math; return json.dumps(math.sin(len(x)))", "'text'"),
        ("return open(__file__).read() and x", "{'a': 1}"),
    ],
    ids=["scalar", "containers", "standard library", "a file"],
)
def test_nothing_heavy_is_loaded_by_a_plain_call(tmp_path: Path, body: str, argument: str) -> None:
    found = loaded(tmp_path, body=body, argument=argument)
    assert {step: set() for step in ("at the start", "imported", "called", "replayed")} == found


@pytest.mark.slow
def test_a_call_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """Neither one that runs nor one that finds its value in the store."""
    watched = AWAITING | PICKLING | SEARCHING | RETRYING | SELDOM
    for _ in range(2):
        assert set() == set().union(*loaded(tmp_path, watched=watched).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return [x]", PICKLING),
        ("import asyncio; return asyncio.run(asyncio.sleep(0, x))", AWAITING),
        ("import resonate_nb as rnb; return len(rnb.search()) and x", SEARCHING),
        ("import resonate_nb as rnb; return len(rnb.search(since='2h')) and x", RETRYING),
        ("import resonate_nb as rnb; return len(rnb.current().id)", {"resonate_nb.runtime._current"}),
        ("import hashlib, socket; return x", {"hashlib", "socket"}),
    ],
    ids=["a list", "a loop", "a search", "a length of time", "current", "the user's own"],
)
def test_what_is_needed_is_loaded_then(tmp_path: Path, body: str, expected: set[str]) -> None:
    """Nor is the test before unable to fail."""
    found = loaded(tmp_path, body=body, watched=frozenset(expected))
    assert set() == found["imported"]
    assert set(expected) == found["called"]


@pytest.mark.slow
def test_nothing_heavy_is_loaded_for_the_user_s_own_key(tmp_path: Path) -> None:
    """Made at the first use, and read at the next."""
    for _ in range(2):
        assert set() == set().union(*loaded(tmp_path, key=None).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "argument", "expected"),
    [
        ("return lambda: x", "1", "cloudpickle"),
        ("import packaging.version; return str(packaging.version.Version(x))", "'1'", "importlib.metadata"),
    ],
    ids=["a function of the notebook", "a package that hides its version"],
)
def test_the_heavy_is_loaded_when_it_is_needed(tmp_path: Path, body: str, argument: str, expected: str) -> None:
    """Nor is this test unable to fail."""
    start = "import packaging\nif hasattr(packaging, '__version__'): del packaging.__version__"
    found = loaded(tmp_path, body=body, argument=argument, start=start)
    assert expected not in found["imported"]
    assert expected in found["called"]


@pytest.mark.slow
def test_a_package_that_the_user_has_loaded_brings_no_other(tmp_path: Path) -> None:
    """An array is looked at with the numpy that is there."""
    found = loaded(tmp_path, start="import numpy", body="return x.sum()", argument="numpy.arange(3)")
    assert "numpy" in found["at the start"]
    assert found["at the start"] == found["replayed"]


@pytest.mark.slow
def test_the_import_loads_what_a_decoration_needs_no_sooner_than_the_decoration() -> None:
    probe = "import json, sys\nfrom resonate_nb import durable\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    names = json.loads(done.stdout)
    ours = [name for name in names if name.partition(".")[0] == "resonate_nb"]
    assert ["resonate_nb", *(f"resonate_nb.{name}" for name in ("durable", "errors", "forks", "frames"))] == ours
    assert set() == {"asyncio", "inspect", "dataclasses", "logging", "pathlib", "sqlite3", "blake3"} & set(names)
