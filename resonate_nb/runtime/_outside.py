"""`files=` and `env=`: what a user has declared to count although Python cannot see it.

The content of files that arguments name joins the arguments; that of literal paths, and of environment variables,
joins the data that the code reads. Nothing of either is stored but digests: a variable may hold a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from blake3 import blake3

from resonate_nb.errors import InvalidOptionError, UnfingerprintableError
from resonate_nb.fingerprint import Outside

from ._entries import DIGEST_BYTES, MISSING, entry_digest, is_pattern, joint_digest, places_of, working_directory
from ._inventory import Inventory, Summary, inventory_changes, inventory_of

Spelled = str | bytes | os.PathLike[str]

_PATH_LETTERS = frozenset("/\\.*?[~")
_MOST_NAMED = 32
"""Files of one argument that are told apart by name; of more it is only said that they changed."""


def check_files(title: str, files: Collection[str], parameters: Collection[str], ignored: Collection[str]) -> None:
    """Each names a parameter, or is a path.

    Raises:
        InvalidOptionError: one is neither, or names a parameter that `ignore` leaves out.
    """
    for entry in files:
        if entry in ignored and entry in parameters:
            raise InvalidOptionError(
                f"{title}: {entry!r} is in files=, so its content counts, and in ignore=, which leaves it out; "
                "take it out of one of the two"
            )
        if entry not in parameters and not is_path(entry):
            has = f"one of its parameters ({', '.join(parameters)})" if parameters else "a parameter (it has none)"
            raise InvalidOptionError(
                f"{title}: files={entry!r} names no parameter and looks like no path; write {has}, "
                f"or a path or pattern such as './{entry}' or 'data/*.csv'"
            )


def is_path(entry: str) -> bool:
    """Whether a word is a path or a pattern, and no name of Python's."""
    return not _PATH_LETTERS.isdisjoint(entry)


def outside_of(
    files: Collection[str],
    env: Collection[str],
    parameters: Collection[str] = (),
    variable: Callable[[str], object] | None = None,
) -> tuple[Outside, ...]:
    """What joins the data that the code reads. `variable` gives the value of a name that stands for paths."""
    found = [Outside(f"env {name}", partial(_env_digest, name)) for name in env]
    for entry in files:
        if entry in parameters:
            continue
        if is_path(entry):
            found.append(Outside(part_of(entry), partial(entry_digest, entry)))
        elif variable is not None:
            found.append(Outside(f"files of `{entry}`", partial(_variable_digest, variable, entry)))
    return tuple(found)


def file_parts(files: Collection[str], arguments: Mapping[str, object]) -> dict[str, str]:
    """The digests of the files that the arguments name, by what they are called in the key.

    Raises:
        UnfingerprintableError: an argument is no path, or its file cannot be read.
    """
    found: dict[str, str] = {}
    for name in files:
        if name in arguments:
            paths = list(paths_of(name, arguments[name]))
            if len(paths) > _MOST_NAMED:
                found[f"files of `{name}`"] = _joined(paths).hex()
            else:
                found |= {part_of(os.fsdecode(path)): entry_digest(path).hex() for path in paths}
    return found


def paths_of(name: str, value: object) -> Iterator[Spelled]:
    """The paths that an argument, or a list or dict of paths, stands for.

    Raises:
        UnfingerprintableError: it is something else.
    """
    match value:
        case None:
            return
        case str() | bytes() | os.PathLike():
            yield value
        case Mapping():
            for each in value.values():
                yield from paths_of(name, each)
        case list() | tuple():
            for each in value:
                yield from paths_of(name, each)
        case set() | frozenset():
            yield from sorted((path for each in value for path in paths_of(name, each)), key=os.fsencode)
        case _:
            kind = type(value).__qualname__
            reason = f"it is a {kind}, and files= takes arguments that are paths: str, Path, or lists of them"
            raise UnfingerprintableError(name, "file", reason)


