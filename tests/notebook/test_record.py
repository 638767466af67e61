"""The display of a cell: reduced to what is left to see, recorded while it streams, shown again equal."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from kernel import Kernel

from resonate_nb.notebook import _reel
from resonate_nb.notebook._record import Recorder, show, show_mark
from resonate_nb.notebook._reel import Reel, from_bytes, to_bytes

WIDGET = "application/vnd.jupyter.widget-view+json"


def texts(reel: Reel) -> list[tuple[str, str]]:
    return [(o["name"], o["text"]) for o in reel.outputs() if o["output_type"] == "stream"]


def test_text_of_one_stream_is_one_text() -> None:
    reel = Reel()
    for name, text in [("stdout", "a"), ("stdout", "b\n"), ("stderr", "e"), ("stdout", "c"), ("stdout", "")]:
        reel.stream(name, text)
    assert texts(reel) == [("stdout", "ab\n"), ("stderr", "e"), ("stdout", "c")]


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["\r 0%", "\r 50%", "\r100%", "\n"], "100%\n"),
        (["abcdef\rxy"], "xycdef"),
        (["abc", "\r", "x"], "xbc"),
        (["a\r\nb\r\n"], "a\nb\n"),
        (["half\r"], "half"),
        (["one\n", "\rtwo\rTWO\n three"], "one\nTWO\n three"),
    ],
)
def test_a_rewritten_line_is_what_it_was_last(pieces: list[str], shown: str) -> None:
    reel = Reel()
    for piece in pieces:
        reel.stream("stderr", piece)
    assert texts(reel) == [("stderr", shown)]


def test_clear_takes_away_what_was_shown() -> None:
    reel = Reel()
    reel.stream("stdout", "1")
    reel.clear(wait=False)
    assert reel.outputs() == []
    reel.stream("stdout", "2")
    reel.clear(wait=True)
    assert texts(reel) == [("stdout", "2")]  # nothing came after: a page still shows it
    reel.display({"text/plain": "3"})
    assert [o["output_type"] for o in reel.outputs()] == ["display_data"]


def test_an_update_replaces_and_one_of_an_earlier_cell_stays_an_update() -> None:
    reel = Reel()
    reel.display({"text/plain": "old"}, display_id="d")
    reel.stream("stdout", "x")
    reel.update("d", {"text/plain": "new"})
    reel.update("earlier", {"text/plain": "late"})
    reel.clear(wait=False)
    reel.display({"text/plain": "after"}, display_id="d")
    reel.update("d", {"text/plain": "newest"})
    assert [(o["output_type"], o["data"]["text/plain"], o["transient"]["display_id"]) for o in reel.outputs()] == [
        ("update_display_data", "late", "earlier"),
        ("display_data", "newest", "d"),
    ]


def test_lines_of_ours_are_no_part_of_a_display_however_often_they_are_rewritten() -> None:
    reel = Reel()
    reel.display({"text/plain": "waiting"}, {"resonate_nb": "line"}, display_id="ours")
    reel.update("ours", {"text/plain": "waited"}, {"resonate_nb": "line"})
    assert reel.outputs() == []


def test_widgets_leave_their_text_behind() -> None:
    reel = Reel()
    reel.display({WIDGET: {"model_id": "m1"}, "text/plain": "bar 0/3"})
    reel.display({WIDGET: {"model_id": "m2"}, "text/plain": "gone"})
    reel.display({WIDGET: {"model_id": "m1"}, "text/plain": "x", "text/html": "<p>"})
    shown = [o["data"] for o in reel.outputs({"m1": "bar 3/3"}.get)]
    assert shown == [{"text/plain": "bar 3/3"}, {"text/plain": "gone"}, {"text/plain": "x", "text/html": "<p>"}]


def test_long_text_loses_its_middle_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reel, "TEXT_CHARACTERS", 100)
    reel = Reel()
    for i in range(100):
        reel.stream("stdout", f"line {i:02}\n")
    (text,) = [text for _, text in texts(reel)]
    assert text.startswith("line 00\n")
    assert text.endswith("line 99\n")
    head, note, last = re.split(r"(\n\[… .* …\]\n)", text)
    assert len(head) + len(last) + int(re.sub(r"\D", "", note)) == 800
    assert len(head) + len(last) < 120


def test_too_much_in_all_is_counted_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reel, "TOTAL_CHARACTERS", 100)
    reel = Reel()
    reel.display({"text/plain": "x" * 90})
    reel.display({"image/png": "y" * 50})
    reel.stream("stdout", "z" * 5)
    assert [o["output_type"] for o in reel.outputs()] == ["display_data", "stream", "stream"]
    assert "50 characters of output not recorded" in reel.outputs()[-1]["text"]


def test_bytes_both_ways() -> None:
    reel = Reel()
    reel.stream("stdout", "ä\ud800")
    reel.display({"image/png": b"\x89PNG", "application/json": {"a": [1]}}, {"image/png": {"width": 3}}, display_id="d")
    reel.display({"text/plain": "5"}, is_result=True)
    back = from_bytes(to_bytes(reel.outputs()))
    assert back[1:] == reel.outputs()[1:]
    assert back[1]["data"]["image/png"] == "iVBORw=="
    assert back[0]["text"] == "ä?"
    with pytest.raises(ValueError, match="recorded display"):
        from_bytes(b"{}")


@pytest.fixture
def shell() -> Any:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()


def test_in_plain_ipython_writers_are_listened_to(shell: Any) -> None:
    """Displays are printed there; they are recorded as displays, and once."""
    shell.user_ns["Recorder"] = Recorder
    live = io.StringIO()
    kept_write = live.write
    with contextlib.redirect_stdout(live):
        shell.run_cell(
            "import sys, threading\nfrom IPython.display import display\n"
            "with Recorder(get_ipython()) as r:\n"
            "    print('a')\n    display('shown')\n    h = display('first', display_id='i')\n    h.update('second')\n"
            "    t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
            "    sys.displayhook([1, 2])\n"
            "outputs = r.outputs()"
        )
    outputs = shell.user_ns["outputs"]
    assert [(o["output_type"], o.get("text") or o["data"]["text/plain"]) for o in outputs] == [
        ("stream", "a\n"),
        ("display_data", "'shown'"),
        ("display_data", "'second'"),
        ("stream", "thread\n"),
        ("execute_result", "[1, 2]"),
    ]
    assert "thread" in live.getvalue()
    assert "Out[" in live.getvalue()
    assert live.write == kept_write
    assert "publish" not in vars(shell.display_pub)
    again = io.StringIO()
    with contextlib.redirect_stdout(again):
        show_mark(shell, "replayed · 3 s saved")
        show(shell, outputs)
    assert again.getvalue().splitlines() == [
        "[replayed · 3 s saved]", "a", "'shown'", "'second'", "thread", "[1, 2]"
    ]  # fmt: skip


def test_other_threads_do_not_lose_text_while_one_displays(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is muted is the thread that prints a display, not the stream."""
    monkeypatch.setattr(sys, "displayhook", shell.displayhook)
    with contextlib.redirect_stdout(io.StringIO()), Recorder(shell) as recorder:
        inside = threading.Event()

        class Slow:
            def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
                worker = threading.Thread(target=lambda: (sys.stdout.write("meanwhile\n"), inside.set()))
                worker.start()
                assert inside.wait(60)
                worker.join()
                return {"text/plain": "slow"}

        sys.displayhook(Slow())
    assert [o.get("text") or o["data"]["text/plain"] for o in recorder.outputs()] == ["meanwhile\n", "slow"]


