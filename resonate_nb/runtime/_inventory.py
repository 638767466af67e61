"""What a declared folder held, or a pattern found: its files by name with short digests, to tell later which changed.

Kept is what fits into a few kilobytes: of a folder with more files what lies in it directly, folders as a whole; of
one with more of that the number of its files.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Summary = dict[str, Any]
"""Plain JSON: how many files, and the names with the digests of all of them, or of what lies at the top."""

_MOST_LETTERS = 16_000
_DIGITS = 8
_MOST_NAMED = 4
_MOST_PHRASES = 4
_MOST_KEPT = 64


class Inventory:
    """Filled by one walk through a folder, or through what a pattern finds. Folders end in a slash."""

    __slots__ = ("_files", "_top", "count")

    def __init__(self) -> None:
        self.count = 0
        """Of files, and of folders without any."""
        self._files = _Names()
        self._top = _Names()

    def add(self, name: str, digest: bytes) -> None:
        """There is a file, or a folder without any, called so as seen from where the walk began."""
        self.count += 1
        self._files.add(name, digest)

    def add_at_top(self, name: str, digest: bytes) -> None:
        """This was met first, as a whole."""
        self._top.add(name, digest)

    def keep(self, digest: bytes) -> None:
        """It is what this digest stands for."""
        names = self._files if self._files.are_all else self._top
        kept = names.names if names.are_all else []
        _kept[digest.hex()] = {"files": self.count, "whole": names is self._files, "names": kept}
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)


class _Names:
    """Names with short digests, up to so many letters."""

    __slots__ = ("_room", "names")

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self._room = _MOST_LETTERS

    @property
    def are_all(self) -> bool:
        return self._room >= 0

    def add(self, name: str, digest: bytes) -> None:
        if self._room >= 0:
            self._room -= len(name) + _DIGITS
            self.names.append((name, digest.hex()[:_DIGITS]))


_kept: OrderedDict[str, Summary] = OrderedDict()


def inventory_of(digest: str) -> Summary | None:
    """What was found lately that has this digest; None for what is no folder or pattern."""
    return _kept.get(digest)


def inventory_changes(before: Summary, now: Summary | None) -> str:
    """Which files came, went or are others, in words; nothing where that is not known."""
    if now is None or not before:
        return ""
    try:
        return ", ".join(list(_phrases(before, now))[:_MOST_PHRASES])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""  # kept by another release of this package, or damaged since


def _phrases(before: Summary, now: Summary) -> Iterator[str]:
    if before["files"] != now["files"] and not (before["whole"] and now["whole"]):
        yield f"{before['files']:,} → {now['files']:,} files"
    if before["whole"] is not now["whole"]:
        return
    old: Mapping[str, str] = dict(before["names"])
    new: Mapping[str, str] = dict(now["names"])
    gone, come = [name for name in old if name not in new], [name for name in new if name not in old]
    by_content = {new[name]: name for name in reversed(come)}
    renamed = {name: other for name in gone if (other := by_content.pop(old[name], None)) is not None}
    for name, other in renamed.items():
        yield f"{_noun([name])} `{name}` renamed to `{other}`"
    gone = [name for name in gone if name not in renamed]
    come = [name for name in come if name not in renamed.values()]
    for names, what in ((come, "added"), (gone, "removed")):
        yield from _named(names, what)
    yield from _named([name for name in old if new.get(name, old[name]) != old[name]], "changed")


def _named(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMED])
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        yield f"{_noun(names)} {shown}{more} {what}"


def _noun(names: Sequence[str]) -> str:
    noun = "folder" if all(name.endswith(os.sep) for name in names) else "file"
    return f"{noun}{'s' * (len(names) > 1)}"
