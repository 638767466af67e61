"""The same values through the door of the room, where code counts by what it is: apart, and equal in every session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from values_under_test import everything

from resonate_nb.fingerprint import fingerprint, fingerprint_named

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from values_under_test import everything
from resonate_nb.fingerprint import fingerprint
print(json.dumps({name: fingerprint(value) for name, value in everything().items()}))
"""


@pytest.mark.slow
def test_values_are_apart_and_the_same_in_another_session() -> None:
    here = {name: fingerprint(value) for name, value in everything().items()}
    assert len(set(here.values())) == len(here)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert here == json.loads(done.stdout)


def test_each_value_of_several_has_the_digest_it_has_alone() -> None:
    part = [1]
    together = fingerprint_named({"b": part, "a": {"part": part}})
    assert list(together.parts) == ["b", "a"]
    assert together.parts["b"] == fingerprint(part)
    assert together.parts["a"] == fingerprint({"part": [1]})
    assert together.joint not in together.parts.values()
