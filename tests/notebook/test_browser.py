"""A real JupyterLab in a real browser: the inspector is live while a cell runs, and what it leaves behind is readable.

Screenshots are kept in the directory that RESONATE_NB_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab import Lab, LabPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SETUP = """%load_ext resonate_nb
import os, time
from pathlib import Path
import resonate_nb as rnb
from resonate_nb import durable
rnb.configure(store=STORE)

def wait_for(sign):
    while not Path(sign).exists():
        time.sleep(0.01)

@durable
def train(sign, fold):
    print("fold", fold)
    wait_for(sign)
    return {"fold": fold, "score": 0.81}

@durable(retry=rnb.Constant(5, delay=600), timeout="3h", tags={"team": "growth"})
def fetch(station):
    raise ConnectionError("the service answers 503")

@durable
def load(day):
    return list(range(day * 1000))

@durable
def clean(rows):
    raise KeyError("wind_gust")

for day in range(1, 7):
    load(day)
load(3)
try:
    clean([1, 2, 3])
except KeyError:
    pass"""
KNOWN = """import subprocess, sys
library = Path("site-packages/notalib/__init__.py")
library.parent.mkdir(parents=True)
library.write_text("__version__ = '3.1.2'\\ndef f(x): return x")
Path("report.py").write_text('''
import sys, time
sys.path.insert(0, "site-packages")
import notalib
import resonate_nb as rnb

class Archive:
    def __init__(self, path):
        self.path = path

    def __durable_fingerprint__(self):
        time.sleep(1.1)  # as if it read all of it
        return self.path

archive = Archive("/mnt/archive")

@rnb.durable
def report(name):
    return f"{notalib.f(name)} of {archive.path} {globals()[name]}"

rnb.configure(store=STORE)
report("archive")
''')
subprocess.run([sys.executable, "report.py"], check=True)
library.write_text("__version__ = '3.1.10'")
sys.path.insert(0, "site-packages")
import notalib"""
"""What its key does not see, passes over, or is slow at, there is to say of the promise of this."""
INSPECT, RUN, PID, WAIT, RETRY, SEEN = 1, 2, 3, 4, 5, 6


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from lab import browser

    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[Lab]:
    from lab import Lab

    for name in ("root", "home"):
        (folder / name).mkdir()
    lab = Lab(folder / "root", folder / "home", {})
    yield lab
    lab.close()


@pytest.fixture
def signs(tmp_path: Path) -> dict[str, Path]:
    """Files that a cell waits for: the test decides when the call ends and when the cell does."""
    return {name: tmp_path / name for name in ("call", "cell")}


@pytest.fixture
def opened(
    lab: Lab, chromium: Any, signs: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[LabPage]:
    """The notebook, open and set up, its inspector shown; nothing of it runs."""
    from lab import write_notebook

    name = f"{request.node.name}.ipynb"
    run = f"train({str(signs['call'])!r}, 1)\nwait_for({str(signs['cell'])!r})\nprint('cell ended')"
    wait = (
        "import threading\n"
        f"threading.Thread(target=train, args=({str(signs['call'])!r}, 2)).start()\n"
        f"while not rnb.search('train/*'):\n    time.sleep(0.01)\ntrain({str(signs['call'])!r}, 2)"
    )
    write_notebook(
        lab.root / name,
        [
            SETUP.replace("STORE", repr(str(tmp_path / "store"))),
            "rnb.inspect()",
            run,
            "print(os.getpid())",
            wait,
            "fetch('north')",
            KNOWN.replace("STORE", repr(str(tmp_path / "store"))),
        ],
    )
    page = chromium.new_page(viewport={"width": 1300, "height": 950}, device_scale_factor=2, reduced_motion="reduce")
    notebook = lab.open(page, name)
    notebook.run_and_wait(0)
    notebook.run_and_wait(INSPECT)
    page.wait_for_selector(".rnb-row[data-id]")
    yield notebook
    for sign in signs.values():
        sign.touch()
    page.close()


def picture(page: Any, name: str, tmp_path: Path) -> None:
    kept = Path(os.environ.get("RESONATE_NB_SCREENSHOTS") or tmp_path)
    kept.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(kept / f"{name}.png"))


def scroll_to_line(page: Any, text: str) -> None:
    """In one step: a line that counts is another element each second."""
    page.evaluate(
        """(text) => {
          const lines = [...document.querySelectorAll(".rnb-line")];
          lines.find((line) => line.textContent.includes(text)).scrollIntoView({ block: "center" });
        }""",
        text,
    )


def row(state: str) -> str:
    return f".rnb-row[data-id^='train/'][data-state='{state}']"


def test_promise_goes_from_running_to_resolved_while_the_cell_runs(
    opened: LabPage, signs: dict[str, Path], tmp_path: Path
) -> None:
    """Sync cell, kernel busy all the time: everything comes from the flusher's thread."""
    page = opened.page
    opened.run(RUN)
    page.wait_for_selector(row("running"))
    picture(page, "lab-running", tmp_path)
    page.locator(row("running")).click()
    assert "running for" in page.locator(".rnb-panel").inner_text()
    signs["call"].touch()
    page.wait_for_selector(row("resolved"))
    assert not opened.is_done(RUN), "the cell has ended: nothing is shown about a running one"
    assert page.locator(".rnb-chip[data-state='running']").inner_text().split() == ["running", "0"]
    signs["cell"].touch()
    opened.wait_until_done(RUN)
    # what the kernel could not answer while it was busy comes now
    page.locator(".rnb-panel", has_text="'score': 0.81").wait_for()
    panel = page.locator(".rnb-panel").inner_text()
    assert "fold" in panel
    assert "Waiting for the kernel" not in panel
    picture(page, "lab-resolved", tmp_path)
    opened.theme("JupyterLab Dark")
    page.wait_for_selector(".rnb[data-theme='dark']")
    picture(page, "lab-dark", tmp_path)


