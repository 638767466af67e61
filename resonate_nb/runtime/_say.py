"""One way to speak to the user: lines on the logger ``resonate_nb``, and warnings that point at the user's code.

Three things are told: what is news (`say`, level INFO), one line a call with why it ran or not (`log_call`, level
DEBUG), and a wait while it lasts (`live`). Whoever wants the line of each call writes

    logging.getLogger("resonate_nb").setLevel("DEBUG")

in a notebook or a script; nothing more is needed. A level WARNING makes all lines silent.

Who shows them: handlers that somebody gave our logger; else those of the root logger, where somebody set a level that
reaches us (`logging.basicConfig(level="INFO")`, pytest's caplog); else we ourselves, on the page of a notebook
(`speak_on`) or on stderr. The logger is never changed by us: an arrangement that comes later holds from then on, and
no line is shown twice.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Protocol, TextIO

from resonate_nb.errors import DurableWarning
from resonate_nb.forks import held_over_forks
from resonate_nb.frames import PACKAGE

logger = logging.getLogger("resonate_nb")
is_logged = logger.isEnabledFor
"""Whether lines of a level are wanted; `is_logged(DEBUG)` is all that a call costs while nobody wants them."""
DEBUG = logging.DEBUG

_NOTEBOOK = os.path.join(PACKAGE, "notebook", "")
_said: set[tuple[str, str]] = set()
_lock = held_over_forks(threading.RLock())


class Line(Protocol):
    """A line that is rewritten in place while something lasts."""

    def update(self, text: str) -> None:
        """The line reads so now, where lines can be rewritten."""
        ...

    def end(self, text: str | None = None) -> None:
        """It is over: this text stays, or nothing. Idempotent."""
        ...


Page = Callable[[str], bool]
"""Shows a line where people read the others, and says whether it could."""
LivePage = Callable[[str], "Line | None"]
"""Shows a line that lives; None where it could not."""

_page: Page | None = None
_live_page: LivePage | None = None


def speak_on(page: Page | None, live_page: LivePage | None = None) -> None:
    """From here on our lines are shown by these functions, and on stderr only where they cannot; None undoes it."""
    global _page, _live_page
    _page, _live_page = page, live_page


@contextmanager
def unsaid() -> Iterator[None]:
    """Nothing is said or warned of while the block runs in this context, nor does it count as said."""
    token = _is_unsaid.set(True)
    try:
        yield
    finally:
        _is_unsaid.reset(token)


_is_unsaid: ContextVar[bool] = ContextVar("resonate_nb_unsaid", default=False)


def say(text: str, *, once: bool = False, about: str = "") -> None:
    """Say one line. With `once`, the same text about the same thing is said once in this process."""
    if _is_unsaid.get():
        return
    text = _encodable(text)
    if once and not _first(about, text):
        return
    _tell(logging.INFO, text)


def log_call(title: str, id: str, outcome: str, why: str = "", ms: float | None = None) -> None:
    """One line at DEBUG: what became of a call, how long it took, and why.

    ``clean/4be1…@a91c03f7: hit, 3.2 s saved`` · ``…: ran, 3.2 s: first run`` · ``…: ran, 41 ms: code of `helper`
    changed`` · ``…: raised KeyError, attempt 2 of 5, retrying in 12 s``

    Args:
        title: how messages call the function or cell.
        id: of the promise; empty for a call that runs plainly.
        outcome: ``hit``, ``ran``, ``raised KeyError``, ``waited for process 4711``, …
        why: the reason, where there is one.
        ms: how long that took; for a hit, what it saved.
    """
    if not is_logged(DEBUG):
        return
    subject = id if tells(id, title) else f"{title} ({id})" if id else title
    took = "" if ms is None else f", {duration(ms)}"
    saved = " saved" if took and outcome == "hit" else ""
    _tell(DEBUG, _encodable(f"{subject}: {outcome}{took}{saved}{f': {why}' if why else ''}"))


def tells(id: str, title: str) -> bool:
    """Whether an id says by itself whose promise it is."""
    return any(f"{title}{mark}" in id for mark in "/@")


def live(text: str) -> Line:
    """A line that says so, and goes on saying what it is told (`update`, `end`) where lines can be rewritten.

    That is on a page and in a terminal. Elsewhere (a file, the user's own handlers) `text` is said once, and what
    comes after it is not shown.
    """
    text = _encodable(text)
    if not _is_wanted(logging.INFO):
        return _Once()
    if not _is_arranged():
        if _live_page is not None and (line := _live_page(f"{_MARK}{text}")) is not None:
            return _Marked(line)
        if (terminal := _TerminalLine.begin(f"{_MARK}{text}")) is not None:
            return _Marked(terminal)
    _tell(logging.INFO, text)
    return _Once()


def warn(text: str, *, once: bool = False, about: str = "") -> None:
    """Warn, at the nearest line that is not ours. With `once`, once per process for the same thing and text.

    Under a filter that ignores all warnings, as many notebooks set it against the chatter of libraries, the text is
    said as a line instead: what we warn of is never silent. A filter that names DurableWarning is obeyed.
    """
    if _is_unsaid.get():
        return
    text = _encodable(text)
    if once and not _first(about, text):
        return
    if _is_ignored_with_all_others():
        say(text)
        return
    level = 1
    frame = sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_code.co_filename.startswith(_NOTEBOOK):
            # A magic called us: the line above is IPython's, and says nothing; the text names the cell.
            warnings.warn_explicit(DurableWarning(text), DurableWarning, "resonate_nb", 1)
            return
        level += 1
        above = frame.f_back
        if above is None:
            break
        frame = above
    warnings.warn(DurableWarning(text), stacklevel=level)


_MARK = "[resonate_nb] "


def _is_wanted(level: int) -> bool:
    """Whether lines of this level are shown at all: a logger that nobody gave a level shows what is said."""
    if logger.isEnabledFor(level):
        return True
    return level >= logging.INFO and not (logger.level or logger.disabled or logger.manager.disable >= level)


def _is_arranged() -> bool:
    """Whether somebody has arranged for our lines.

    Root handlers that hear warnings only (`logging.basicConfig()`, which many libraries call) are no arrangement: who
    added them has not thought of us, and would make us silent.
    """
    if logger.handlers:
        return True
    return bool(logging.getLogger().handlers) and bool(logger.level or logger.isEnabledFor(logging.INFO))


def _tell(level: int, text: str) -> None:
    """Show the line. What shows it may be the user's, and may fail: a call and its value do not, for that."""
    if not _is_wanted(level):
        return
    try:
        _show(level, text)
    except Exception as error:
        _write(f"{_MARK}{text} (what was to show this line raised {type(error).__name__})\n")


def _show(level: int, text: str) -> None:
    record = logger.makeRecord(logger.name, level, __file__, 0, "%s", (text,), None)
    if logger.isEnabledFor(level) and _is_arranged():
        logger.handle(record)
    elif not logger.filter(record):
        return
    elif logger.handlers:
        # Nobody gave us a level: what is said is for the handlers that are ours, and below the level of all others.
        for handler in logger.handlers:
            if level >= handler.level:
                handler.handle(record)
    else:
        line = f"{_MARK}{text}"
        # Lines of every call may be thousands a second: a server drops displays at that rate, and bundles text.
        if level < logging.INFO or _page is None or not _page(line):
            _write(f"{line}\n")


def _write(text: str) -> None:
    # To whatever `sys.stderr` is when it is said: kernels replace it.
    stream = sys.stderr
    if stream is None:
        return
    # A line that nobody can read (stderr is on a full disk, was closed, or something else stands for it that does not
    # work) is not worth a value.
    with _drawing, suppress(Exception):
        if (line := _TerminalLine.shown) is not None:
            line.erase()
        stream.write(text)
        if line is not None:
            line.draw()
        stream.flush()


_drawing = threading.RLock()


def _draw_anew() -> None:
    """In a forked child: another thread of the parent may be drawing, and a line that is shown is the parent's."""
    global _drawing
    _drawing = threading.RLock()
    _TerminalLine.shown = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw_anew)


