"""What dead processes left of a store is out of the way before the next one uses it."""

from __future__ import annotations

from . import _rows
from ._aside import Aside
from ._opened import Writable
from ._opening import commits_of, frames_of
from ._place import DATABASE
from ._pool import Link
from ._values import list_values


def clear_up(directory: Writable, link: Link) -> None:
    """Gone are files half written and old owner files; files that no row names are kept aside.

    Call in a write transaction, while other openers are kept out; one goes on when this returns. Under the write lock,
    since a living process may be naming a dead one's file in a row just now. Files of the living stay: the row may be
    about to come. A whole file is kept: its process was killed just before the row, or the row was lost with a part of
    the log that somebody removed, and nothing tells which.
    """
    dead = directory.owners.newly_dead()
    if not dead:
        return
    link.connection.text_factory = _rows.text_or_bytes  # one damaged row must not keep the store shut
    try:
        _clear_up_after(directory, link, dead)
    finally:
        link.connection.text_factory = str


def _clear_up_after(directory: Writable, link: Link, dead: list[str]) -> None:
    owners = directory.owners
    listed = list_values(directory.values)
    gone = {owner for owner in {file.owner for file in listed} if owner and not owners.is_alive(owner)}
    left = [file for file in listed if file.owner in gone]
    for file in left:
        if file.is_part:
            (directory.values / file.name).unlink(missing_ok=True)
    whole = {file.name for file in left if not file.is_part}
    if whole and (whole - _named(link) or _holds_more(directory, link)):
        _bury(directory, link)
        aside = Aside(directory.path, directory.clock)
        for name in whole - _named(link):
            aside.move(directory.values / name)
    owners.mark_dead(dead)
    owners.remove_unborn()
    old = owners.long_dead()
    if old:
        owners.remove(old.difference(owner for (owner,) in link.cursor.execute(_rows.ALL_OWNERS)))


def _named(link: Link) -> set[str]:
    return {name for (name,) in link.cursor.execute(_rows.ALL_FILES)}


def _holds_more(directory: Writable, link: Link) -> bool:
    """Whether the log holds a commit that its index does not: a file that is named would not be any more."""
    if directory.pool.journal != "wal":
        return False
    link.cursor.execute("COMMIT")
    indexed = frames_of(link)
    directory.begin(link)
    # What the living have committed since is taken for one as well, which costs no more than the burial of nothing.
    return commits_of(directory.path / f"{DATABASE}-wal")[0] > indexed


def _bury(directory: Writable, link: Link) -> None:
    """What the dead have not committed stays so, also for whoever reads the log anew when all have ended.

    A process can be killed when its commit is in the log and not yet in the index by which the others read the log; in
    between lies the sync, where there is one. A commit of ours takes the place of that one in the log, if it can be at
    the begin of the log's next turn, so that what remains behind it does not look like a log that was cut.
    """
    link.cursor.execute("COMMIT")
    link.cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    directory.begin(link)
    _, invalidation = link.cursor.execute(_rows.META).fetchone()
    # A change that does no harm; an equal value would not be written.
    directory.signal.set_invalidation(invalidation + 1)
    link.cursor.execute(_rows.INVALIDATE, (invalidation + 1,))
    link.cursor.execute("COMMIT")
    directory.begin(link)
