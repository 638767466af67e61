"""What is open is told of a fork: before it, and after it in the parent or in the child."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from typing import Protocol


class Follower(Protocol):
    """What cannot go through a fork as it is."""

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


def tell_of_forks(those_open: Collection[Follower]) -> None:
    """From here on each of them that is open when a fork begins is told, before it and after it."""
    forking = threading.local()

    def before() -> None:
        forking.told = list(those_open)
        for each in forking.told:
            each.before_fork()

    def after_in_parent() -> None:
        for each in forking.__dict__.pop("told", ()):
            each.after_fork_in_parent()

    def after_in_child() -> None:
        for each in forking.__dict__.pop("told", ()):
            each.after_fork_in_child()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)
