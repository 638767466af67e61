"""What walks noted of the frames that they saw, column by column, so that nobody hashes one again to compare.

A frame is known by its identity, and what is noted holds for its content at its last walk.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

from ._pen import Piece

MOST_COLUMNS = 64
"""So many are told from one another; the last of them stands for all that follow it, too."""
_MOST_FRAMES = 16


class Seen(NamedTuple):
    """What was written of the parts of a frame or series."""

    attributes: Piece
    """`attrs` and flags."""
    labels: Piece
    """The columns' labels; of a series its name."""
    rows: Piece
    """The index."""
    columns: tuple[Piece, ...]
    """Each column, dtype included, in their order."""


_seen: dict[int, tuple[weakref.ref[Any], Seen]] = {}


def remember(frame: Any, attributes: Piece, labels: Piece, rows: Piece, *columns: Piece) -> None:
    """A walk has seen this frame."""
    if len(_seen) >= _MOST_FRAMES:
        _seen.clear()  # what is asked for is asked for soon after the walk
    _seen[id(frame)] = (weakref.ref(frame), Seen(attributes, labels, rows, columns))


def seen(frame: Any) -> Seen | None:
    """What the last walk noted of this very frame; None where there was none, or it was too long ago."""
    found = _seen.get(id(frame))
    return found[1] if found is not None and found[0]() is frame else None
