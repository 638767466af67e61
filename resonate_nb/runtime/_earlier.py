"""Which promise a call would have been before: of the same arguments under other code, or the one nearest to it.

The one place that says so: `why` compares with it, the line of a call that runs is made of that, and `accept` carries
its result over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from glob import escape

from resonate_nb.protocol import Promise, split_id
from resonate_nb.store import Query, Reader

from ._identity import Identity, about_of, cell_place
from ._packages import made_by
from ._registry import Work

FIRST = "first run"
"""Why a call runs that there is nothing to compare with."""
NEW_ARGUMENTS = "first run with these arguments"
"""And one whose code ran before, with other plain arguments."""
_MOST_VERSIONS = 16
"""Of one call: so many are looked at, the newest."""
_MOST_RECENT = 32
"""Of one name: so many are looked at, the newest."""


def before_the_edit(reader: Reader, work: Work, identity: Identity) -> Promise | None:
    """The newest promise of the same call under another version: same name and arguments, other code or data that the
    code reads. None where there is none; then nothing was edited that this call had run with."""
    return next(iter(versions_of(reader, work, identity)), None)


def versions_of(reader: Reader, work: Work, identity: Identity) -> list[Promise]:
    """The latest generation of each other version of a call, newest first.

    Cells without a label share a name and nothing else: of their versions there is only one.
    """
    return _versions(reader, work, identity, reader.recent(work.name, _MOST_RECENT))


def _versions(reader: Reader, work: Work, identity: Identity, recent: Sequence[Promise]) -> list[Promise]:
    if not _is_known_again(work):
        return []
    place = _place(identity.base)
    listed = [*recent]
    if ":" not in identity.base:
        listed += reader.search(Query(f"{escape(place)}@*", name=escape(work.name), limit=_MOST_VERSIONS), bare=True)
    found: dict[str, Promise] = {}
    for promise in sorted(listed, key=lambda each: each.created_at, reverse=True):
        base = split_id(promise.id)[0]
        is_same = promise.param.headers.get("arguments") == identity.arguments and _place(base) == place
        if is_same and base != identity.base and base not in found and _is_of(work, promise):
            found[base] = reader.latest(base) or promise
    return list(found.values())


def nearest(reader: Reader, work: Work, identity: Identity) -> Promise | None:
    """What a call that finds nothing under its id is to be compared with: itself before the last edit; else the recent
    call of the same version that differs in the fewest arguments; else the newest of its name."""
    recent = reader.recent(work.name, _MOST_RECENT)
    if edited := _versions(reader, work, identity, recent):
        return edited[0]
    base, parts = identity.base, parts_of(identity)
    known = [promise for promise in recent if split_id(promise.id)[0] != base and _is_of(work, promise)]
    if not _is_known_again(work):
        latest = reader.note(cell_place(work, identity), "latest")
        last = None if latest is None else reader.get(latest.decode())
        known = [] if last is None or last.id == base else [last]

    def distance(promise: Promise) -> tuple[bool, int]:
        theirs = stored_parts_of(promise)
        differing = sum(theirs.get(name) != digest for name, digest in parts.items()) + len(theirs.keys() - parts)
        return made_by(promise) != identity.code, differing

    return min(known, key=distance, default=None)


def plain_reason(reader: Reader, promise: Promise) -> str:
    """Why a promise ran of which nothing was stored about that: its name, or its arguments, were new."""
    name = promise.param.headers.get("name")
    if name is None or not promise.param.data or promise.param.headers.get("kind") == "cell":
        return FIRST  # a cell has no arguments, and other inputs are news that is stored
    return NEW_ARGUMENTS if reader.search(Query(name=escape(name), until=promise.created_at, limit=1)) else FIRST


def parts_of(identity: Identity) -> Mapping[tuple[str, str], str]:
    """The digest of each argument (``("argument", name)``) and of each piece of data that the code reads
    (``("global", name)``)."""
    found = {("argument", name): digest for name, digest in identity.argument_parts.items()}
    return found | {("global", name): digest for name, digest in identity.key.content_parts.items()}


def stored_parts_of(promise: Promise) -> Mapping[tuple[str, str], str]:
    """The same as they were stored with a promise."""
    about = about_of(promise)
    found = {("argument", name): digest for name, digest in about.get("arguments", {}).items()}
    return found | {("global", name): digest for name, digest in about.get("content", {}).items()}


def _place(base: str) -> str:
    """An id without its version; of a step, whose id begins with its parent's and that one's version, its own part."""
    return base.rpartition(":")[2] if ":" in base else base.rpartition("@")[0]


def _is_known_again(work: Work) -> bool:
    return not work.is_cell or work.name != "cell"


def _is_of(work: Work, promise: Promise) -> bool:
    """Whether it is of this function or cell: the two may share a name."""
    return (promise.param.headers.get("kind") == "cell") == work.is_cell
