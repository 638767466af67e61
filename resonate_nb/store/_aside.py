"""Where damaged pieces of a store are kept: beside what took their place, and never deleted."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from resonate_nb.clock import Clock

from ._place import DAMAGED


class Aside:
    """A folder ``damaged/<date>`` of one store, made with the first piece that is put there."""

    def __init__(self, store: Path, clock: Clock, name: str = "") -> None:
        """With a name, the folder of this name if it is there: what was put there last time belongs together."""
        self._store = store
        self._clock = clock
        named = store / DAMAGED / name
        self._folder: Path | None = named if name and named.is_dir() else None

    @property
    def is_used(self) -> bool:
        """Whether anything was put there."""
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """Of this name there was none before."""
        if self._folder is None:
            now = datetime.datetime.fromtimestamp(self._clock.now_ms() / 1000, datetime.UTC)
            name = f"{now:%Y-%m-%dT%H-%M-%S}"
            parent = self._store / DAMAGED
            parent.mkdir(mode=0o700, exist_ok=True)
            taken = set(os.listdir(parent))
            number = 1
            while (chosen := name if number == 1 else f"{name}-{number}") in taken:
                number += 1
            (parent / chosen).mkdir(mode=0o700)
            self._folder = parent / chosen
        return self._folder

    def move(self, piece: Path) -> None:
        """The file is there, under the name of its piece, and no more where it was. Nothing if there is none."""
        if os.path.lexists(piece):
            os.rename(piece, self._free(piece.name))

    def copy(self, piece: Path) -> None:
        """The file is there as it is now, and stays where it is."""
        import shutil  # most stores are never damaged

        shutil.copyfile(piece, self._free(piece.name))

    def _free(self, name: str) -> Path:
        number = 1
        while os.path.lexists(found := self.folder / (name if number == 1 else f"{name}.{number}")):
            number += 1
        return found
