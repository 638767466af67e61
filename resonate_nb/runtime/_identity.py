"""What a call is: its promise's id, version and full fingerprints, and the guard that compares them at each hit."""

from __future__ import annotations

import json
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL besides
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar, get_args

from resonate_nb.errors import InvalidOptionError, StoreError
from resonate_nb.fingerprint import (
    NOT_REPLAYED,
    CodeKey,
    Digests,
    Noted,
    Packages,
    counted,
    fingerprint_named,
    package_digest,
    version_change,
    version_of,
)
from resonate_nb.protocol import Promise, split_id
from resonate_nb.records import dataclass
from resonate_nb.store import Transaction

from . import _config
from ._outside import file_parts
from ._packages import made_by
from ._registry import MAX_ID, Work
from ._template import fill_template

CODE_DIGITS = 8
ARGUMENT_DIGITS = 16

_T = TypeVar("_T")
_NO_ARGUMENTS = Digests("0" * 32, (), ())


@dataclass(frozen=True, slots=True)
class Identity:
    """One call, named. `base` is the id of its first generation."""

    base: str
    code: str
    """Full fingerprint of the version: code alone under a fixed version, code and content under an automatic one."""
    arguments: str
    """Full fingerprint of the arguments; the content of globals joins it under a fixed version and for cells."""
    key: CodeKey
    argument_parts: Mapping[str, str]
    is_automatic_id: bool
    is_automatic_version: bool
    noted: Mapping[str, Noted] = MappingProxyType({})
    """What the walk noted of the parts of the arguments; empty where all of them are plain."""
    wide_base: str | None = None
    """The id with every digit of the fingerprints, for when two calls meet in the short form; None where this is it."""
    argument_services: tuple[str, ...] = ()
    argument_unsure: tuple[str, ...] = ()
    argument_packages: Mapping[str, str] = MappingProxyType({})
    """Import name -> exact version of the packages that the arguments come from and the code does not name itself."""
    argument_package_parts: Mapping[str, str] = MappingProxyType({})
    """What of those versions counts, as in `CodeKey.code_parts`."""

    @property
    def unsure(self) -> tuple[str, ...]:
        """What the key does not see, of the code and of code among the arguments, as in `CodeKey.unsure`."""
        return self.key.unsure + self.argument_unsure

    @property
    def services(self) -> tuple[str, ...]:
        """The clients, connections and the like in globals and arguments: of each its path, its type and what counts.

        Their credentials and their state are no part of what the call is.
        """
        return self.key.services + self.argument_services

    @property
    def packages(self) -> Mapping[str, str]:
        """Import name -> exact version of the installed packages that the call uses, however they count."""
        return {**self.key.packages, **self.argument_packages} if self.argument_packages else self.key.packages

    @property
    def code_parts(self) -> Mapping[str, str]:
        """Name of a function, class or package -> digest."""
        return {**self.key.code_parts, **self.argument_package_parts} if self.argument_packages else self.key.code_parts

    @property
    def wider(self) -> Identity | None:
        """The same call under its wide id."""
        return None if self.wide_base is None else replace(self, base=self.wide_base, wide_base=None)


@dataclass(frozen=True, slots=True)
class Undurable:
    """The call cannot be keyed: it runs plainly, for these reasons."""

    reasons: tuple[str, ...] = field(default=())


def identify(work: Work, arguments: Mapping[str, object]) -> Identity | Undurable:
    """Name a call.

    Args:
        work: the function or cell.
        arguments: bound and complete, in the order of the signature, ignored ones left out.

    Raises:
        UnfingerprintableError: an argument has no stable content; `path` names it.
        InvalidOptionError: the id template cannot be filled.
    """
    if (engine := _config.open_engine()) is not None:
        with suppress(StoreError):  # it was closed just now for another one, which the call comes to
            engine.packages.follow(engine.store)
    key = work.subject.key()
    if key.undurable:
        return Undurable(key.undurable)
    options = work.options
    digests = fingerprint_named(arguments, options.packages) if arguments else _NO_ARGUMENTS
    joint, parts = digests.joint, digests.parts
    if options.files and (files := file_parts(options.files, arguments)):
        parts = {**parts, **files}
        joint = _join(joint, " ".join(text for part in files.items() for text in part))
    # Joined for every cell, so that a cell that reads nothing never shares an id with a function without arguments.
    if work.is_cell or (options.version is not None and key.content_parts):
        joint = _join(joint, key.content)
    brought = {name: version_of(name) for name in digests.packages if name not in key.packages}
    package_parts = _package_parts(brought, options.packages)
    code = _code_of(work, key, package_parts)
    filled = None if options.id is None else fill_template(options.id, arguments)
    stem = f"{work.name}/{joint[:ARGUMENT_DIGITS]}" if filled is None else filled
    wide_stem = f"{work.name}/{joint}" if filled is None else filled
    version = code[:CODE_DIGITS] if options.version is None else str(options.version)
    base = f"{stem}@{version}"
    wide = f"{wide_stem}@{code if options.version is None else version}"
    if len(wide) > MAX_ID:
        raise InvalidOptionError(
            f"the id {base[:60]!r}… has {len(base)} characters, at most {MAX_ID} are allowed; shorten the template"
        )
    return Identity(
        base,
        code,
        joint,
        key,
        parts,
        options.id is None,
        options.version is None,
        digests.noted,
        None if wide == base else wide,
        digests.services,
        digests.unsure,
        brought,
        package_parts,
    )


