"""Why a call that finds nothing under its id runs: what is new beside the earlier promise that is nearest to it.

One text, made here: it is said and logged when the body runs, stored with the promise, and what `why` answers before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from resonate_nb.protocol import Promise
from resonate_nb.records import dataclass
from resonate_nb.store import Reader

from ._changes import Change, changes_since, from_json, reason_of, to_json
from ._earlier import FIRST, NEW_ARGUMENTS, nearest, plain_reason
from ._identity import Identity, loaded, passed_over
from ._packages import made_by, recorded
from ._registry import Work
from ._say import duration

_OUTSIDE = {"file", "files", "env"}


@dataclass(frozen=True, slots=True)
class News:
    """What is new of a call."""

    reason: str = FIRST
    """In one line."""
    changes: tuple[Change, ...] = ()
    earlier: str | None = None
    """Id of the promise that it is compared with."""
    is_added: bool = False
    """The reason says more than the changes do."""

    @property
    def is_said(self) -> bool:
        """Whether the person is told: other arguments for code that ran before are no news, unless they were edited."""
        kinds = {change.kind for change in self.changes}
        is_outside_alone = bool(kinds) and kinds <= _OUTSIDE
        is_edited = any(change.is_edited for change in self.changes)
        return self.is_added or is_edited or is_outside_alone or bool(kinds - _OUTSIDE - {"argument"})

    def to_json(self) -> bytes:
        """The changes as they are stored with a promise."""
        return to_json(self.changes)

    def adding(self, text: str) -> News:
        """The same with something more to say, if that is anything."""
        if not text:
            return self
        reason = f"{self.reason}; {text}" if self.changes else text
        return replace(self, reason=reason, is_added=True)


def news_of(
    reader: Reader,
    work: Work,
    identity: Identity,
    arguments: Mapping[str, object],
    before: Promise | None = None,
) -> News:
    """What is new of a call beside `before`, or beside the promise that it would have been."""
    earlier = before or nearest(reader, work, identity)
    if earlier is None:
        return News()
    changes = changes_since(reader, earlier, work, identity, arguments)
    if not changes:
        return News(NEW_ARGUMENTS if arguments else FIRST, (), earlier.id)
    return News(reason_of(changes), changes, earlier.id)


@dataclass(frozen=True, slots=True)
class Ran:
    """Why a promise ran, as it is known afterwards."""

    reason: str
    changes: tuple[Change, ...]
    unsure: tuple[str, ...]
    """What its key did not see."""
    services: tuple[str, ...]
    packages: tuple[str, ...]
    """Differences between the versions of packages then and now that are passed over."""
    slow: tuple[str, ...]
    """Data that took more than a second to fingerprint."""


def slow_phrases(slow: Mapping[str, float]) -> tuple[str, ...]:
    """Of data that takes long to fingerprint, in seconds."""
    return tuple(f"`{name}` takes {duration(seconds * 1_000)} at each call" for name, seconds in slow.items())


def why_it_ran(reader: Reader, promise: Promise) -> Ran:
    """What was stored of why the body of a promise ran."""
    why, changes = reader.note(promise.id, "why"), from_json(reader.note(promise.id, "changes"))
    code = f"code:{made_by(promise)}"
    unseen, parts = loaded(reader.note(code, "unseen"), dict), loaded(reader.note(code, "parts"), dict)
    return Ran(
        plain_reason(reader, promise) if why is None else why.decode(errors="replace"),
        changes,
        tuple(unseen.get("unsure", ())),
        tuple(unseen.get("services", ())),
        tuple(passed_over(recorded(reader, promise), parts)),
        slow_phrases(unseen.get("slow", {})),
    )