SETUP = """
from resonate_nb.notebook._record import Recorder, show, show_mark
from IPython.display import display, clear_output, HTML
import sys, os, threading, subprocess, logging
%matplotlib inline
import matplotlib.pyplot as plt
from tqdm import tqdm
from tqdm.notebook import tqdm as bar
ip = get_ipython()
"""

BODIES = {
    "streams": "print('a'); print('b'); print('e', file=sys.stderr); print('c')",
    "display and update": "h = display(HTML('<b>1</b>'), display_id=True)\nprint('x')\nh.update(HTML('<b>2</b>'))",
    "clear": "print('gone')\nclear_output(wait=True)\ndisplay(HTML('left'))\nprint('y')",
    "text bar": "for i in tqdm(range(50), ascii=True, bar_format='{l_bar}{n_fmt}'): pass",
    "thread and processes": "t = threading.Thread(target=print, args=('t',)); t.start(); t.join()\n"
    "os.write(1, b'low\\n'); subprocess.run(['echo', 'child']); logging.warning('logged')",
    "figure": "plt.plot([1, 2])\nplt.title('t')\nprint('after')",
    "last value": "print('x')\nsys.displayhook({'a': 1})",
}


def seen(outputs: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """What a reader sees; a last value shown again is a display."""
    folded = Reel()
    for output in outputs:
        if output["output_type"] == "stream":
            folded.stream(output["name"], output["text"])
        else:
            folded.display(output["data"])
    return [(o.get("name", "bundle"), o.get("text") or o["data"]) for o in folded.outputs()]


@pytest.mark.slow
def test_in_a_kernel_the_replay_shows_what_was_shown_live(tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        kernel.ok(SETUP)
        for name, body in BODIES.items():
            indented = "\n".join("    " + line for line in body.splitlines())
            live = kernel.ok(f"with Recorder(ip) as r:\n{indented}\nkept = r.outputs()")
            again = kernel.ok("show_mark(ip, 'replayed'); show(ip, kept)")
            assert again.outputs[0]["data"]["text/plain"] == "[replayed]", name
            assert seen(live.outputs) == seen(again.outputs[1:]), name
            assert live.outputs, name
        figure = kernel.ok("with Recorder(ip) as r:\n    fig, ax = plt.subplots(); ax.plot([1])\nkept = r.outputs()")
        assert len(figure.bundles("image/png")) == 1  # shown inside, and not again at the cell's end
        late = kernel.ok("with Recorder(ip) as r:\n    for i in bar(range(3)): pass\nkept = r.outputs(); len(kept)")
        assert "0/3" in late.bundles()[0]
        assert "3/3" in kernel.ok("show(ip, kept)").bundles()[0]
        assert kernel.value("'send' in vars(ip.kernel.session)") is False


@pytest.mark.slow
def test_what_comes_after_the_body_is_not_recorded(tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        kernel.ok(SETUP)
        ran = kernel.ok("print('before')\nwith Recorder(ip) as r:\n    print('in')\nprint('after')\nkept = r.outputs()")
        assert ran.text() == "before\nin\nafter\n"
        assert kernel.value("[o['text'] for o in kept]") == ["in\n"]
        broken = kernel.run("with Recorder(ip) as r:\n    print('in')\n    1 / 0")
        assert broken.error == ("ZeroDivisionError", "division by zero")
        assert kernel.value("[o['text'] for o in r.outputs()]") == ["in\n"]
        assert kernel.value("'send' in vars(ip.kernel.session)") is False
