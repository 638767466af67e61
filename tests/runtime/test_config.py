"""Which store is used: resolved and named at the first durable use, and kept for the life of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import os
from pathlib import Path
import resonate_nb as rnb
from resonate_nb import durable

@durable
def f(x):
    return x

assert rnb.search() == [] and f.get(1) is None and f.options(version=1).get(1) is None
print("before", sorted(p.name for p in Path().iterdir()))
f(1)
os.chdir("elsewhere")
f(2)
os.environ["RESONATE_NB_STORE"] = os.path.abspath("other")
f(3)
print(len(rnb.search()), sorted(p.name for p in Path().iterdir()))
rnb.configure(store="named")
f(4)
os.chdir("..")
print(len(rnb.search()), sorted(p.name for p in Path("elsewhere").iterdir()))
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(SCRIPT)
    (folder / "elsewhere").mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_NB")}
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**inherited, "RESONATE_NB_KEY": "tests", **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_first_durable_use_makes_it_and_names_it_once(tmp_path: Path):
    done = run(tmp_path)
    assert ["before ['elsewhere', 'script.py']", "3 []", "1 ['named']"] == done.stdout.splitlines()
    assert 1 == done.stderr.count(f"[resonate_nb] store: {tmp_path / '.resonate_nb'}\n")
    assert 1 == done.stderr.count(f"[resonate_nb] store: {tmp_path / 'elsewhere' / 'named'}\n")
    assert 2 == done.stderr.count("store: ")


def test_the_environment_names_it(tmp_path: Path):
    done = run(tmp_path, RESONATE_NB_STORE="mine")
    assert ["before ['elsewhere', 'script.py']", "3 []", "1 ['named']"] == done.stdout.splitlines()
    assert (tmp_path / "mine" / "promises.db").is_file()
    assert not (tmp_path / ".resonate_nb").exists()


def test_by_default_a_thread_syncs_what_was_committed(tmp_path: Path):
    """So says `durability="adaptive"`; a sync a call, or none, needs no thread."""
    script = """
import sys, threading
import resonate_nb as rnb
from resonate_nb import durable

if sys.argv[1:]:
    rnb.configure(durability=sys.argv[1])

@durable
def f(x):
    return x

f(sys.argv)
print("resonate_nb sync" in [thread.name for thread in threading.enumerate()])
"""
    (tmp_path / "script.py").write_text(script)
    said = [
        subprocess.run(
            [sys.executable, "script.py", *chosen],
            cwd=tmp_path,
            env={**os.environ, "RESONATE_NB_KEY": "tests"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for chosen in ([], ["adaptive"], ["process"], ["full"])
    ]
    assert ["True", "True", "False", "False"] == said
