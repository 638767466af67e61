"""What was written of large memory, kept while nobody has written to that memory: then it need not be read again.

The proof is the kernel's (`_pages`): whoever writes, a view, another thread, code in C, makes it fail, and the memory
is read again. What is kept is a few bytes by place, shape and strides; the memory itself is never kept alive, and
nothing of the values changes. The price is the user's first write to a page that is watched, a fault of two
microseconds; memory that is written to time and again between two looks is therefore watched less and less often.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, Final

from ..values._pen import Pen
from ..values._walk import Children, Stretch, Walk, memory_of
from ._guarded import Guard
from ._pages import PAGE_BYTES, Pages, opened

LEAST_BYTES: Final = 1_048_576
"""What is smaller is hashed about as fast as it is watched and looked up."""
_MOST = 512
"""Pieces of memory. Of each its two ends are kept, less than a page each."""
_MOST_PASSES = 64


def array_written(walk: Walk, array: Any, kind: str, write: Callable[[], Children | None]) -> Children | None:
    """What `write` writes of an array's elements is written, from memory where that is proven to be the same.

    It writes few bytes (a large buffer by its digest), depends on nothing but the elements, and returns parts still to
    be walked only where elements may change by themselves; then nothing is kept.
    """
    if array.nbytes < LEAST_BYTES or not is_plain_memory(array):
        return write()
    ends: Callable[[], list[object] | None] = list
    if array.dtype.hasobject:
        if not array.flags.forc:
            return write()
        ends = lambda: ends_of(array)  # noqa: E731
    stretch = memory_of(array)
    return written(walk, (kind, stretch, array.itemsize, array.shape, array.strides), (stretch,), write, ends)


_OWNERS: Final = ("bytes", "bytearray", "memoryview", "PySeries")
_PACKAGES: Final = ("numpy", "pyarrow", "polars", "jaxlib")


def is_plain_memory(array: Any) -> bool:
    """Whether only the processor writes to the memory of an array. To that of a driver, as torch and cupy pin it, a
    device writes past all pages."""
    while type(array).__module__ == "numpy" and (base := array.base) is not None:
        array = base
    cls = type(array)
    if cls.__module__ == "numpy":
        return bool(array.flags.owndata)
    if cls.__name__ == "PyCapsule":
        return '"arrow::' in repr(array)
    return cls.__name__ in _OWNERS or cls.__module__.partition(".")[0] in _PACKAGES


def ends_of(array: Any) -> list[object] | None:
    """The objects that the ends of an array point to: kept alive, or an address may come back as another's. None where
    they are too large for that."""
    flat, few = (array if array.flags.c_contiguous else array.T).reshape(-1), PAGE_BYTES // array.itemsize + 1
    found = [*flat[:few].tolist(), *flat[-few:].tolist()]
    return found if sum(map(sys.getsizeof, found)) <= LEAST_BYTES else None


def written(
    walk: Walk,
    place: tuple[object, ...],
    stretches: Sequence[Stretch],
    write: Callable[[], Children | None],
    ends: Callable[[], list[object] | None] = list,
) -> Children | None:
    """The same of any memory; `place` says where it lies and how it is read.

    Nothing refers to what owns it, not even weakly: numpy resizes no array that somebody refers to. Other memory that
    comes to lie in the same place was written to, or it is the same.
    """
    pages = pages_of_now()
    if pages is None:
        return write()
    with lock:
        entry = _entries.get(place)
        if entry is not None:
            if entry.holds() and _entries.pop(place, None) is entry:
                _entries[place] = entry
                walk.pen.write(entry.written)
                return None
            if entry.patience.is_over(entry):
                return write()
        made = _Entry(pages, Patience() if entry is None else entry.patience)
        made.begin(stretches)
    outer, walk.pen = walk.pen, Pen()
    children: Children | None = None
    is_done = False
    try:
        children = write()
        is_done = children is None
    finally:
        inner, walk.pen = walk.pen, outer
        with lock:
            kept = ends() if is_done else None
            if kept is not None and _pages is pages and made.is_proof():
                made.written, made.ends = inner.written(), kept
                if (before := _entries.pop(place, None)) is not None:
                    before.leave()
                _entries[place] = made
                while len(_entries) > _MOST:
                    _entries.pop(next(iter(_entries))).release()
            else:
                made.release()
    outer.write(inner.written())
    return children


class Watch:
    """Stretches of memory to which the kernel notes writes, from `begin` on."""

    __slots__ = ("_edges", "_pages", "is_lost", "watched")

    def __init__(self, pages: Pages) -> None:
        self.is_lost = False
        """What the kernel noted of it is known no more."""
        self._pages = pages
        self.watched: list[Stretch] = []
        """Whole pages."""
        self._edges: list[tuple[int, int, bytes]] = []
        """What lies before and after those: address, length, content."""

    def begin(self, stretches: Sequence[Stretch]) -> None:
        """Writes are noted from here on; the memory is to be read after. Called with the lock held."""
        for low, high in stretches:
            first, last = -(-low // PAGE_BYTES) * PAGE_BYTES, high // PAGE_BYTES * PAGE_BYTES
            if first < last:
                self._watch(first, last)
            else:
                first = last = high
            for start, end in ((low, first), (last, high)):
                if start < end:
                    self._edges.append((start, end - start, _raw(start, end - start)))

    def _watch(self, low: int, high: int) -> None:
        noted = self._pages.watch(low, high)
        if noted is None:
            self.is_lost = True
            return
        # What was noted for others is noted no more: they are told.
        for start, end in noted:
            for other in _near(start, end):
                if other is not self and other.meets(start, end):
                    other.is_lost = True
        self.watched.append((low, high))
        for place in _places(low, high):
            _watching.setdefault(place, set()).add(self)

    def meets(self, start: int, end: int) -> bool:
        """Whether it watches pages of a stretch."""
        return any(low < end and start < high for low, high in self.watched)

    def holds(self) -> bool:
        """Whether the memory is what it was. Called with the lock held, and only while the memory is there."""
        if self.is_lost or any(_raw(start, size) != held for start, size, held in self._edges):
            return False
        return all(self._pages.is_unwritten(low, high) for low, high in self.watched)

    def is_proof(self) -> bool:
        """Whether it holds now that the memory was read, and no other process can write there."""
        return self.holds() and all(self._pages.is_private(low, high) for low, high in self.watched)

    def leave(self) -> None:
        """Others watch what it watched."""
        for low, high in self.watched:
            for place in _places(low, high):
                if (there := _watching.get(place)) is not None:
                    there.discard(self)
                    if not there:
                        del _watching[place]
        self.watched.clear()

    def release(self) -> None:
        """Writes to what nobody else watches are noted no more."""
        watched = list(self.watched)
        self.leave()
        for low, high in watched:
            if not any(other.meets(low, high) for other in _near(low, high)):
                self._pages.release(low, high)


class Patience:
    """How often memory is watched that is written to time and again between two looks: less and less."""

    __slots__ = ("_passes", "_strikes")

    def __init__(self) -> None:
        self._strikes = 0
        self._passes = 0

    def is_over(self, watch: Watch | Guard) -> bool:
        """Whether what is watched in vain is not to be watched this time."""
        if self._passes == 0:
            self._strikes += 1
            self._passes = min(2**self._strikes, _MOST_PASSES)
            watch.is_lost = True
            watch.release()
        self._passes -= 1
        return self._passes > 0


class _Entry(Watch):
    """What was written of a piece of memory, and how to see that it is the same."""

    __slots__ = ("ends", "patience", "written")

    def __init__(self, pages: Pages, patience: Patience) -> None:
        super().__init__(pages)
        self.written = b""
        self.ends: list[object] = []
        self.patience = patience


_entries: dict[tuple[object, ...], _Entry] = {}
"""By place, the one used last at the end."""
_watching: dict[int, set[Watch]] = {}
"""All watches, by each place (`_places`) in which they watch something."""
lock = RLock()
"""Taken again within itself only by a handler of signals that calls a durable function."""


def _places(low: int, high: int) -> range:
    """The pieces of two megabytes that a stretch touches."""
    return range(low >> 21, (high - 1 >> 21) + 1)


def _near(low: int, high: int) -> set[Watch]:
    """The watches that may meet a stretch."""
    return {watch for place in _places(low, high) for watch in tuple(_watching.get(place, ()))}


class _Untried:
    pass


_UNTRIED: Final = _Untried()
_pages: Pages | _Untried | None = _UNTRIED


def pages_of_now() -> Pages | None:
    """The kernel's notes, where it keeps any."""
    global _pages
    if not isinstance(_pages, _Untried):
        return _pages
    found = opened()  # imports: not with the lock held
    with lock:
        if isinstance(_pages, _Untried):
            _pages = found
        elif found is not None:
            found.close()
        return _pages


def forget() -> None:
    """Nothing is kept of anything, and the kernel is asked anew."""
    global _pages
    with lock:
        for there in _watching.values():
            for watch in there:
                watch.is_lost = True
        _entries.clear()
        _watching.clear()
        if isinstance(_pages, Pages):
            _pages.close()
        _pages = _UNTRIED


def drop(watch: Watch) -> None:
    """The memory is gone: nothing that was written of it is kept. Called with the lock held."""
    near = {other for low, high in watch.watched for other in _near(low, high)}
    for place in [place for place, entry in tuple(_entries.items()) if entry in near]:
        _entries.pop(place).release()
    watch.release()


def _forget_in_child() -> None:
    """In a child process the kernel notes nothing, and a thread that it does not have may hold the lock."""
    global lock
    lock = RLock()
    forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _raw(start: int, size: int) -> bytes:
    import ctypes  # loaded by `opened`

    return ctypes.string_at(start, size)
