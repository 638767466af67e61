"""A `%%durable` cell as the parent of steps keyed by their place in it: stopped, edited, listed and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

IMPORTS = """%load_ext resonate_nb
import os, signal
import resonate_nb as rnb
from resonate_nb import durable
rnb.configure(durability='process')
def note(line):
    with open('runs.log', 'a') as log:
        log.write(f'{line}\\n')
def stop(where):
    if os.path.exists('stop'):
        os.remove('stop')
        raise KeyboardInterrupt(where)
"""
STEPS = """@durable(keyed_by='call', ignore=('note',))
def charge(x):
    note(f'charge {x}')
    return f'charged {x}'
@durable(keyed_by='call', ignore=('note',))
async def send(x):
    note(f'send {x}')
    return f'sent {x}'
"""
CELL = """%%durable order --ignore stop
first = charge('ada')
second = charge('ada')
third = await send('ada')
stop('before the end')
fourth = charge('bob')
"""
NAMES = "print(first, second, third, fourth, sep=', ')"
DONE = "charged ada, charged ada, sent ada, charged bob\n"


def started(folder: Path) -> Kernel:
    kernel = Kernel(folder, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(folder / "store")})
    kernel.ok(IMPORTS)
    kernel.ok(STEPS)
    return kernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with started(tmp_path) as found:
        yield found


def notes(folder: Path) -> list[str]:
    return (folder / "runs.log").read_text().splitlines()


def test_a_cell_that_was_stopped_goes_on_with_what_its_steps_had_done(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    assert ("KeyboardInterrupt", "before the end") == kernel.run(CELL).error
    kernel.restart()
    kernel.ok(IMPORTS)
    kernel.ok(STEPS)
    kernel.ok(CELL)
    assert DONE == kernel.ok(NAMES).text()
    assert ["charge ada", "charge ada", "send ada", "charge bob"] == notes(tmp_path)
    children = kernel.ok("print(sorted(h.id.split(':')[1].split('/')[0] for h in rnb.search('order/*:*')))").text()
    assert "['charge', 'charge', 'charge', 'send']\n" == children
    listed = "".join(kernel.ok("%durable ls order/*").bundles())
    assert 4 == listed.count(":charge/") + listed.count(":send/")


def test_an_edited_cell_says_that_its_steps_run_again_and_forget_takes_them_along(
    kernel: Kernel, tmp_path: Path
) -> None:
    kernel.ok(CELL)
    edited = kernel.ok(CELL + "fifth = 1\n")
    assert "4 steps done under the code before are not used" in edited.said
    assert ["charge ada", "charge ada", "send ada", "charge bob"] * 2 == notes(tmp_path)
    kernel.ok("rnb.forget('order/*')")
    assert "[]\n" == kernel.ok("print(rnb.search('*'))").text()
    assert "True\n" == kernel.ok("print(rnb.check().is_sound)").text()
