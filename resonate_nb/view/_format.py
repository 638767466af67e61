"""Numbers as people read them: durations, ages, sizes, instants. The page has the same rules in `_inspector.js`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB")

# ECMA-48 control sequences (colours in tracebacks), operating-system commands (links), and lone escapes
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]?")
# line ends of any kind with what stands around them, and what a terminal would obey instead of print
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def duration(ms: float | None) -> str:
    """A length of time in at most two units: ``850 ms``, ``3.2 s``, ``3 m 12 s``, ``2 h 05 m``; empty for None."""
    if ms is None:
        return ""
    ms = max(0.0, ms)
    if ms < 999.5:
        return f"{_half_up(ms)} ms"
    if ms < 9_950:
        return f"{_half_up(ms / 100) / 10:.1f} s"
    seconds = _half_up(ms / 1000)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def age(ms: float) -> str:
    """How long ago, in one unit: ``now``, ``12 s``, ``3 m``, ``2 h``, ``5 d``. A clock that ran ahead reads ``now``."""
    seconds = int(ms // 1000)
    if seconds < 2:
        return "now"
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} m"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"


def size(size_bytes: int | None) -> str:
    """A number of bytes in decimal units, two or three figures: ``812 B``, ``1.2 MB``; empty for None."""
    if size_bytes is None:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    amount = float(size_bytes)
    for unit in _UNITS:
        if amount < 999.5:
            return f"{_half_up(amount * 10) / 10:.1f} {unit}" if amount < 9.95 else f"{_half_up(amount)} {unit}"
        amount /= 1000
    return f"{_half_up(amount)} PB"


def count(number: int) -> str:
    """A whole number with thin groups: ``100,000``."""
    return f"{number:,}"


def instant(ms: int | None) -> str:
    """An instant in this machine's local time, to the second, with its offset; empty for None."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def plain(text: str) -> str:
    """The text without terminal control sequences."""
    return _ANSI.sub("", text)


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, control sequences left out; what is cut ends in ``…``."""
    line = text if text.isprintable() else _BREAKS.sub(" ", plain(text)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _half_up(number: float) -> int:
    # round() goes to the even neighbour and JavaScript's Math.round does not: the two tables must not differ by a digit
    return int(number + 0.5)
