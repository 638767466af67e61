"""Sessions for traps: each is a list of cells, run in a process of its own, which then dies by SIGKILL.

A session's process is forked from a `Host` that has imported IPython, this package and what the trap names, and has
used none of them but for an `InteractiveShell` that stands ready and has run nothing: a session costs its cells, not
the start of Python. Hosts differ in their hash seed. Only the store and the notebook's folder go from one session to
the next.
The last thing it does is to kill itself: what is not on disk by then is lost.

In the cells of a `Trap`, ``ran()`` stands for one line appended to a log, ``got`` is a dict that is handed back, and
``§`` is what changes between the sessions.
"""

from __future__ import annotations

import ast
import functools
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST_CELL = "from resonate_nb import durable\nimport resonate_nb as rnb"
CELL_MARK = "# %%"
CHANGES = "§"
OURS = ("resonate_nb.function", "resonate_nb.notebook")
SCIENCE = (
    *("pandas", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.preprocessing"),
    *("httpx", "openai", "requests", "sqlalchemy"),
)
HOSTS = 3
"""So many sessions may run at the same time, and so many hash seeds there are."""


# The child's side -------------------------------------------------------------------------------------------------


def _serve(preload: Sequence[str]) -> None:
    """Fork a session for each line of JSON on stdin; answer with its wait status. Runs until stdin ends."""
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    for module in preload:
        __import__(module)
    quiet = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "NoColor"}})
    shell = InteractiveShell.instance(config=quiet)
    gc.collect()
    gc.freeze()  # a child that collects shall not copy every page of what is here
    assert threading.active_count() == 1
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _session(job, shell)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


def _session(job: dict[str, Any], shell: Any) -> None:
    try:
        os.chdir(job["folder"])
        sys.path.insert(0, "")
        for name in ("RESONATE_NB", "RESONATE_NB_STORE", "XDG_CONFIG_HOME"):
            os.environ.pop(name, None)
        os.environ.update(job["environ"])
        said = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        got: dict[str, object] = {}
        shell.user_ns["got"] = got
        errors: list[tuple[int, str, str]] = []
        for number, cell in enumerate(job["cells"]):
            result = shell.run_cell(cell, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                errors.append((number, type(error).__name__, str(error)))
        with open(job["outcome"], "w") as file:
            file.write(repr({"got": got, "errors": errors}))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


# The parent's side ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What one session came to."""

    got: Mapping[str, Any]
    errors: Sequence[tuple[int, str, str]]
    """Cell number, type and message."""
    ran: Mapping[str, int]
    """How often each log was written to in this session."""
    said: str
    """All that the process printed, warned and logged."""
    is_killed: bool
    pid: int

    @property
    def runs(self) -> int:
        """Runs of all bodies."""
        return sum(self.ran.values())


class Host:
    """A process from which sessions are forked, one after another."""

    def __init__(self, seed: int, preload: Sequence[str]) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="traps-")
        environ = {
            **os.environ,
            "HOME": self._home.name,
            "IPYTHONDIR": f"{self._home.name}/.ipython",
            "PYTHONHASHSEED": str(seed),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )
        self.pid = 0
        """The session that runs now, or ran last."""

    def start(self, job: Mapping[str, Any]) -> int:
        """Fork a session; its process id. `wait` must follow."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._line())
        return self.pid

    def wait(self) -> int:
        """The wait status of the session, once it is over."""
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the host of the sessions has died"
        return line

    def close(self) -> None:
        """The host is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._home.cleanup()


@functools.cache
def host(number: int, preload: Sequence[str]) -> Host:
    """The host for the sessions of this number; every number has its own hash seed."""
    return Host(1000 + 7 * number, preload)


def close_hosts() -> None:
    """No host is left; the next session starts a new one."""
    # Only hosts that were asked for are known to the cache, in the order of asking.
    for number, preload in list(_asked):
        host(number, preload).close()
    _asked.clear()
    host.cache_clear()


_asked: dict[tuple[int, Sequence[str]], None] = {}


