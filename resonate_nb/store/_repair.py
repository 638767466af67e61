"""A store is repaired while it is open: its database first, then its rows and files."""

from __future__ import annotations

from ._aside import Aside
from ._check import damage
from ._directory import Directory
from ._mend import mend
from ._port import Problem
from ._transaction import SqliteTransaction


def repair(directory: Directory) -> list[Problem]:
    """What `check` found, each with what was done about it; a second check finds nothing of it.

    A damaged database is replaced by what can be read of it, unless another process uses the store: then that is said.
    """
    done: list[Problem] = []
    link = directory.pool.take()
    try:
        lines = damage(link.connection)
    finally:
        directory.pool.drop(link)
    if lines:
        is_whole, said = directory.salvage_now(lines[0])
        done.append(Problem("damaged", "database", lines[0], said))
        if not is_whole:
            return done
    with SqliteTransaction(directory) as transaction:
        aside = Aside(directory.path, directory.clock)
        mended = mend(directory, transaction.link.connection, aside, is_asked_for=True)
        if mended:
            transaction.invalidate()
    return [*done, *mended]
