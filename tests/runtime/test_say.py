"""Lines and warnings: at the user's line, and never silent by accident."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import AcquireTask, Claim, CreatePromise, Promise, ReleaseTask
from resonate_nb.runtime import Engine, Line, duration, live, log_call, say, speak_on
from resonate_nb.runtime._whom import Telling

pytestmark = pytest.mark.usefixtures("engine")


def unstorable():
    @durable
    def lines():
        return (letter for letter in "ab")

    return lines


def test_a_warning_points_at_the_users_line():
    lines = unstorable()
    with pytest.warns(rnb.DurableWarning) as caught:
        lines()
    here = sys._getframe().f_lineno - 1
    assert (__file__, here) == (caught[0].filename, caught[0].lineno)


@pytest.mark.parametrize(
    ("category", "is_said"), [(Warning, True), (UserWarning, True), (rnb.DurableWarning, False)], ids=str
)
def test_only_a_filter_that_names_our_warnings_silences_them(
    category: type[Warning], is_said: bool, caplog: pytest.LogCaptureFixture
):
    lines = unstorable()
    with warnings.catch_warnings(), caplog.at_level("INFO", "resonate_nb"):
        warnings.simplefilter("ignore", category)
        lines()
    assert is_said == any("not stored" in line for line in caplog.messages)


def test_why_it_runs_again_is_not_said_once_more_after_the_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    @durable(version=1)
    def change(table):
        table["here"] = 1

    with caplog.at_level("INFO", "resonate_nb"):
        change({})
        monkeypatch.setattr("resonate_nb.runtime._say._said", set())  # as in the next session
        change({})
    said = [line.partition("change")[2] for line in caplog.messages]
    assert [
        " is not replayable: it changed its argument `table` in place",
        ": runs again, the last run is not replayable: changed its argument `table` in place",
    ] == said


def test_that_a_call_timed_out_last_time_is_said_in_words(clock: ManualClock, said: list[str]):
    @durable(timeout=60, ignore=("clock",))
    def late():
        clock.advance(60_000)

    for _ in range(2):
        with pytest.raises(rnb.DurableTimeoutError):
            late()
    again = [line.partition("late: ")[2] for line in said if "runs again" in line]
    assert ["runs again, it timed out last time"] == again


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (85.4, "85 ms"),
        (999, "999 ms"),
        (4200, "4.2 s"),
        (41_300, "41 s"),
        (192_000, "3 m 12 s"),
        (7_500_000, "2 h 05 m"),
    ],
)
def test_durations_are_for_people(milliseconds: float, text: str):
    assert text == duration(milliseconds)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arranged", "is_said"),
    [
        ("", True),
        ("logging.basicConfig()", True),
        ("logging.basicConfig(level='INFO')", True),
        ("logging.basicConfig(); logging.getLogger('resonate_nb').setLevel('WARNING')", False),
        ("logging.getLogger('resonate_nb').addHandler(logging.NullHandler())", False),
        ("logging.basicConfig(); logging.getLogger('resonate_nb').addHandler(logging.NullHandler())", False),
        ("logging.getLogger('resonate_nb').addHandler(logging.StreamHandler())", True),
    ],
    ids=str,
)
def test_only_who_names_our_logger_makes_us_silent(arranged: str, is_said: bool, tmp_path: Path):
    """`logging.basicConfig()` hears warnings only, and libraries call it: that is no word about our lines."""
    text = f"import logging\n{arranged}\nfrom resonate_nb.runtime import say\nsay('one'); say('two')"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert [is_said] * 2 == [word in done.stderr for word in ("one", "two")]
    assert 2 * is_said == len(done.stderr.splitlines())


def told(arranged: str, tmp_path: Path) -> list[str]:
    """What a script says on stderr in which one line is said and two calls are logged."""
    text = (
        f"import logging\n{arranged}\nfrom resonate_nb.runtime import say, log_call\nsay('news')\n"
        "log_call('clean', 'clean/4be1@a9', 'hit', ms=3200)\n"
        "log_call('cell `x`', 'cell/4be1@a9', 'ran', 'code of `helper` changed', 41)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True)
    return done.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arranged", "mark"),
    [
        ("logging.getLogger('resonate_nb').setLevel('DEBUG')", "[resonate_nb] "),
        ("logging.basicConfig(format='%(message)s'); logging.getLogger('resonate_nb').setLevel('DEBUG')", ""),
        ("logging.basicConfig(level='DEBUG', format='%(name)s %(message)s')", "resonate_nb "),
    ],
    ids=["level alone", "level and basicConfig", "everything"],
)
def test_a_level_is_all_it_takes_to_hear_of_each_call_once(arranged: str, mark: str, tmp_path: Path):
    lines = ["news", "clean/4be1@a9: hit, 3.2 s saved", "cell `x` (cell/4be1@a9): ran, 41 ms: code of `helper` changed"]
    assert [f"{mark}{line}" for line in lines] == told(arranged, tmp_path)


@pytest.mark.slow
def test_calls_are_not_told_of_unless_asked_for(tmp_path: Path):
    assert ["[resonate_nb] news"] == told("", tmp_path)


def test_an_arrangement_that_comes_late_holds_and_nothing_is_said_twice(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    """Whoever speaks first must not change how the logger speaks from then on."""
    say("before")
    with caplog.at_level("DEBUG", "resonate_nb"):
        say("after")
        log_call("f", "f/1@1", "ran", "first run", 12)
    say("again")
    assert ["after", "f/1@1: ran, 12 ms: first run"] == caplog.messages
    assert "[resonate_nb] before\n[resonate_nb] again\n" == capsys.readouterr().err


def test_a_disabled_logger_is_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """`logging.config` disables the loggers that it finds and does not name; `logging.disable` all of them."""
    logger = logging.getLogger("resonate_nb")
    monkeypatch.setattr(logger, "disabled", True)
    say("one")
    monkeypatch.setattr(logger, "disabled", False)
    logging.disable(logging.INFO)
    try:
        say("two")
        live("three").end()
    finally:
        logging.disable(logging.NOTSET)
    assert "" == capsys.readouterr().err


class Terminal(io.StringIO):
    """Keeps what is written, and shows what a person would see of it."""

    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> list[str]:
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for part in line.split("\r"):
                shown = part + shown[len(part) :]
            lines.append(shown.rstrip())
        return lines


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # Not a fixture: pytest puts its own stderr back between set-up and test.
    monkeypatch.setattr(sys, "stderr", found := Terminal())
    monkeypatch.setenv("COLUMNS", "82")  # two are left for what a pressed Ctrl-C writes
    return found


def test_in_a_terminal_a_live_line_is_one_line(monkeypatch: pytest.MonkeyPatch):
    terminal = a_terminal(monkeypatch)
    line = live("waiting for b: runs for 1.0 s")
    line.update("waiting for b: runs for 12 s")
    assert ["[resonate_nb] waiting for b: runs for 12 s"] == terminal.seen
    line.update("short")
    say("news")
    assert ["[resonate_nb] news", "[resonate_nb] short"] == terminal.seen
    line.end("waited 12 s")
    line.end("twice")
    say("more")
    assert ["[resonate_nb] news", "[resonate_nb] waited 12 s", "[resonate_nb] more", ""] == terminal.seen


def test_a_live_line_goes_without_a_trace_and_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch):
    terminal = a_terminal(monkeypatch)
    first = live("one")
    live("a second one is said").update("never seen")
    first.end()
    assert ["[resonate_nb] a second one is said", ""] == terminal.seen
    last = live("x" * 200)
    last.update("y" * 200)
    assert "[resonate_nb] " + "y" * 63 + "…y" == terminal.seen[-1]
    terminal.write("^C")
    assert 82 > len(terminal.seen[-1])
    last.end("waited")
    assert ["[resonate_nb] waited", ""] == terminal.seen[-2:]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        pytest.param(
            "waiting for slow/e291064…: runs in process 6363 on vm for 12 s; …",
            "waiting for slow/e291064d94c8b235@f457e4c1: runs in process 6363 on vm for 12 s; times out in 56 s",
            id="waiting",
        ),
        pytest.param(
            "fetch: attempt 1 of 5 failed, retrying in 12 s (HTTPStatusE…: 'h…",
            "fetch: attempt 1 of 5 failed, retrying in 12 s (HTTPStatusError: 'https://example.org/v1/items?page=17')",
            id="retrying",
        ),
    ],
)
def test_the_seconds_of_a_line_that_is_too_long_for_the_terminal_are_seen(
    monkeypatch: pytest.MonkeyPatch, shown: str, text: str
):
    """An id of ours alone fills half of it."""
    terminal = a_terminal(monkeypatch)
    line = live("short")
    line.update(text)
    seen = terminal.seen
    line.end()
    assert [f"[resonate_nb] {shown}"] == seen


def test_elsewhere_a_live_line_is_said_once(capsys: pytest.CaptureFixture[str]):
    line = live("waiting")
    line.update("still waiting")
    line.end("waited")
    assert "[resonate_nb] waiting\n" == capsys.readouterr().err


def test_a_page_that_can_rewrite_lines_gets_them(capsys: pytest.CaptureFixture[str]):
    seen: list[str | None] = []

    class OnPage:
        update = end = staticmethod(seen.append)

    def begin(text: str) -> OnPage | None:
        seen.append(text)
        return OnPage() if "here" in text else None

    speak_on(lambda line: False, begin)
    try:
        line = live("here")
        line.update("two")
        line.end(None)
        line.end("again")
        live("off").end("done")
    finally:
        speak_on(None)
    assert ["[resonate_nb] here", "[resonate_nb] two", None, "[resonate_nb] off"] == seen
    assert "[resonate_nb] off\n" == capsys.readouterr().err


class Lines:
    """A page that keeps what each of its lines has read."""

    def __init__(self) -> None:
        self.lines: list[list[str | None]] = []

    def begin(self, text: str) -> Line:
        texts: list[str | None] = [text]
        self.lines.append(texts)

        class OnPage:
            update = end = staticmethod(texts.append)

        return OnPage()


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    speak_on(lambda line: True, found.begin)
    yield found
    speak_on(None)


@pytest.fixture
def clock(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    found = ManualClock(1_000_000)
    monkeypatch.setattr(engine, "clock", found)
    return found


def waited_for(engine: Engine, *ids: str) -> list[Promise]:
    """Promises that run under another process."""
    claims = [CreatePromise(id, claim=Claim("lab-7-4711-0a1b2c3d", 10**9)) for id in ids]
    return [reply.promise for reply in engine.submit(claims) if reply.promise is not None]


def test_a_wait_is_told_from_its_first_second_on(engine: Engine, clock: ManualClock, lines: Lines):
    (promise,) = waited_for(engine, "busy/1@1")
    short, long = Telling(engine, "busy/1@1", "busy"), Telling(engine, "busy/1@1", "cell `x`")
    clock.advance(999)
    assert [False, False] == [telling.look(promise) for telling in (short, long)]
    short.end()
    assert [] == lines.lines
    for advance in (1, 500, 600, 1_000):
        clock.advance(advance)
        long.look(promise)
    long.end()
    about = "[resonate_nb] cell `x`: "
    told = [f"{about}waiting for busy/1@1: runs in process 4711 on lab-7 for {s}" for s in ("1.0 s", "2.1 s", "3.1 s")]
    assert [[*told, f"{about}waited 3.1 s for process 4711"]] == lines.lines


def test_waits_for_one_process_share_a_line(engine: Engine, clock: ManualClock, lines: Lines):
    """A hundred awaited calls would put a hundred lines under a cell."""
    promises = waited_for(engine, "f/1@1", "f/2@1", "f/3@1")
    first, second, third = tellings = [Telling(engine, promise.id, "f") for promise in promises]

    def second_passes() -> None:
        clock.advance(1_000)
        for telling, promise in zip(tellings, promises, strict=True):
            telling.look(promise)

    second_passes()
    second_passes()
    first.end()
    tellings.remove(first), promises.pop(0)
    second_passes()
    second.end()
    third.end()
    runs = "runs in process 4711 on lab-7 for"
    assert [
        [
            f"[resonate_nb] waiting for f/1@1: {runs} 1.0 s",
            f"[resonate_nb] waiting for f/1@1: {runs} 2.0 s (and 2 more)",
            f"[resonate_nb] waiting for f/2@1: {runs} 3.0 s (and 1 more)",
            "[resonate_nb] waited 3.0 s for process 4711 (3 promises)",
        ]
    ] == lines.lines


def test_another_owner_is_another_line(engine: Engine, clock: ManualClock, lines: Lines):
    (promise,) = waited_for(engine, "f/1@1")
    telling = Telling(engine, promise.id)
    clock.advance(1_000)
    telling.look(promise)
    clock.advance(1_000)
    engine.submit([ReleaseTask(promise.id, 1), AcquireTask(promise.id, 1, Claim("lab-8-5-0a1b2c3d", 10**9))])
    telling.look(engine.peek([promise.id])[0] or promise)
    telling.end()
    assert ["[resonate_nb] waited 2.0 s for process 4711", "[resonate_nb] waited 2.0 s for process 5"] == [
        texts[-1] for texts in lines.lines
    ]


class Broken(logging.Handler):
    """A handler that somebody has written in a hurry."""

    def emit(self, record: logging.LogRecord) -> None:
        raise KeyError("nobody")


def test_a_handler_that_raises_costs_no_value(capsys: pytest.CaptureFixture[str]):
    """What is said comes between the end of a body and the storing of its value; and it is said all the same."""

    @durable
    def change(table):
        table["here"] = 1
        return 7

    handler = Broken()
    logging.getLogger("resonate_nb").addHandler(handler)
    try:
        assert 7 == change({})
    finally:
        logging.getLogger("resonate_nb").removeHandler(handler)
    handle = change.get({})
    assert handle is not None
    assert 7 == handle.result()
    assert "not replayable" in (err := capsys.readouterr().err)
    assert "raised KeyError" in err


class Nothing:
    """Stands for a stream, and is none."""

    def write(self, text: str) -> None:
        raise RuntimeError(text)


def test_a_stream_that_is_none_costs_no_value(monkeypatch: pytest.MonkeyPatch):
    @durable
    def change(table):
        table["there"] = 1
        return 7

    monkeypatch.setattr(sys, "stderr", Nothing())
    assert 7 == change({})
    handle = change.get({})
    assert handle is not None
    assert 7 == handle.result()
