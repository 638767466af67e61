"""A module that is loaded in the middle of calls is whole to whoever forks meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from resonate_nb.loading import load


def test_a_fork_waits_for_what_another_thread_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without that the child has the module's lock and not the thread, and waits for ever."""
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "loading_signals", type(sys)("loading_signals"))
    vars(sys.modules["loading_signals"]).update(begun=begun, go_on=go_on)
    (tmp_path / "loaded_slowly.py").write_text(
        "import loading_signals\nloading_signals.begun.set()\nloading_signals.go_on.wait(60)\nis_whole = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    thread = threading.Thread(target=load, args=("loaded_slowly",))
    thread.start()
    assert begun.wait(60)
    threading.Timer(0.1, go_on.set).start()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if load("loaded_slowly").is_whole else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    thread.join(60)
    monkeypatch.delitem(sys.modules, "loaded_slowly")
