"""Our own frames are left out of what people are told, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import resonate_nb

_LINKED = """
import re, traceback, warnings
import resonate_nb_neighbour as neighbour

try:
    neighbour.breaks(1)
except ZeroDivisionError as error:
    print([frame.name for frame in traceback.extract_tb(error.__traceback__)])
stored = neighbour.breaks.get(1).record.promise.value.data.decode()
print(re.findall(r", in (\\w+)", stored))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", neighbour.DurableWarning)
    neighbour.warned()
print([warning.filename.rpartition("/")[2] for warning in caught if warning.category is neighbour.DurableWarning])
"""
_NEIGHBOUR = """
from resonate_nb import DurableWarning, configure, durable

configure(store=__file__ + ".store")

@durable
def breaks(n):
    return n // 0

@durable
def unstorable():
    return open(__file__)

def warned():
    unstorable().close()
"""


@pytest.mark.slow
def test_our_code_is_told_from_that_of_others_wherever_it_lies(tmp_path: Path) -> None:
    """Behind a link code objects name the link; and a neighbour's name may begin as ours does."""
    (tmp_path / "resonate_nb").symlink_to(Path(resonate_nb.__file__).parent)
    (tmp_path / "resonate_nb_neighbour.py").write_text(_NEIGHBOUR)
    (tmp_path / "script.py").write_text(_LINKED)
    ran = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    expected = ["['<module>', '__call__', 'breaks']", "['breaks']", "['resonate_nb_neighbour.py']"]
    assert expected == ran.stdout.splitlines(), ran.stderr