def _package_parts(versions: Mapping[str, str], packages: Packages) -> dict[str, str]:
    return {f"package {name}": _join(name, counted(name, version, packages)) for name, version in versions.items()}


def _code_of(work: Work, key: CodeKey, package_parts: Mapping[str, str]) -> str:
    """The full fingerprint of the version."""
    is_joined = work.options.version is None and not work.is_cell and bool(key.content_parts)
    code = _join(key.code, key.content) if is_joined else key.code
    if not package_parts:
        return code
    return _join(code, " ".join(text for part in sorted(package_parts.items()) for text in part))


def identity_now(work: Work, promise: Promise) -> Identity | Undurable | None:
    """What the call that made a stored promise would be now; None where its arguments are needed to tell."""
    key = work.subject.key()
    if key.undurable:
        return Undurable(key.undurable)
    headers, about, is_automatic = promise.param.headers, about_of(promise), work.options.version is None
    stem, _, version = split_id(promise.id)[0].rpartition("@")
    was_automatic = headers.get("code", "").startswith(version)
    content = about.get("content", {})
    if "arguments" not in headers or (was_automatic is not is_automatic and (content or key.content_parts)):
        return None
    if not is_automatic and content != dict(key.content_parts):
        return None  # it has joined the arguments
    brought = {name: version_of(name) for name in about.get("packages", {}) if name not in key.packages}
    package_parts = _package_parts(brought, work.options.packages)
    code = _code_of(work, key, package_parts)
    now = code[:CODE_DIGITS] if is_automatic else str(work.options.version)
    is_named = work.options.id is not None
    wide = None if is_named else f"{work.name}/{headers['arguments']}@{code if is_automatic else now}"
    return Identity(
        f"{stem}@{now}",
        code,
        headers["arguments"],
        key,
        about.get("arguments", {}),
        not is_named,
        is_automatic,
        wide_base=wide,
        argument_packages=brought,
        argument_package_parts=package_parts,
    )


@lru_cache(maxsize=1024)
def _join(first: str, second: str) -> str:
    return blake2b(f"{first}/{second}".encode(), digest_size=16).hexdigest()


_SAID = 3


def unsure_phrases(title: str, unsure: Sequence[str], *, is_cell: bool) -> Iterator[str]:
    """What a user is told of a call, or of a cell, whose key does not see everything, or that does what no replay
    does."""
    done = [each for each in unsure if each.endswith(NOT_REPLAYED)]
    if done:
        yield f"{title}: it {_listed(done)}"
    unsure = [each for each in unsure if each not in done]
    if not unsure:
        return
    what = f"{title}: its key does not see everything: it {_listed(unsure)}. "
    if all(";" in each for each in unsure):  # each says its own way out
        yield f"{what}A change there is not noticed"
        return
    ways = "name it in the cell as well, or give another --version after such an edit"
    if not is_cell:
        ways = "pass it as an argument, name it in depends=, or give another version= after such an edit"
    yield f"{what}An edit of what that leads to is not noticed: {ways}"


def _listed(phrases: Sequence[str]) -> str:
    more = f"; and {len(phrases) - _SAID} more (see why())" if len(phrases) > _SAID else ""
    return f"{'; it '.join(phrases[:_SAID])}{more}"


def cell_place(work: Work, identity: Identity) -> str:
    """Where it is noted which promise of a cell is the newest. Cells without a label share a name and nothing else:
    one is known again by its code only."""
    return f"cell:{work.name if work.name != 'cell' else identity.code}"


def param_headers(identity: Identity, work: Work) -> dict[str, str]:
    """What is stored with the promise at its birth, for the guard and for looking."""
    headers = {"name": work.name, "code": identity.code, "arguments": identity.arguments}
    if work.is_cell:
        headers["kind"] = "cell"
    return headers


def meets_another(identity: Identity, promise: Promise) -> bool:
    """Whether the stored promise is another call's that only shares our shortened fingerprints."""
    headers = promise.param.headers
    other_code = identity.is_automatic_version and headers.get("code", identity.code) != identity.code
    other_arguments = identity.is_automatic_id and headers.get("arguments", identity.arguments) != identity.arguments
    return other_code or other_arguments


