"""Which work is known in this process under which name and version. Running a defining cell again re-registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from resonate_nb.errors import InvalidOptionError
from resonate_nb.fingerprint import Subject
from resonate_nb.records import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What a user said about one durable function or cell, checked."""

    id: str | None = None
    version: str | int | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


OPTION_NAMES = ("id", "version", "name", "tags", "ignore")

MAX_ID = 512
"""Characters of a promise's id, its version included."""

_RESERVED = (":", "@", "~")


def checked_options(
    *,
    id: object = None,
    version: object = None,
    name: object = None,
    tags: object = None,
    ignore: object = (),
) -> Options:
    """The options as a record. Raises InvalidOptionError that names the option, what was given and what to write."""
    if id is not None:
        if not isinstance(id, str):
            raise InvalidOptionError(f"id must be a string such as 'features/{{day}}', not {id!r}")
        if not id:
            raise InvalidOptionError("id is empty; leave it out for an automatic one")
    if version is not None:
        if isinstance(version, bool) or not isinstance(version, str | int):
            raise InvalidOptionError(f"version must be a string or an integer, not {version!r}")
        refuse_reserved(str(version), "version")
    if name is not None:
        if not isinstance(name, str):
            raise InvalidOptionError(f"name must be a string, not {name!r}")
        refuse_reserved(name, "name")
    if tags is not None and not (
        isinstance(tags, Mapping) and all(isinstance(k, str) and isinstance(v, str) for k, v in tags.items())
    ):
        raise InvalidOptionError(f"tags must be a dict of strings to strings, not {tags!r}")
    if isinstance(ignore, str):
        ignore = (ignore,)
    if not isinstance(ignore, tuple | list | set | frozenset) or not all(isinstance(item, str) for item in ignore):
        raise InvalidOptionError(f"ignore must be names of arguments or globals, e.g. ignore=('conn',), not {ignore!r}")
    return Options(id, version, name, dict(tags or {}), tuple(sorted(ignore)))


def refuse_reserved(text: str, what: str) -> None:
    """Raise InvalidOptionError when literal text of an id holds a character that ids give a meaning."""
    if not text:
        raise InvalidOptionError(f"{what} is empty")
    if len(text) > MAX_ID:
        raise InvalidOptionError(f"{what} {text[:60]!r}… has {len(text)} characters; an id has at most {MAX_ID}")
    for letter in text:
        if letter in _RESERVED or ord(letter) < 32 or ord(letter) == 127 or is_surrogate(letter):
            raise InvalidOptionError(
                f"{what} {text!r} holds the character {letter!r}, which has a meaning of its own in ids; "
                "use letters, digits, '/', '-', '_' or '.' instead"
            )


def is_surrogate(letter: str) -> bool:
    """Whether the letter is half of one, as in file names that are no UTF-8: no database stores it as text."""
    return "\ud800" <= letter <= "\udfff"


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One thing made durable, a function or a cell; used for all its calls."""

    name: str
    subject: Subject
    options: Options = field(default_factory=Options)
    is_cell: bool = False
    label: str = ""
    """How messages call it; the name when empty."""

    @property
    def title(self) -> str:
        return self.label or self.name


_works: dict[tuple[str, str], Work] = {}


def register(work: Work) -> None:
    """The work is found under its name and fixed version (or "" for an automatic one); the last one wins."""
    version = "" if work.options.version is None else str(work.options.version)
    _works[work.name, version] = work


def registered(name: str, version: str = "") -> Work | None:
    return _works.get((name, version))
