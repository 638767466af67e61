"""One way to speak to the user: lines on the logger ``resonate_nb``, and warnings that point at the user's code."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from resonate_nb.errors import DurableWarning

logger = logging.getLogger("resonate_nb")

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_NOTEBOOK = os.path.join(_PACKAGE, "notebook", "")
_said: set[tuple[str, str]] = set()
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child must not find it taken by a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_page: Callable[[str], bool] | None = None
"""Shows a line where people read the others, and says whether it could; None where there is no page."""


def speak_on(page: Callable[[str], bool] | None) -> None:
    """From here on our lines are shown by this function, and on stderr only where it returns False; None undoes it."""
    global _page
    _page = page


class _Aloud(logging.Handler):
    """Shows a line on the page, else writes it to whatever `sys.stderr` is when it is said: kernels replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        line = f"[resonate_nb] {record.getMessage()}"
        page, stream = _page, sys.stderr
        if (page is None or not page(line)) and stream is not None:
            stream.write(f"{line}\n")
            stream.flush()


def _speak_by_default() -> None:
    # Only where nobody has arranged for our lines: an application that gave our logger a handler or a level, or whose
    # own handlers take them, decides itself. One that hears warnings only (`logging.basicConfig()`, which many
    # libraries call) has not thought of us, and would make us silent.
    if logger.handlers or (logging.getLogger().handlers and (logger.level or logger.isEnabledFor(logging.INFO))):
        return
    logger.addHandler(_Aloud())
    logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def say(text: str, *, once: bool = False, about: str = "") -> None:
    """Say one line. With `once`, the same text about the same thing is said once in this process."""
    text = _encodable(text)
    if once and not _first(about, text):
        return
    _speak_by_default()
    logger.info("%s", text)


def warn(text: str, *, once: bool = False, about: str = "") -> None:
    """Warn, at the nearest line that is not ours. With `once`, once per process for the same thing and text.

    Under a filter that ignores all warnings, as many notebooks set it against the chatter of libraries, the text is
    said as a line instead: what we warn of is never silent. A filter that names DurableWarning is obeyed.
    """
    text = _encodable(text)
    if once and not _first(about, text):
        return
    if _is_ignored_with_all_others():
        say(text)
        return
    level = 1
    frame = sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
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
    """A duration for people: ``85 ms``, ``4.2 s``, ``3 m 12 s``, ``2 h 05 m``."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"
