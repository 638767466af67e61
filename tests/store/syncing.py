"""What is owed to the disk is done, as a call does that runs on no loop."""

from __future__ import annotations

from resonate_nb.store import Store


def sync(store: Store, seconds: float) -> None:
    """After a commit whose content took `seconds` of work."""
    if (owed := store.owed(seconds)) is not None:
        owed()
