"""Whether a frame or series of pandas >= 3 is what it was, where the kernel does not tell (`_pages`).

Copy-on-write copies a block before it writes to it if anything else refers to it. Something small of ours does: then
no write through pandas reaches the memory that was read, and the first one leaves the block with other memory. Whoever
holds that memory itself could still write to it, so every reference to it must be a block's of pandas. What is not
seen is a write past pandas by someone who lets go of the memory at once, such as `frame["a"].array[0] = 1`.

The price is the copy that the user's first write makes. No memory is kept alive, and none is guarded of which a copy
would fill an eighth of the machine.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from typing import Any, Final
from weakref import ref

_INNER: Final = ("_ndarray", "_data", "_mask")
"""Where the extension arrays that are guarded keep theirs."""


class _Token:
    """What refers to a block, as far as pandas knows."""

    __slots__ = ("__weakref__",)


class Guard:
    """The memory of a frame or series is not written to through pandas while `holds`."""

    __slots__ = ("_blocks", "_labels", "_value", "is_lost")

    def __init__(self, value: Any) -> None:
        self.is_lost = False
        self._value = ref(value)
        self._labels = [ref(axis) for axis in value._mgr.axes]
        token = _Token()
        self._blocks = [(block.refs, ref(_held(block.values)), token) for block in value._mgr.blocks]
        for references, _, _ in self._blocks:
            references.add_index_reference(token)

    def holds(self) -> bool:
        """Whether nobody can have written to what was read, but past pandas and unseen."""
        value = self._value()
        if self.is_lost or value is None:
            return False
        manager = value._mgr
        blocks = manager.blocks
        return (
            len(blocks) == len(self._blocks)
            and all(
                block.refs is references and held() is _held(block.values)
                for block, (references, held, _) in zip(blocks, self._blocks, strict=True)
            )
            and all(label() is axis for label, axis in zip(self._labels, manager.axes, strict=True))
            and _is_private(blocks)
        )

    def is_proof(self) -> bool:
        """Whether it holds at all."""
        return self.holds()

    def release(self) -> None:
        """Writes need no copy because of it."""
        self._blocks.clear()
        self.is_lost = True

    leave = release


def guarded(value: object, size: int) -> Guard | None:
    """A guard over a value whose memory is of `size` bytes; None where copy-on-write does not keep it as it is."""
    pd = sys.modules.get("pandas")
    if pd is None or type(value) not in (pd.DataFrame, pd.Series) or pd.__version__.startswith(("1.", "2.")):
        return None
    if size > _memory_bytes() // 8:
        return None
    try:
        guard = Guard(value)
        return guard if guard.holds() else None
    except (AttributeError, TypeError):  # another pandas, which keeps its blocks in another way
        return None


def _held(values: Any) -> Any:
    """What a block must keep holding: of columns of Arrow, which are replaced as a whole, their chunks."""
    return getattr(values, "_pa_array", values)


def _is_private(blocks: tuple[Any, ...]) -> bool:
    """Whether nothing but blocks of pandas refers to the memory of these ones and of all that share it."""
    known: dict[int, list[Any]] = {}
    seen: set[int] = set()
    for block in blocks:
        for each in [reference() for reference in block.refs.referenced_blocks]:
            if hasattr(each, "mgr_locs") and id(each) not in seen:
                seen.add(id(each))
                _count(each.values, known)
    # Two references are the ones here: of the list, and of the call that counts.
    return all(sys.getrefcount(found[0]) == found[1] + 2 and _is_owner(found[0]) for found in known.values())


def _count(thing: Any, known: dict[int, list[Any]]) -> None:
    """Note one more reference to what holds memory, and at the first one those that it has itself."""
    if hasattr(thing, "_pa_array"):
        return
    found = known.get(id(thing))
    if found is not None:
        found[1] += 1
        return
    known[id(thing)] = [thing, 1]
    for part in _parts(thing):
        _count(part, known)


def _parts(thing: Any) -> Iterator[Any]:
    if type(thing) is sys.modules["numpy"].ndarray:
        if thing.base is not None:
            yield thing.base
    elif type(thing).__name__ in ("memoryview", "managedbuffer"):
        # Views of one buffer share a counter between them and it.
        yield from gc.get_referents(thing)
    elif type(thing) not in (bytes, bytearray):
        for name in _INNER:
            part = getattr(thing, name, None)
            if type(part) is sys.modules["numpy"].ndarray:
                yield part


def _is_owner(thing: Any) -> bool:
    """Whether all who can write to the memory of something refer to it or to what it refers to."""
    cls = type(thing)
    if cls in (bytes, bytearray, sys.modules["numpy"].ndarray) or cls.__name__ in ("memoryview", "managedbuffer"):
        return True
    if cls.__name__ == "PyCapsule":  # as pyarrow makes its frames
        return '"arrow::' in repr(thing)
    return cls.__module__.partition(".")[0] == "pandas"


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 << 30
