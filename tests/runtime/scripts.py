"""One working directory with its store: each script that runs in it is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

HEAD = """
import asyncio, os, signal, sys
import resonate_nb as rnb
from resonate_nb import durable

rnb.configure(durability="process")

def note(line):
    with open("runs.log", "a") as log:
        log.write(f"{line}\\n")
"""


class Scripts:
    """What `note` was given in them, in order, is in `notes`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, body: str, *arguments: str) -> subprocess.Popen[str]:
        # A file for each text, written once: another process may be about to read it.
        script = self.path / f"script{zlib.crc32(body.encode())}.py"
        if not script.exists():
            script.write_text(HEAD + body)
        return subprocess.Popen(
            [sys.executable, script.name, *arguments],
            cwd=self.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),  # the package beside these tests
                "RESONATE_NB_KEY": "tests",
                "RESONATE_NB_STORE": str(self.path / "store"),
            },
        )

    def run(self, body: str, *arguments: str, ends: int = 0) -> tuple[str, str]:
        """What it wrote to stdout and stderr, once it has ended with this return code."""
        process = self.start(body, *arguments)
        out, err = process.communicate("\n", timeout=300)
        assert ends == process.returncode, err
        return out, err

    @property
    def notes(self) -> list[str]:
        log = self.path / "runs.log"
        return log.read_text().splitlines() if log.exists() else []