class Notebook:
    """A folder with a notebook's files, a store, and the sessions run over them."""

    def __init__(self, place: Path, preload: Sequence[str] = ()) -> None:
        self.place = place
        self.folder = place / "book"
        self.store: Path | None = place / "store"
        """None for where the package puts it by itself."""
        # Hosts are dear: all that asks for anything beyond this package shares the same three.
        self.preload = (*OURS, *SCIENCE) if preload else OURS
        self.count = 0
        for folder in (self.folder, place / "home"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        """A file of the notebook's folder. Each session's files are a minute older or younger than the last one's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_changed = not path.exists() or path.read_text() != text
        if is_changed:
            path.write_text(text)
            # Python takes a compiled module for current by whole seconds and size; sessions here are quicker.
            moment = 1_700_000_000 + 60 * self.count
            os.utime(path, (moment, moment))
        return path

    def begin(self, cells: str | Sequence[str], **environ: str) -> Running:
        """Start a session; finish it with `Running.end`."""
        self.count += 1
        texts = cells.split(CELL_MARK) if isinstance(cells, str) else cells
        key = (self.count % HOSTS, self.preload)
        _asked[key] = None
        job = {
            "folder": str(self.folder),
            "cells": [FIRST_CELL, *(_written_out(text) for text in texts)],
            "said": str(self.place / f"said.{self.count}"),
            "outcome": str(self.place / f"outcome.{self.count}"),
            "environ": {
                "HOME": str(self.place / "home"),
                "RESONATE_NB_KEY": "the key of the traps",
                **({} if self.store is None else {"RESONATE_NB_STORE": str(self.store)}),
                **environ,
            },
        }
        before = self.logs()
        parent = host(*key)
        return Running(self, parent, job, before, parent.start(job))

    def run(self, cells: str | Sequence[str], **environ: str) -> Outcome:
        """One session from its first cell to its SIGKILL."""
        return self.begin(cells, **environ).end()

    def logs(self) -> dict[str, int]:
        """How many lines each log has."""
        return {path.stem: path.stat().st_size for path in self.folder.glob("*.log")}

    def move(self, name: str) -> None:
        """The notebook's folder, and the store if it is inside, lie somewhere else."""
        target = self.place / name
        shutil.move(self.folder, target)
        self.folder = target


@dataclass
class Running:
    """A session on its way."""

    notebook: Notebook
    host: Host
    job: Mapping[str, Any]
    before: Mapping[str, int]
    pid: int

    def end(self) -> Outcome:
        """Wait for the session's end, its own or by somebody's kill."""
        status = self.host.wait()
        said = Path(self.job["said"]).read_text() if Path(self.job["said"]).exists() else ""
        outcome: dict[str, Any] = {"got": {}, "errors": []}
        if Path(self.job["outcome"]).exists():
            outcome = ast.literal_eval(Path(self.job["outcome"]).read_text())
        ran = {name: size - self.before.get(name, 0) for name, size in self.notebook.logs().items()}
        return Outcome(
            outcome["got"],
            outcome["errors"],
            ran,
            said,
            os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            self.pid,
        )


def _written_out(cell: str) -> str:
    return re.sub(
        r"\bran\((\w*)\)", lambda match: f"open({(match[1] or 'f') + '.log'!r}, 'a').write('+')", cell.strip("\n")
    )


# Traps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trap:
    """What changes between sessions, and how often bodies may run in each."""

    number: str
    """As in TRAPS.md; a letter behind it marks a relative that is not in the list."""
    law: str
    cells: str
    """Parted by lines ``# %%``; `got["value"]` is what is compared."""
    turns: Sequence[str | Sequence[str]]
    """What stands for ``§`` in each session, or for ``§0``, ``§1`` … . The number of turns is that of the sessions."""
    runs: Sequence[int]
    values: Sequence[Any]
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of the notebook's folder, written before each session, changing as the cells do."""
    preload: Sequence[str] = ()
    or_said: str | None = None
    """A pattern: more runs than `runs` are right as well when this is said. The value must be right all the same."""
    or_unsure: str | None = None
    """A pattern: the value of the session before is right as well when this is said, which owns up to it."""
    says: Sequence[str | None] = ()
    """Patterns of what must be said in each session."""
    kinds: int = 1
    """How many ways to vary it the row tries: one, or as many as there are arguments in it."""
    errors: Sequence[str] = ()
    """Errors that cells raise in each session, as ``Type: pattern`` joined by newlines; none if empty."""

    def id(self) -> str:
        return f"{self.number}: {self.law}"

    def filled(self, text: str, turn: int) -> str:
        """The text as it stands in this session."""
        change = self.turns[turn]
        if isinstance(change, str):
            return text.replace(CHANGES, change)
        for number, part in enumerate(change):
            text = text.replace(f"{CHANGES}{number}", part)
        return text


def recompute(number: str, law: str, cells: str, turns: Sequence[Any], values: Sequence[Any], **more: Any) -> Trap:
    """A trap whose change makes the body run again; a third session with the same cells hits."""
    runs = more.pop("runs", 1)
    return Trap(number, law, cells, (*turns, turns[-1]), (runs, runs, 0), (*values, values[-1]), **more)


def hit(number: str, law: str, cells: str, turns: Sequence[Any], value: Any, **more: Any) -> Trap:
    """A trap whose change makes no difference: the second session runs nothing."""
    return Trap(number, law, cells, turns, (more.pop("runs", 1), 0), (value, value), **more)


def entries(number: str, law: str, cells: str, count: int, value: Any, **more: Any) -> Trap:
    """Look-alike arguments in one session: each runs once and gives its own value; later all hit."""
    return Trap(number, law, cells, ("", ""), (count, 0), (value, value), kinds=count, **more)


CALL = "\n# %%\ngot['value'] = f(1)\n"


def f(body: str) -> str:
    """The cells of an f with this body, called with 1."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"@durable\ndef f(x):\n    ran()\n{lines}{CALL}"


Row = tuple[str, Sequence[Any], Sequence[Any], Mapping[str, Any]]


def after(cells: str, body: str, turns: Sequence[Any] = "12", values: Sequence[Any] = (2, 3), **more: Any) -> Row:
    """A row of a table of relatives: these cells, and then an f with this body, called with 1."""
    return cells + "\n# %%\n" + f(body), turns, values, more


def spring(trap: Trap, place: Path) -> None:
    """Run the sessions of a trap, and assert what it demands of each."""
    notebook = Notebook(place, trap.preload)
    for turn in range(len(trap.turns)):
        for name, text in trap.files.items():
            notebook.write(trap.filled(name, turn), trap.filled(text, turn))
        outcome = notebook.run(trap.filled(trap.cells, turn))
        where = f"session {turn + 1} of trap {trap.id()}\nsaid:\n{outcome.said}"
        assert outcome.is_killed, where
        _compare_errors(trap.errors[turn] if turn < len(trap.errors) else "", outcome, where)
        if trap.or_unsure is not None and turn and trap.values[turn] != outcome.got.get("value"):
            assert trap.values[0] == outcome.got.get("value"), where
            assert re.search(trap.or_unsure, outcome.said), f"an old value, and nothing was said, in {where}"
            continue
        assert trap.values[turn] == outcome.got.get("value"), where
        assert repr(trap.values[turn]) == repr(outcome.got.get("value")), where
        if outcome.runs != trap.runs[turn]:
            assert trap.or_said is not None, f"{outcome.runs} runs instead of {trap.runs[turn]} in {where}"
            assert outcome.runs > trap.runs[turn], f"{outcome.runs} runs instead of {trap.runs[turn]} in {where}"
            assert re.search(trap.or_said, outcome.said), f"ran plainly and did not say so, in {where}"
        wanted = trap.says[turn] if turn < len(trap.says) else None
        if wanted is not None:
            assert re.search(wanted, outcome.said), f"did not say {wanted!r}, in {where}"


def _compare_errors(expected: str, outcome: Outcome, where: str) -> None:
    patterns = expected.splitlines()
    raised = [f"{name}: {message}" for _, name, message in outcome.errors]
    assert len(patterns) == len(raised), f"{raised}\n{where}"
    for pattern, error in zip(patterns, raised, strict=True):
        assert re.match(pattern, error), f"{error}\n{where}"


if __name__ == "__main__":
    _serve(sys.argv[1:])