def test_the_live_widget_hides_the_static_table(opened: LabPage) -> None:
    static = opened.page.locator(".rnb-static")
    assert static.count() == 1
    assert not static.is_visible()
    assert ["text/html" in output.get("data", {}) for output in opened.outputs(INSPECT)] == [False, True]


def test_a_waiting_cell_has_one_line_that_counts(opened: LabPage, signs: dict[str, Path], tmp_path: Path) -> None:
    """The kernel is busy all the time: the line is rewritten by the thread that waits."""
    page = opened.page
    opened.run(WAIT)
    line = page.locator(".rnb-line", has_text="waiting for train/")
    line.wait_for()
    before = line.inner_text()
    page.wait_for_function(
        "(before) => ![...document.querySelectorAll('.rnb-line')].some((line) => line.textContent === before)",
        arg=before,
    )
    assert line.count() == 1
    awaited = page.locator(row("running"))
    awaited.locator(".rnb-note", has_text="this kernel waits for it").wait_for()
    assert awaited.locator(".rnb-c-owner").inner_text() == "this kernel"
    scroll_to_line(page, "waiting for train/")
    picture(page, "lab-waiting", tmp_path)
    assert not opened.is_done(WAIT)
    signs["call"].touch()
    opened.wait_until_done(WAIT)
    page.locator(".rnb-line", has_text="for another call in this process").wait_for()
    assert line.count() == 0
    texts = [text for output in opened.outputs(WAIT) if "waited" in (text := str(output.get("data", {})))]
    assert len(texts) == 1
    picture(page, "lab-waited", tmp_path)


