"""Which work is known in this process under which name and version. Running a defining cell again re-registers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from resonate_nb.errors import InvalidOptionError
from resonate_nb.fingerprint import Packages, Subject
from resonate_nb.records import dataclass

if TYPE_CHECKING:
    from resonate_nb.retry import Policy


OnReuse = Literal["raise", "rerun", "warn", "ignore"]
OnDrift = Literal["warn", "raise", "rerun", "ignore"]
OnRejected = Literal["rerun", "raise"]
KeyedBy = Literal["args", "call"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a user said about one durable function or cell, checked."""

    id: str | None = None
    version: str | int | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    keyed_by: KeyedBy = "args"
    retry: Policy | None = None
    """None never tries again."""
    timeout: float | None = None
    """Seconds from a promise's creation to its deadline."""
    attempt_timeout: float | None = None
    """Seconds."""
    max_age: float | None = None
    """Seconds."""
    on_reuse: OnReuse = "raise"
    on_drift: OnDrift | None = None
    """None warns of a settled promise, and raises where a pending one would be taken over."""
    on_rejected: OnRejected = "rerun"
    packages: Packages = "minor"
    files: tuple[str, ...] = ()
    """Names of parameters whose arguments are paths, and literal paths and patterns."""
    env: tuple[str, ...] = ()
    depends: tuple[object, ...] = ()


OPTION_NAMES = tuple(each.name for each in fields(Options))

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
    keyed_by: object = "args",
    retry: object = None,
    timeout: object = None,
    attempt_timeout: object = None,
    max_age: object = None,
    on_reuse: object = "raise",
    on_drift: object = None,
    on_rejected: object = "rerun",
    packages: object = "minor",
    files: object = (),
    env: object = (),
    depends: object = (),
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
    return Options(
        id,
        version,
        name,
        dict(tags or {}),
        tuple(sorted(ignore)),
        _one_of("keyed_by", keyed_by, KeyedBy),
        _policy(retry),
        _span("timeout", timeout),
        _span("attempt_timeout", attempt_timeout),
        _span("max_age", max_age),
        _one_of("on_reuse", on_reuse, OnReuse),
        None if on_drift is None else _one_of("on_drift", on_drift, OnDrift),
        _one_of("on_rejected", on_rejected, OnRejected),
        _one_of("packages", packages, Packages),
        _files(files),
        _env(env),
        _depends(depends),
    )


def _one_of(option: str, given: object, choices: Any) -> Any:
    words = get_args(choices)
    if given not in words:
        *most, last = map(repr, words)
        raise InvalidOptionError(f"{option} must be {', '.join(most)} or {last}, not {given!r}")
    return given


def _files(given: object) -> tuple[str, ...]:
    entries = (given,) if isinstance(given, str | os.PathLike) else given
    if not isinstance(entries, tuple | list | set | frozenset) or not all(
        isinstance(entry, str | os.PathLike) and os.fspath(entry) for entry in entries
    ):
        raise InvalidOptionError(
            f"files must be names of arguments that are paths, or paths, such as ('path', 'data/*.csv'), not {given!r}"
        )
    # What is given as a path is one, whatever it looks like.
    spelled = [entry if isinstance(entry, str) else os.path.join(os.curdir, entry) for entry in entries]
    return tuple(sorted(set(spelled)))


def _env(given: object) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, tuple | list | set | frozenset) or not all(
        isinstance(name, str) and name and not set(name) & {"=", "\0"} for name in names
    ):
        raise InvalidOptionError(f"env must be names of environment variables, e.g. env=('MODE',), not {given!r}")
    return tuple(sorted(set(names)))


def _depends(given: object) -> tuple[object, ...]:
    if not isinstance(given, tuple | list):
        raise InvalidOptionError(
            f"depends must be a tuple of values, functions, classes or modules, e.g. depends=(config, helper), "
            f"not {given!r}"
        )
    return tuple(given)


def _policy(retry: object) -> Policy | None:
    if retry is None:
        return None
    from resonate_nb.retry import policy_of  # costs more to import than most of this package

    return policy_of(retry)


def _span(option: str, given: object) -> float | None:
    """A length of time in seconds; None for none."""
    if given is None:
        return None
    from resonate_nb.retry import seconds_of

    seconds = seconds_of(given, option)
    if seconds <= 0:
        raise InvalidOptionError(f"{option} must be longer than nothing, not {given!r}")
    return seconds


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
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Of its parameters."""

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def max_attempts(self) -> int:
        return 1 if self.options.retry is None else self.options.retry.max_attempts


def plainly_phrase(options: Options, *, is_cell: bool = False) -> str:
    """How a call runs that cannot be durable, and which of its options do not hold then."""
    is_retried = options.retry is not None and options.retry.max_attempts > 1
    given = {"retry": is_retried, "timeout": options.timeout, "attempt_timeout": options.attempt_timeout}
    spelled = {"retry": "--retries", "timeout": "--timeout"} if is_cell else {}
    unkept = [spelled.get(name, f"{name}=") for name, is_given in given.items() if is_given]
    return "runs plainly, not durably" + (f", and without its {' and '.join(unkept)}" if unkept else "")


@lru_cache(maxsize=64)
def unmet_phrase(work: Work, unmet: tuple[str, ...], known: tuple[str, ...]) -> str:
    """What is said of names that are to be left out of the key, and that nothing has; `known` are those there are."""
    from difflib import get_close_matches  # only a slip of the pen needs it

    named = ", ".join(f"`{name}`" for name in unmet)
    near = [match for name in unmet for match in get_close_matches(name, known, 1)]
    meant = f"; {'are' if len(near) > 1 else 'is'} {' and '.join(f'`{name}`' for name in near)} meant?" if near else ""
    is_one = len(unmet) == 1
    if work.is_cell:
        what = f"--ignore names {named}, which it does not read"
    else:
        kind = "is no parameter of it, nor" if is_one else "are no parameters of it, nor"
        what = f"ignore= names {named}, which {kind} anything that it reads"
    return f"{work.title}: {what}, so nothing is left out for {'it' if is_one else 'them'}{meant}"


_works: dict[tuple[str, str], Work] = {}


def register(work: Work) -> None:
    """The work is found under its name and fixed version (or "" for an automatic one); the last one wins."""
    version = "" if work.options.version is None else str(work.options.version)
    _works[work.name, version] = work


def works_named(name: str) -> list[Work]:
    """All that is registered under a name, of whatever version."""
    return [work for (known, _), work in _works.items() if known == name]