class _Once:
    """A line that cannot be rewritten: what it says was said when it began."""

    def update(self, text: str) -> None:
        return

    def end(self, text: str | None = None) -> None:
        return


class _Marked:
    """Puts our mark before every text, and ends a line once."""

    def __init__(self, line: Line) -> None:
        self._line: Line | None = line

    def update(self, text: str) -> None:
        if self._line is not None:
            self._line.update(_MARK + _encodable(text))

    def end(self, text: str | None = None) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.end(None if text is None else _MARK + _encodable(text))


class _TerminalLine:
    """The last line of a terminal, written over again and again. A terminal has one: a second wait is said once."""

    shown: _TerminalLine | None = None

    def __init__(self, stream: TextIO, text: str) -> None:
        self._stream = stream
        self._text = text
        self._width = 0
        """Columns that are written on."""

    @classmethod
    def begin(cls, text: str) -> _TerminalLine | None:
        """The line is there; None where stderr is no terminal, or its last line is taken."""
        stream = sys.stderr
        with _drawing:
            if cls.shown is not None or stream is None or not stream.isatty():
                return None
            line = cls.shown = cls(stream, text)
            line.draw()
            return line

    def update(self, text: str) -> None:
        with _drawing:
            self._text = text
            self.draw()

    def end(self, text: str | None = None) -> None:
        with _drawing:
            type(self).shown = None
            self.erase()
            if text is not None:
                self._put(f"{text}\n")

    def draw(self) -> None:
        import shutil  # only a terminal that shows a wait needs it

        # A line that wraps cannot be written over, and a terminal adds ^C when that is pressed.
        columns = shutil.get_terminal_size().columns - 1 - len(_ECHO)
        text = _fitted(self._text, columns)
        self._put(f"\r{text}{' ' * (self._width - len(text))}")
        self._width = len(text)

    def erase(self) -> None:
        self._put(f"\r{' ' * (self._width + len(_ECHO))}\r")
        self._width = 0

    def _put(self, text: str) -> None:
        # Past a `write` that was set on the stream itself: so does a durable cell record its display in a terminal.
        write = getattr(type(self._stream), "write", None)
        with suppress(Exception):  # a terminal that is gone is not worth a value
            if write is None:
                self._stream.write(text)
            else:
                write(self._stream, text)
            self._stream.flush()


