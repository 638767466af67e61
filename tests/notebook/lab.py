"""A real JupyterLab in a real browser: what the browser tests drive. Debian's chromium through Playwright."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
PATIENCE_MS = 60_000
"""How long a test waits for a sign of the page before it has failed."""

_URL = re.compile(r"http://127\.0\.0\.1:(\d+)/")


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless chromium with a profile of its own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells that names its kernel: without one JupyterLab asks, and a test would wait for ever."""
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(notebook), "utf-8")


class Lab:
    """A JupyterLab on a free loopback port that serves one directory, with a home and settings of its own."""

    def __init__(self, root: Path, home: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.token = secrets.token_hex(16)
        self.log: list[str] = []
        self._url: str | None = None
        self._heard = threading.Event()
        self._gone = threading.Event()
        settings = home / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        # or a question about news covers a corner of the page
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        places = {name: str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"),
                *(f"--IdentityProvider.token={self.token}", "--LabApp.expose_app_in_browser=True"),
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={
                **os.environ,
                "HOME": str(home),
                "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
                "IPYTHONDIR": str(home / "ipython"),
                **{f"JUPYTER_{name}_DIR": place for name, place in places.items()},
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read_log, name="log of jupyterlab", daemon=True).start()

    def _read_log(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if self._url is None and (found := _URL.search(line)) and found[1] != "0":
                self._url = found[0]
            if "Use Control-C" in line:
                self._heard.set()
        self._heard.set()
        self._gone.set()

    @property
    def url(self) -> str:
        """Where it listens; it does listen when this returns."""
        self._heard.wait(PATIENCE_MS / 1000)
        refused: object = None
        for _ in range(100):
            if self._url is None or self._process.poll() is not None:
                break
            try:
                with urlopen(f"{self._url}api", timeout=PATIENCE_MS / 1000):
                    return self._url
            except URLError as error:  # it says where it will listen a moment before it does
                refused = error
                self._gone.wait(0.1)
        raise AssertionError(f"JupyterLab did not start ({refused}):\n" + "".join(self.log[-40:]))

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def open(self, page: Page, notebook: str) -> LabPage:
        page.goto(f"{self.url}lab/tree/{notebook}?token={self.token}&reset", timeout=PATIENCE_MS)
        opened = LabPage(page)
        opened.wait_until_ready()
        return opened


class LabPage:
    """A notebook open in JupyterLab, read through its model rather than scraped."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def wait_until_ready(self) -> None:
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp?.shell?.currentWidget;
              const kernel = panel?.sessionContext?.session?.kernel;
              return panel?.content?.model?.cells?.length > 0 && kernel?.status === "idle";
            }""",
            timeout=PATIENCE_MS,
        )

    def run(self, number: int) -> None:
        """Begin to run a cell; returns at once."""
        self.page.evaluate(
            """(number) => {
              const panel = window.jupyterapp.shell.currentWidget;
              panel.content.activeCellIndex = number;
              void window.jupyterapp.commands.execute("notebook:run-cell");
            }""",
            number,
        )

    def wait_until_done(self, number: int) -> None:
        """The cell has ended, and its output is there."""
        self.page.wait_for_function(
            """(number) => {
              const cell = window.jupyterapp.shell.currentWidget.content.model.cells.get(number);
              return cell.executionCount !== null && cell.executionState !== "running";
            }""",
            arg=number,
            timeout=PATIENCE_MS,
        )

    def run_and_wait(self, number: int) -> None:
        self.run(number)
        self.wait_until_done(number)

    def is_done(self, number: int) -> bool:
        return bool(self._cell(number, "cell.executionCount !== null"))

    def outputs(self, number: int) -> list[dict[str, Any]]:
        """The cell's outputs as the notebook would save them."""
        return list(self._cell(number, "cell.outputs.toJSON()"))

    def _cell(self, number: int, wanted: str) -> Any:
        return self.page.evaluate(
            f"""(number) => {{
              const cell = window.jupyterapp.shell.currentWidget.content.model.cells.get(number);
              return {wanted};
            }}""",
            number,
        )

    def text(self, number: int) -> str:
        """What the cell has printed."""
        return "".join(
            text if isinstance(text := output["text"], str) else "".join(text)
            for output in self.outputs(number)
            if output["output_type"] == "stream"
        )

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def theme(self, name: str) -> None:
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        is_light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{is_light}']", state="attached", timeout=PATIENCE_MS)
