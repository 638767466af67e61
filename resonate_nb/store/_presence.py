"""Whether what one process has open of a store is still what lies there."""

from __future__ import annotations

from pathlib import Path

from resonate_nb.errors import StoreError

from . import _failures
from ._place import DAMAGED, DATABASE, SIGNAL
from ._signal import Signal


class Presence:
    """The signal file and, once it is known to be whole, the database: told by device and inode."""

    def __init__(self, path: Path, signal: Signal) -> None:
        self._path = path
        self._signal = signal
        self._database: tuple[int, int] | None = None

    def note_database(self) -> None:
        """The database that lies there now is the one that is open."""
        self._database = _identity(self._path / DATABASE)

    def forget_database(self) -> None:
        """It is about to be another one."""
        self._database = None

    def gone(self) -> StoreError | None:
        """What to raise when it is no more; None when all is well."""
        try:
            identity = self._signal.identity()
            if identity is None:
                return _failures.deleted(self._path)
            if _identity(self._path / SIGNAL) != identity:
                return _failures.replaced(self._path, SIGNAL)
            if self._is_another():
                return _failures.replaced(self._path, DATABASE)
        except OSError as error:  # its folder may not be looked into any more
            return _failures.translated(error, self._path)
        return None

    def is_set_aside(self) -> bool:
        """Whether another process has found the database damaged, and put another one in its place."""
        try:
            if not self._is_another():
                return False
        except OSError:
            return False  # `gone` says what is wrong
        return any(_identity(file) == self._database for file in self._path.glob(f"{DAMAGED}/*/{DATABASE}"))

    def _is_another(self) -> bool:
        return self._database is not None and _identity(self._path / DATABASE) != self._database


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None when there is no such file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
