"""A wait in a notebook is one line under its cell, rewritten while it lasts and never part of what a cell shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import LIMIT, Kernel

pytestmark = pytest.mark.slow

SETUP = """
%load_ext resonate_nb
import asyncio, os, time
from pathlib import Path
import resonate_nb as rnb
rnb.configure(durability="process")

@rnb.durable(id="busy", version=1)
def busy():
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    return 7

@rnb.durable(id="abusy", version=1)
async def abusy():
    Path("begun").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return 7
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Kernel, Kernel]]:
    """Two kernels over one store, in one directory."""
    env = {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}
    with Kernel(tmp_path, env) as owner, Kernel(tmp_path, env) as waiter:
        for kernel in (owner, waiter):
            kernel.ok(SETUP)
        yield owner, waiter


def texts_until_rewritten(kernel: Kernel, request: str) -> list[str]:
    """The texts of our line so far, as soon as it has been rewritten once."""
    texts: list[str] = []
    while True:
        message = kernel._client.get_iopub_msg(timeout=LIMIT)
        content = message["content"]
        if message["parent_header"].get("msg_id") != request or "data" not in content:
            continue
        if "display_id" in content["transient"] and "store:" not in (text := content["data"]["text/plain"]):
            texts.append(text)
        if message["msg_type"] == "update_display_data":
            return texts


@pytest.mark.parametrize(
    ("begin", "wait"),
    [
        ("busy()", "print(busy.get().result())"),
        ("busy()", "%%durable cell\nprint(busy())"),
        ("await abusy()", "%%durable cell\nprint(await abusy())"),
    ],
    ids=["handle", "durable cell", "durable cell that awaits"],
)
def test_a_wait_is_one_line_rewritten_in_place(
    two: tuple[Kernel, Kernel], tmp_path: Path, begin: str, wait: str
) -> None:
    owner, waiter = two
    running = owner.submit(begin)
    owner.wait_for(tmp_path / "begun")
    waiting = waiter.submit(wait)
    texts = texts_until_rewritten(waiter, waiting)
    who = f"runs in process {owner.pid} on "
    assert [True, True] == [text.startswith("[resonate_nb] waiting for ") and who in text for text in texts]
    assert texts[0] != texts[1]
    (tmp_path / "go").touch()
    rest = waiter.collect(waiting)
    assert ("ok", "7\n") == (rest.status, rest.text())
    assert "ok" == owner.collect(running).status
    # collect() began in the middle: had the line moved on to a display of its own, it would be here
    assert [] == [text for text in rest.bundles() if "waiting" in text]
    if wait.startswith("%%durable"):
        waiter.restart()
        waiter.ok(SETUP)
        again = waiter.ok(wait)
        assert "7\n" == again.text()
        assert [] == [text for text in again.bundles() if "] wait" in text]
        assert any("replayed" in text for text in again.bundles())


def test_a_line_ends_with_how_long_it_was_and_for_whom(two: tuple[Kernel, Kernel], tmp_path: Path) -> None:
    owner, waiter = two
    running = owner.submit("busy()")
    owner.wait_for(tmp_path / "begun")
    # the wait lasts until there is a line, and a little longer
    waiter.ok(
        "from resonate_nb.notebook._live import LiveLine\nseen = []\nbegin, end = LiveLine.__init__, LiveLine.end\n"
        "def begun(line, board, text):\n    begin(line, board, text)\n    Path('go').touch()\n"
        "LiveLine.__init__ = begun\n"
        "LiveLine.end = lambda line, text=None: (seen.append(text), end(line, text))"
    )
    ran = waiter.ok("busy()")
    assert "ok" == owner.collect(running).status
    (line,) = [text for text in ran.bundles() if text.startswith("[resonate_nb] wait")]
    assert line.startswith("[resonate_nb] waited 1.")
    assert line.endswith(f" s for process {owner.pid}")
    assert [line] == waiter.value("seen")


def test_an_interrupt_ends_the_line_too(two: tuple[Kernel, Kernel], tmp_path: Path) -> None:
    owner, waiter = two
    running = owner.submit("busy()")
    owner.wait_for(tmp_path / "begun")
    waiting = waiter.submit("busy()")
    texts_until_rewritten(waiter, waiting)
    waiter.interrupt()
    assert "KeyboardInterrupt" == (waiter.collect(waiting).error or ("",))[0]
    (tmp_path / "go").touch()
    owner.collect(running)
    assert "7" == waiter.ok("busy()").result


def test_the_line_of_each_call_is_text_and_no_part_of_a_durable_cell(tmp_path: Path) -> None:
    """A level is all it takes; lines may be thousands, and a page drops displays at that rate."""
    cell = "%%durable\nbusy()\nprint('shown')"
    (tmp_path / "go").touch()
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as kernel:
        kernel.ok(SETUP + "import logging\nlogging.getLogger('resonate_nb').setLevel('DEBUG')\n")
        ran = kernel.ok(cell)
        kernel.restart()
        kernel.ok(SETUP)
        again = kernel.ok(cell)
    assert ["[resonate_nb] busy@1: ran, "] == [
        line[:27] for line in ran.text("stderr").splitlines() if "busy@1" in line
    ]
    assert ("shown\n", "shown\n", "") == (ran.text(), again.text(), again.text("stderr"))


def test_what_is_said_several_times_under_one_cell_is_one_line_that_counts(tmp_path: Path) -> None:
    """And it is no part of what a durable cell shows again."""
    cell = """%%durable all --ignore calls
calls.append(1)
print("begins")
for number in range(5):
    try:
        fails(number)
    except ValueError:
        pass
print("ends")
if len(calls) < 3:
    raise RuntimeError
"""
    env = {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}
    with Kernel(tmp_path, env) as kernel:
        kernel.ok(SETUP)
        kernel.ok("@rnb.durable\ndef fails(number):\n    raise ValueError\ncalls = []")
        kernel.run(cell)
        line = "[resonate_nb] fails: runs again, it raised last time"
        again = kernel.run(cell)
        assert [f"{line} (5 times)"] == [text for text in again.bundles() if "fails" in text]
        once = kernel.ok("try:\n    fails(1)\nexcept ValueError:\n    pass")
        assert [line] == [text for text in once.bundles() if "fails" in text]
        kernel.ok(cell)
        replayed = kernel.ok(cell)
        assert "begins\nends\n" == replayed.text()
        assert [] == [text for text in replayed.bundles() if "fails" in text]
        kernel.ok("%unload_ext resonate_nb")
        assert "runs again" in kernel.ok("try:\n    fails(1)\nexcept ValueError:\n    pass").text("stderr")
