"""Programs of this folder, as processes of their own over a store of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from others import HANG_SECONDS
from torture_steps import lines_of

HERE = Path(__file__).parent


class Tortured:
    """A store, a log, and programs of this folder that work on them."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self._log = folder / "log"
        self._started: list[subprocess.Popen[str]] = []

    @property
    def lines(self) -> list[list[str]]:
        """What the processes have written into their log, in order, each line in words."""
        return lines_of(self._log)

    def runs(self, name: str) -> list[int]:
        """The arguments for which bodies of this function have begun, in order."""
        return [int(words[2]) for words in self.lines if words[:2] == ["run", name]]

    def start(self, program: str, *words: object) -> subprocess.Popen[str]:
        """Talks by lines: its output and what it is told."""
        process = subprocess.Popen(
            [sys.executable, str(HERE / program), *map(str, words)],
            cwd=self.store.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "RESONATE_NB_KEY": "tests",
                "RESONATE_NB_STORE": str(self.store),
                "TORTURE_LOG": str(self._log),
            },
        )
        self._started.append(process)
        return process

    def run(self, program: str, *words: object) -> str:
        """What it said to its end, which must be a good one."""
        return self.end(self.start(program, *words))

    def end(self, process: subprocess.Popen[str], last_word: str = "") -> str:
        """Tells it this, and reads what it says to its end, which must be a good one."""
        said, errors = process.communicate(last_word, timeout=2 * HANG_SECONDS)
        # What the package says of each call is not what went wrong.
        assert 0 == process.returncode, "\n".join(
            line for line in errors.splitlines() if not line.startswith("[resonate_nb]")
        )
        return said

    def kill_what_is_left(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