def differing_arguments(identity: Identity, promise: Promise) -> tuple[str, ...] | None:
    """The names of what the promise of this id was made with and is another now; None when it is the same call."""
    stored = promise.param.headers.get("arguments")
    if stored is None or stored == identity.arguments:
        return None
    before = about_of(promise)
    ours = dict(identity.argument_parts) | dict(identity.key.content_parts)
    theirs = before.get("arguments", {}) | before.get("content", {})
    return tuple(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)) if before else ()


def has_drifted(identity: Identity, promise: Promise) -> bool:
    """Whether the code behind a fixed version is other code than what made this promise's value."""
    if identity.is_automatic_version:
        return False
    return made_by(promise) not in ("", identity.code)


_encode = json.JSONEncoder(separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring_ascii


def about_call(identity: Identity, shown: Mapping[str, str]) -> bytes:
    """What is stored of a call for people and for comparing: short texts of its arguments, and digests per part."""
    maps = (
        ("shown", shown),
        ("arguments", identity.argument_parts),
        ("content", identity.key.content_parts),
        ("packages", identity.argument_packages),
    )
    # By hand: each call that is computed passes here, and an encoder takes ten times as long.
    texts = [
        f'"{kind}":{{{",".join([f"{_quoted(name)}:{_quoted(text)}" for name, text in texts.items()])}}}'
        for kind, texts in maps
        if texts
    ]
    return f"{{{','.join(texts)}}}".encode() if texts else b""


def about_now(identity: Identity, promise: Promise) -> bytes:
    """The same for the call of a stored promise as it is now, whose arguments are not at hand."""
    return about_call(identity, about_of(promise).get("shown", {}))


def about_of(promise: Promise) -> dict[str, dict[str, str]]:
    """What `about_call` stored; nothing where that is no record of ours."""
    data = promise.param.data
    if not data or "arguments" not in promise.param.headers:
        return {}
    try:
        about = json.loads(data)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def loaded(data: bytes | None, kind: type[_T]) -> _T:
    """What a note holds, of this kind; an empty one where there is none, or it is damaged: no call fails of that."""
    try:
        found = json.loads(data) if data is not None else None
    except ValueError:
        found = None
    return found if isinstance(found, kind) else kind()


def put_code_notes(transaction: Transaction, identity: Identity) -> None:
    """What is stored once per fingerprint of code: digests per part, the canonical source of each for diffs, and what
    the key does not see or passes over."""
    place = f"code:{identity.code}"
    transaction.put_note(place, "parts", _encode(dict(identity.code_parts)).encode())
    transaction.put_note(place, "sources", _encode(dict(identity.key.sources)).encode())
    unseen = {"unsure": identity.unsure, "services": identity.services, "slow": dict(identity.key.slow)}
    if any(unseen.values()):
        transaction.put_note(place, "unseen", _encode(unseen).encode())


def version_changes(identity: Identity, versions: Mapping[str, str]) -> list[str]:
    """How the packages that the code uses differ from those of an earlier run of it."""
    now = identity.packages
    return [
        f"package {version_change(name, versions[name], now[name])}"
        for name in now
        if name in versions and versions[name] != now[name]
    ]


def passed_over(versions: Mapping[str, str], parts: Mapping[str, str]) -> list[str]:
    """How packages differ now from those of an earlier run, where that does not count; `parts` are the digests of what
    its code was made of."""
    found = []
    for name, then in versions.items():
        now = version_of(name)
        ways = [counted(name, now, way) for way in get_args(Packages)]
        alike = {digest for way in ways for digest in (package_digest(name, way), _join(name, way))}
        if now != then and parts.get(f"package {name}") in alike:
            found.append(f"package {version_change(name, then, now)}")
    return found


def code_diff(before: bytes | None, identity: Identity) -> str:
    """A unified diff of the canonical sources, from those stored to ours; "" when there is nothing to compare."""
    theirs: dict[str, str] = json.loads(before) if before else {}
    ours = identity.key.sources
    return "\n".join(filter(None, (part_diff(part, theirs, ours) for part in sorted({*theirs, *ours}))))


def changed_parts(before: bytes | None, identity: Identity) -> list[str]:
    """What differs of the code, by name: for a change that no source text shows, such as another class of that name."""
    theirs: dict[str, str] = json.loads(before) if before else {}
    ours = identity.code_parts
    names = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)] if theirs else []
    return [f"what differs: {', '.join(f'`{name}`' for name in names)}"] if names else []


def part_diff(part: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """A unified diff of the canonical source of one part of the code; "" where it is the same."""
    import difflib  # slow to load, and most calls are no news

    lines = difflib.unified_diff(
        before.get(part, "").splitlines(),
        now.get(part, "").splitlines(),
        f"{part} (stored)",
        f"{part} (now)",
        lineterm="",
        n=2,
    )
    return "\n".join(lines)