_ECHO = "^C"
_SHORT = 12
"""What is left of a long word at least: enough to know an id by."""


def _fitted(text: str, columns: int) -> str:
    """The text in so many columns: its longest words (an id, an address) are shortened before its end is cut off, where
    the seconds stand that change."""
    while (over := len(text) - columns) > 0 and len(word := max(text.split(), key=len)) > _SHORT + 2:
        text = text.replace(word, f"{word[: max(_SHORT, len(word) - over - 2)]}…{word[-1]}")
    return text if len(text) <= columns else f"{text[: columns - 1].rstrip('…')}…"


def _encodable(text: str) -> str:
    """The text with what no stream or message can carry (parts of file names that are no text) written out."""
    return text.encode(errors="backslashreplace").decode()


def _is_ignored_with_all_others() -> bool:
    for action, message, category, module, line in warnings.filters:
        if message is None and module is None and not line and issubclass(DurableWarning, category):
            return action == "ignore" and category is not DurableWarning
    return False


def _first(about: str, text: str) -> bool:
    with _lock:
        if (about, text) in _said:
            return False
        _said.add((about, text))
        return True


def duration(milliseconds: float) -> str:
    """A duration for people: ``85 ms``, ``4.2 s``, ``41 s``, ``3 m 12 s``, ``2 h 05 m``."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"