def test_a_cell_between_two_tries_counts_down_and_stops(opened: LabPage, tmp_path: Path) -> None:
    page = opened.page
    opened.run(RETRY)
    row = page.locator(".rnb-row[data-id^='fetch/'][data-state='retrying']")
    row.wait_for()
    line = page.locator(".rnb-line", has_text="retrying in")
    line.wait_for()
    before = line.inner_text()
    page.wait_for_function(
        "(before) => ![...document.querySelectorAll('.rnb-line')].some((line) => line.textContent === before)",
        arg=before,
    )
    assert "retrying in 9 m" in row.locator(".rnb-note").inner_text()
    row.click()
    facts = page.locator(".rnb-facts").inner_text()
    assert "retrying in 9 m" in facts
    assert "times out in 2 h 59 m" in facts
    assert "503" in page.locator(".rnb-attempts").inner_text(), "of a busy kernel attempts come with the row"
    picture(page, "lab-retrying", tmp_path)
    scroll_to_line(page, "retrying in")
    picture(page, "lab-retrying-line", tmp_path)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    opened.wait_until_done(RETRY)
    page.locator(".rnb-row[data-id^='fetch/'][data-state='interrupted']").wait_for()
    assert line.count() == 0
    assert page.locator(".rnb-line", has_text="interrupted: its next call goes on to attempt 2").count() == 1
    assert "threading" not in str(opened.outputs(RETRY))
    page.locator(".rnb-attempts", has_text="failed").wait_for()
    picture(page, "lab-retry-interrupted", tmp_path)


def test_the_details_say_what_the_key_does_not_see_passes_over_and_is_slow_at(opened: LabPage, tmp_path: Path) -> None:
    """As `why` does."""
    page = opened.page
    opened.run_and_wait(SEEN)
    page.locator(".rnb-row[data-id^='report/'][data-state='resolved']").click()
    page.locator(".rnb-section-name", has_text="Slow to fingerprint").wait_for()
    sections = dict(text.split("\n", 1) for text in page.locator(".rnb-section").all_inner_texts())
    assert "globals()" in sections["Its key does not see"]
    assert "package notalib 3.1.2 → 3.1.10" == sections["Packages passed over"].strip()
    assert re.match(r"`archive` takes 1\.\d s at each call", sections["Slow to fingerprint"].strip())
    page.locator(".rnb-section").last.scroll_into_view_if_needed()
    picture(page, "lab-known", tmp_path)


def test_keys_pressed_in_the_table_do_not_reach_the_notebook(opened: LabPage) -> None:
    """d d deletes a cell, and b makes one."""
    page = opened.page
    before = [opened.outputs(INSPECT), page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length")]
    page.locator(".rnb-space .rnb-row").first.click()
    for key in ("ArrowDown", "d", "d", "b", "Escape", "/"):
        page.keyboard.press(key)
    page.keyboard.type("load/")
    page.locator(".rnb-foot-text", has_text="6 of 7 promises").wait_for()
    after = [opened.outputs(INSPECT), page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length")]
    assert after == before


def test_reloaded_page_is_live_again(opened: LabPage, signs: dict[str, Path]) -> None:
    page = opened.page
    opened.save()
    page.reload()
    opened.wait_until_ready()
    page.wait_for_selector(".rnb-row[data-id^='load/']")
    opened.run(RUN)
    page.wait_for_selector(row("running"))
    assert not opened.is_done(RUN)


def test_kernel_killed_in_the_middle_of_a_cell_leaves_a_readable_table(opened: LabPage, tmp_path: Path) -> None:
    """The open page says that the kernel is gone; a reloaded one shows the static table, as recent as it can be."""
    page = opened.page
    opened.run_and_wait(PID)
    opened.run(RUN)
    page.wait_for_function(
        """(number) => JSON.stringify(
          window.jupyterapp.shell.currentWidget.content.model.cells.get(number).outputs.toJSON()
        ).includes("train/")""",
        arg=INSPECT,
    )
    assert not opened.is_done(RUN), "the static table was to be written while the cell runs"
    assert not page.locator(".rnb-static").is_visible()
    opened.save()
    os.kill(int(opened.text(PID)), signal.SIGKILL)
    page.get_by_role("button", name="Ok").click()
    page.locator(".rnb-live", has_text="kernel gone").wait_for()
    assert page.locator(".rnb-space .rnb-row:not([hidden])").count() == 8
    page.reload()
    opened.wait_until_ready()
    page.locator(".rnb-static", has_text="train/").wait_for()
    text = page.locator(".rnb-static").inner_text()
    assert "8 promises: 1 rejected, 1 running, 6 resolved" in text
    assert "KeyError: 'wind_gust'" in text
    assert page.locator(".rnb").count() == 0
    page.locator(".rnb-static").scroll_into_view_if_needed()
    picture(page, "lab-killed", tmp_path)
