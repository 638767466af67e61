"""The stop button: it ends the wait or the call, gives the task back, and the next cell goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import asyncio, time
from pathlib import Path
import resonate_nb as rnb
from resonate_nb import durable
rnb.configure(durability="process")

@durable
def busy(seconds):
    Path("begun").touch()
    while Path("hold").exists():
        time.sleep(0.01)
    return seconds

@durable
async def idle(seconds):
    Path("begun").touch()
    while Path("hold").exists():
        await asyncio.sleep(0.01)
    return seconds
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as found:
        found.ok(SETUP)
        (tmp_path / "hold").touch()
        yield found


@pytest.mark.parametrize("cell", ["busy(1)", "await idle(1)"], ids=["sync", "awaited"])
def test_an_interrupt_ends_the_body_and_gives_the_task_back(kernel: Kernel, tmp_path: Path, cell: str):
    request = kernel.submit(cell)
    kernel.wait_for(tmp_path / "begun")
    kernel.interrupt()
    ran = kernel.collect(request)
    assert "error" == ran.status
    name = "idle" if "idle" in cell else "busy"
    assert "interrupted" in kernel.value(f"repr({name}.get(1))")
    (tmp_path / "hold").unlink()
    assert "1" == kernel.ok(cell).result
    assert ["interrupted", "resolved"] == kernel.value(f"[a.outcome for a in {name}.get(1).attempts]")
    assert "2" == kernel.ok("busy(2)").result


@pytest.mark.parametrize("cell", ["busy(1)", "await idle(1)"], ids=["sync", "awaited"])
def test_an_interrupt_ends_a_wait_and_leaves_the_owner_alone(kernel: Kernel, tmp_path: Path, cell: str):
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as other:
        other.ok(SETUP)
        request = kernel.submit(cell)
        kernel.wait_for(tmp_path / "begun")
        waiting = other.submit("Path('waits').touch()\n" + cell)
        other.wait_for(tmp_path / "waits")
        other.interrupt()
        assert "error" == other.collect(waiting).status
        (tmp_path / "hold").unlink()
        assert "1" == kernel.collect(request).result
        assert "1" == other.ok(cell).result


def test_an_interrupt_ends_the_wait_of_an_awaited_handle(kernel: Kernel, tmp_path: Path):
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as other:
        other.ok(SETUP)
        request = kernel.submit("busy(1)")
        kernel.wait_for(tmp_path / "begun")
        waiting = other.submit("handle = busy.get(1)\nPath('waits').touch()\nawait handle")
        other.wait_for(tmp_path / "waits")
        other.interrupt()
        assert "error" == other.collect(waiting).status
        assert "pending" == other.value("str(handle.state)")
        (tmp_path / "hold").unlink()
        assert "1" == kernel.collect(request).result
        assert "1" == other.ok("await handle").result


def test_the_stop_button_works_as_before_once_nothing_durable_runs(kernel: Kernel, tmp_path: Path):
    (tmp_path / "hold").unlink()
    kernel.ok("await idle(3)")
    assert (
        "KeyboardInterrupt"
        == kernel.run("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)").error[0]
    )
