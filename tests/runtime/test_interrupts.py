"""An interrupt at any instant: nothing is left behind, what was finished is stored, and the next call goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from resonate_nb import durable
from resonate_nb.fingerprint import Subject
from resonate_nb.runtime import Engine, Request, Work, call
from resonate_nb.runtime._context import Step

_ran: list[object] = []


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    _ran.clear()
    before = signal.getsignal(signal.SIGINT)
    yield
    assert before is signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_finished_body_is_stored_before_an_interrupt_is_heard(disk: Engine) -> None:
    """Looking at what it did (its arguments, its files) can take long, and belongs to the storing."""

    def step() -> int:
        return 1

    def body() -> int:
        _ran.append("body")
        return step()

    def judge(value: object) -> tuple[str, ...]:
        interrupt()
        return ()

    request = Request(Work("step", Subject.of_function(step)), {}, body, judge)
    with pytest.raises(KeyboardInterrupt):
        call(request)
    assert call(request).replayed
    assert ["body"] == _ran


def test_an_interrupt_of_the_body_gives_its_task_back(disk: Engine) -> None:
    """And the body has the handler that stood before: `asyncio.run`, for one, looks which it is."""

    @durable(ignore=("_ran", "interrupt"))
    def step() -> int:
        _ran.append(signal.getsignal(signal.SIGINT))
        if len(_ran) == 1:
            interrupt()
        return 1

    with pytest.raises(KeyboardInterrupt):
        step()
    assert 1 == step()
    assert [signal.default_int_handler] * 2 == _ran


def test_an_interrupt_that_an_awaited_body_outran_is_heard_when_its_value_is_stored(disk: Engine) -> None:
    """As under a kernel, whose handler is its own: the body holds the loop until its end."""

    @durable(ignore=("_ran", "interrupt"))
    async def step() -> int:
        _ran.append("body")
        if len(_ran) == 1:
            interrupt()
        return 1

    async def cell() -> int:
        return await step()

    before = signal.signal(signal.SIGINT, lambda *_: None)
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(cell())
        assert 1 == loop.run_until_complete(cell())
    finally:
        loop.close()
        signal.signal(signal.SIGINT, before)
    assert ["body"] == _ran


def test_an_interrupt_in_the_middle_of_a_beginning_step_leaves_none_behind(disk: Engine) -> None:
    """What has begun and never ends would keep the call around it this process's for ever."""
    lines = 0

    @durable(keyed_by="call")
    def step() -> int:
        return 1

    @durable
    def around() -> int:
        return step()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if frame.f_code is not Step.begin.__code__:
            return None
        lines += event == "line"
        if lines == 4:  # it runs as far as the first call knows
            interrupt()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            around()
    finally:
        sys.settrace(before)
    assert 4 == lines
    handle = around.get()
    assert handle is not None
    assert handle.owner is None
    assert 1 == around()


class Loud:
    """Is asked for its text when a call has begun to claim its promise; no interrupt is heard there."""

    def __repr__(self) -> str:
        if not _ran:
            interrupt()
            _ran.append("interrupted")
        return "loud"


@pytest.mark.slow
def test_an_interrupt_is_heard_while_the_write_lock_is_awaited(disk: Engine) -> None:
    """Whoever holds it may hold it for long; and nothing is left of the call."""

    @durable(ignore=("_ran",))
    def step(loud: Loud) -> int:
        _ran.append("body")
        return 1

    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with disk.store.write():
            taken.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(30)
    with pytest.raises(KeyboardInterrupt):
        step(Loud())
    assert ["interrupted"] == _ran
    release.set()
    holder.join()
    assert step.get(Loud()) is None
    assert 1 == step(Loud())
    assert ["interrupted", "body"] == _ran


ANYWHERE = """
import opcode, os, signal, sys, threading
from pathlib import Path
import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import SystemClock
from resonate_nb.runtime import _context, _reads, engine
from resonate_nb.store._owners import Owners

FIRST, EVERY, FLAKY, OPENS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "flaky", sys.argv[3] == "opens"
OURS = os.path.dirname(rnb.__file__)
# Where the interpreter looks for signals: after a call of C, at the begin of a function, at the end of a loop.
CHECKS = {"CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD"}
rnb.configure(store="store", durability="process")
ran = []
passed, target, hit = 0, FIRST, ""
before = {}

@durable(ignore=("ran", "FLAKY"), **({"retry": rnb.Constant(9, delay=0.001), "timeout": "1h"} if FLAKY else {}))
def step(x):
    ran.append(x)
    if FLAKY and ran.count(x) == 1:
        raise OSError("again")
    return [x, "y" * 40_000] if x % 2 else x

def trace(frame, event, arg):
    if frame.f_back is not None and id(frame.f_back) in before:
        before[id(frame.f_back)] = ""  # the call in progress there is none of C
    name = frame.f_code.co_filename
    if not (name.startswith(OURS) or name.endswith(("threading.py", "contextlib.py"))):
        return None
    frame.f_trace_opcodes = True
    before[id(frame)] = "RESUME"  # of which no event tells

    def inside(frame, event, arg):
        global passed, hit
        if event == "return":
            before.pop(id(frame), None)
        elif event == "opcode":
            last = before.get(id(frame), "")
            before[id(frame)] = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
            if last in CHECKS:
                passed += 1
                if passed == target:
                    hit = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                    signal.raise_signal(signal.SIGINT)
        return inside

    return inside

step(-1)
x = 0
while True:
    x, passed, hit, came = x + 1, 0, "", False
    before.clear()
    if OPENS:
        rnb.configure(store=f"store{x}")
    sys.settrace(trace)
    try:
        step(x)
    except KeyboardInterrupt as stop:
        came, sys.last_value = True, stop  # kept, as notebooks keep it, with all that its frames hold
    finally:
        sys.settrace(None)
    if not hit:
        break
    assert came, f"the interrupt at {hit} was lost"
    assert _context.current() is None and not _context._running and not _reads._active, f"left behind at {hit}"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, hit
    got = []
    other = threading.Thread(target=lambda: got.append(step(x)), daemon=True)
    other.start()
    other.join(30)
    assert got, f"after an interrupt at {hit} another thread hangs or fails"
    assert step(x) == got[0], hit
    assert not engine().guests, f"the call that was interrupted at {hit} keeps the store open for ever"
    if OPENS:
        assert engine().store.check() == [], hit
        rnb.configure(store="store")
        owners = Owners(Path(f"store{x}/owners"), SystemClock())
        assert owners.is_alone, f"the store whose opening was interrupted at {hit} is open still"
    target += EVERY

assert engine().store.check() == []
pid = os.fork()
if pid == 0:
    step(-1)
    step(0)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0, "the store was not quiet at the fork"
print("ok", x)
"""


if sys.version_info[:2] == (3, 11):  # it knows where this interpreter looks for signals

    @pytest.mark.slow
    @pytest.mark.parametrize("body", ["plain", "flaky", "opens"])
    def test_an_interrupt_anywhere_in_a_call_leaves_nothing_behind(tmp_path: Path, body: str) -> None:
        """Every seventeenth instruction at which the interpreter may deliver it, from a call's first to its last."""
        (tmp_path / "script.py").write_text(textwrap.dedent(ANYWHERE))
        done = subprocess.run(
            [sys.executable, "script.py", "5", "17", body],
            cwd=tmp_path,
            env={**os.environ, "RESONATE_NB_KEY": "tests"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[1]) > 10
