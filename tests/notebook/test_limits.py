"""Limits in a real kernel: a body is ended in the cell that runs it, and the kernel goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import asyncio, time
from pathlib import Path
from resonate_nb.clock import SystemClock
from resonate_nb.runtime._limit import run_limited, run_limited_async

def busy():
    Path("begun").touch()
    while True:
        time.sleep(60)

async def idle():
    Path("begun").touch()
    await asyncio.sleep(60)

def outcome(found):
    return found.is_late, found.has_value, found.error
"""
SYNC = "outcome(run_limited(busy, {seconds}, SystemClock()))"
AWAITED = "outcome(await run_limited_async(idle(), {seconds}, SystemClock()))"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("limits")) as found:
        found.ok(SETUP)
        yield found


@pytest.mark.parametrize("cell", [SYNC, AWAITED], ids=["sync", "awaited"])
def test_a_limit_ends_the_body_and_the_cell_goes_on(kernel: Kernel, cell: str) -> None:
    """No cell is interrupted afterwards, and nothing is printed."""
    ran = kernel.ok(cell.format(seconds=0.05))
    assert ("(True, False, None)", []) == (ran.result, [o for o in ran.outputs if o["output_type"] == "stream"])
    assert "3" == kernel.ok("await asyncio.sleep(0.1)\ntime.sleep(0.1)\n1 + 2").result


def test_queued_cells_run_after_a_limit(kernel: Kernel) -> None:
    """Run All does not stop there."""
    cells = [SYNC.format(seconds=0.05), AWAITED.format(seconds=0.05)] * 2
    requests = [kernel.submit(cell) for cell in [*cells, "'last'"]]
    assert ["(True, False, None)"] * 4 + ["'last'"] == [kernel.collect(request).result for request in requests]


def test_the_stop_button_ends_a_limited_body(kernel: Kernel) -> None:
    """As an interrupt, not as a limit."""
    begun = Path(kernel.value("str(Path('begun').absolute())"))
    begun.unlink(missing_ok=True)
    request = kernel.submit(SYNC.format(seconds=600))
    kernel.wait_for(begun)
    kernel.interrupt()
    ran = kernel.collect(request)
    assert ran.error is not None
    assert "KeyboardInterrupt" == ran.error[0]
    assert "3" == kernel.ok("1 + 2").result
