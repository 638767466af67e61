"""What counts and lies outside of Python: a file, an environment variable. How it is read is the maker's affair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

from ..records import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """One such thing. It is read anew for each key."""

    name: str
    """Its kind and what it is called, with a space between: no name of Python's reads so."""
    read: Callable[[], bytes]
    """A digest of 16 bytes of what it holds now. Raises UnfingerprintableError where that cannot be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """What a user has said that a function or cell depends on, besides what its code reads."""

    outside: tuple[Outside, ...] = ()
    """What lies outside of Python and counts."""
    depends: tuple[object, ...] = field(default=())
    """Values, functions, classes and modules that count."""
    names_files: bool = False
    """Files are among it, be it that arguments name them: that code reads files is no news then."""

    def inside(self) -> Declared:
        """The same of a durable function that another one reaches: whether its files count shows when it is called."""
        return replace(self, outside=tuple(each for each in self.outside if each.name.startswith("env ")))

    def answers(self, way_out: str) -> bool:
        """Whether the user has done what a phrase of `unsure` gives as its way out (`_unseen`)."""
        variables = [each.name.removeprefix("env ") for each in self.outside if each.name.startswith("env ")]
        return (
            (self.names_files and "in files=" in way_out)
            or (bool(variables) and way_out.endswith(" env="))
            or any(way_out.endswith(f" env=({name!r},)") for name in variables)
        )


NOTHING = Declared()
