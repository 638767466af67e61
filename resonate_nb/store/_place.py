"""Where a store lies when nobody says (DESIGN 5, "Movable"), and making its directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from resonate_nb.errors import UnwritableStoreError

from ._sync import sync_names

NAME = ".resonate_nb"
VARIABLE = "RESONATE_NB_STORE"
DATABASE = "promises.db"
SIGNAL = "signal"
VALUES = "values"
DAMAGED = "damaged"
OWNERS = "owners"


def locate(start: Path | None = None) -> Path:
    """The store for work done in `start` (the working directory). Looks only; makes nothing."""
    return choose(start or Path.cwd(), home=_home(), environ=os.environ)


def choose(start: Path, *, home: Path | None, environ: Mapping[str, str]) -> Path:
    """The directory of the store, absolute, there or not.

    - ``RESONATE_NB_STORE`` wins and is taken as it is.
    - Inside a repository: the nearest one from `start` up to the root, else one at the root.
    - Elsewhere under home: the nearest one up to, not including, home, else one in `start`.
    - Anywhere else: one in `start`.

    A directory of another user is never used. Raises UnwritableStoreError when only such a one is left.
    """
    named = environ.get(VARIABLE)
    if named:
        return Path(os.path.abspath(os.path.expanduser(named)))
    start = start.resolve()
    upwards = (start, *start.parents)
    root = next((folder for folder in upwards if (folder / ".git").exists()), None)
    if root is not None:
        searched = upwards[: upwards.index(root) + 1]
        made_at = root
    elif home is not None and home.resolve() in start.parents:
        searched = upwards[: upwards.index(home.resolve())]
        made_at = start
    else:
        searched = (start,)
        made_at = start
    for folder in searched:
        if _is_ours(folder / NAME):
            return folder / NAME
    for folder in (made_at, start):
        if not os.path.lexists(folder / NAME):
            return folder / NAME
    raise UnwritableStoreError(
        f"{str(start / NAME)!r} belongs to another user or is not a directory, so it is not used as a store. "
        f"Name another place with {VARIABLE} or rnb.configure(store=...)."
    )


def make(path: Path) -> bool:
    """The directory and its rooms are there. A new one is for its user alone, and git does not see what is in it.

    Returns whether it is new.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        # Once and for all: later openers look no further than the folder that the store is in.
        sync_names((folder.parent,))
    try:
        path.mkdir(mode=0o700)
        is_new = True
    except FileExistsError:
        # One that the user made beforehand is a new store too, unless something else already lives there.
        is_new = not any(path.iterdir())
    if is_new:
        path.chmod(0o700)
        _hide_from_git(path / ".gitignore")
    for room in (VALUES, OWNERS):
        (path / room).mkdir(mode=0o700, exist_ok=True)
    return is_new


def _hide_from_git(file: Path) -> None:
    try:
        file.write_text("*\n")
    except OSError:
        # On a full disk an empty one would stay, and the store would be taken for one that is not new.
        file.unlink(missing_ok=True)
        raise


def is_read_only(path: Path) -> bool:
    """Whether a store lies there of which some part may not be written by this process."""
    if not (path / DATABASE).is_file():
        return False
    names = (DATABASE, *(f"{DATABASE}-{piece}" for piece in ("wal", "journal", "shm")), SIGNAL, VALUES, OWNERS)
    return any(map(_is_refused, (path, *(path / name for name in names))))


def _is_refused(piece: Path) -> bool:
    """Whether it is there, and may not be written.

    Asked in this order, and once more: another process makes and removes SQLite's pieces at any moment, and what is not
    there may not be written either.
    """
    return not _may_write(piece) and os.path.lexists(piece) and not _may_write(piece)


def _may_write(piece: Path) -> bool:
    mode = os.W_OK | (os.X_OK if piece.is_dir() else 0)
    return os.access(piece, mode, effective_ids=os.access in os.supports_effective_ids)


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return False
    return folder.is_dir() and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