def declared_entries(
    files: Collection[str], arguments: Mapping[str, object], digests: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The declared paths of one call, each with its digest; `digests` are those of its key, by name of part."""
    spelled = [entry for entry in files if entry not in arguments]
    spelled += [os.fsdecode(path) for name in files if name in arguments for path in paths_of(name, arguments[name])]
    return [(entry, digests.get(part_of(entry)) or entry_digest(entry).hex()) for entry in spelled]


def declared_places(parts: Mapping[str, str]) -> frozenset[str]:
    """Where the declared files of a call lie; `parts` are the digests of its key, by name of part."""
    found: set[str] = set()
    for name, digest in parts.items():
        kind, _, rest = name.partition(" ")
        if name.startswith("files of `"):  # several, which are known by what was found there just now
            spelled = [inner for inner, _ in (inventory_of(digest) or {}).get("names", ())]
        else:
            spelled = [rest] if kind in ("file", "files") else []
        for each in spelled:
            found |= places_of(each)
    return frozenset(found)


def part_of(spelled: str) -> str:
    """What a path is called in a key."""
    return f"{'files' if is_pattern(spelled) or spelled.endswith(os.sep) else 'file'} {spelled}"


def change_of(name: str, before: str, now: str, kept: Summary) -> str:
    """How people are told that something outside of Python has other content, given its digests; `kept` is what is
    known of a folder as it was."""
    if told := inventory_changes(kept, inventory_of(now)):
        kind, _, rest = name.partition(" ")
        return f"{f'folder {rest}' if kind == 'file' else title_of(name)}: {told}"
    title = title_of(name)
    are_several = title.startswith("files ")
    if not (before and now):
        return f"{title} {'count' if are_several else 'counts'} {'now' if now else 'no more'}"
    came_to = _GONE.get(now) or _COME.get(before)
    return f"{title} changed" if came_to is None else f"{title} {'are' if are_several else 'is'} {came_to}"


def missing_phrase(title: str, parts: Mapping[str, str], *, is_cell: bool) -> str:
    """What is said of declared paths, written down with the code, that lead to nothing; `parts` are the digests of its
    key. Empty where there is none: a slip of the pen would else go unnoticed."""
    missing = MISSING.hex()
    spelled = [f"`{name.partition(' ')[2]}`" for name, digest in parts.items() if digest == missing]
    if not spelled:
        return ""
    option, is_one = "--files" if is_cell else "files=", len(spelled) == 1
    here = working_directory() or "a folder that is gone"
    return (
        f"{title}: {option} names {', '.join(spelled)}, where nothing is (seen from {here}); "
        f"{'it counts' if is_one else 'they count'} as missing until {'it is' if is_one else 'they are'} there"
    )


def title_of(name: str) -> str:
    """How people are told of a part of the key: a name of Python's in backticks, all else by its kind."""
    kind, _, rest = name.partition(" ")
    match kind:
        case "env":
            return f"environment variable `{rest}`"
        case "files" if rest.endswith(os.sep):
            return f"folder {rest}"
        case _:
            return name if rest else f"`{name}`"


def is_outside(name: str) -> bool:
    """Whether a part of the key lies outside of Python."""
    return name.startswith(("env ", "file ", "files "))


def _env_digest(name: str) -> bytes:
    value = os.environ.get(name)
    return _UNSET if value is None else joint_digest(b"", b"set", os.fsencode(name), os.fsencode(value))


_UNSET = joint_digest(b"", b"unset")
_GONE = {MISSING.hex(): "no longer there", _UNSET.hex(): "no longer set"}
_COME = {MISSING.hex(): "there now", _UNSET.hex(): "set now"}


def _variable_digest(variable: Callable[[str], object], name: str) -> bytes:
    return _joined(list(paths_of(name, variable(name))))


def _joined(paths: Collection[Spelled]) -> bytes:
    inventory, digests = Inventory(), [entry_digest(path) for path in paths]
    whole = blake3(b"".join(digests)).digest(DIGEST_BYTES)
    for path, digest in zip(paths, digests, strict=True):
        inventory.add(os.fsdecode(path), digest)
    inventory.keep(whole)
    return whole
