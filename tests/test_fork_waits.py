"""What a call loads on its way is whole to whoever forks meanwhile."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

import resonate_nb
from resonate_nb.forks import await_loads

_FORKED = """
import os, signal, sys, threading
from resonate_nb import configure, durable

configure(store=sys.argv[1])

class Slow:
    begun, go_on = threading.Event(), threading.Event()
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            self.begun.set()
            self.go_on.wait(60)
            threading.Event().wait(0.3)  # longer than a fork takes that does not wait

@durable
def double(n):
    import calendar
    return 2 * n

assert sys.argv[2] not in sys.modules
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=double, args=(1,))
thread.start()
assert Slow.begun.wait(60)
os.register_at_fork(before=Slow.go_on.set)
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if double(2) == 4 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resonate_nb.runtime._news", "calendar"], ids=["ours", "the body's"])
def test_a_fork_waits_for_what_a_call_loads(tmp_path: Path, name: str) -> None:
    """Without that the child has the module's lock and not the thread that loads it, and waits for ever."""
    script = tmp_path / "script.py"
    script.write_text(_FORKED)
    ran = subprocess.run(
        [sys.executable, script, tmp_path / "store", name], capture_output=True, text=True, check=False
    )
    assert "0\n" == ran.stdout, ran.stderr


def test_a_fork_does_not_wait_for_ever_nor_for_imports_that_no_call_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded may itself wait for who forks; and a whole program may live inside of an import."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "resonate_nb.loaded_slowly":
                begun.set()
                go_on.wait(60)

    def load(by: Callable[[str], object]) -> None:
        with pytest.raises(ModuleNotFoundError):
            by("resonate_nb.loaded_slowly")

    monkeypatch.setattr(sys, "meta_path", [Slow(), *sys.meta_path])
    monkeypatch.setitem(resonate_nb._HOME, "loaded_slowly", "loaded_slowly")
    for by, is_ours in ((lambda _: resonate_nb.loaded_slowly, True), (importlib.import_module, False)):
        begun.clear()
        go_on.clear()
        thread = threading.Thread(target=load, args=(by,))
        thread.start()
        assert begun.wait(60)
        assert is_ours is not await_loads(looks=3)
        go_on.set()
        thread.join(60)
        assert await_loads(looks=1)
