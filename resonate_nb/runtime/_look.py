"""What a promise looks like from outside: records for widgets, tables and command lines, computed and never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum

from resonate_nb.protocol import NEVER, Promise
from resonate_nb.records import dataclass
from resonate_nb.store import Attempt, OwnerInfo

from ._changes import Change

DRAWS = "draws at random"
"""The mark of a body that moved a global random generator, before its colon: it is a hit all the same."""

ACCEPTED = "accepted"
"""The mark of a promise that has its value, or its steps, from an earlier version of the call."""


class Shown(StrEnum):
    """How a promise is shown: its state, and for a pending one what it is doing (DESIGN 2).

    The words in one place: a state is spelled as on the wire where programs read it (`Handle.state`, the column
    ``state`` of `to_frame`), and as its `label` where people do: tables, the inspector, reprs, the column ``shown``. A
    search takes either.
    """

    RUNNING = "running"
    RETRYING = "retrying"
    """A try has failed and its owner waits before the next."""
    QUEUED = "queued"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"
    """For other promises (`Record.waits_for`), or for whoever settles it from outside."""
    RESOLVED = "resolved"
    REJECTED = "rejected"
    CANCELED = "rejected_canceled"
    TIMEDOUT = "rejected_timedout"

    @property
    def label(self) -> str:
        """The word for people: ``timed out``, ``canceled``; else the same."""
        return {Shown.TIMEDOUT: "timed out", Shown.CANCELED: "canceled"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Record:
    """One promise with what is known around it."""

    promise: Promise
    shown: Shown
    attempts: tuple[Attempt, ...] = ()
    owner: OwnerInfo | None = None
    """Who runs it, or who ran it last."""
    replays: int = 0
    """Hits in this process since it started."""
    saved_ms: int = 0
    """Milliseconds of computing that those hits saved: a bound, not a measurement."""
    marks: tuple[str, ...] = ()
    """What is to be known of it: why the next use computes all the same (`again`), ``draws at random: …``, and
    ``accepted: from clean/4be1…@a91c03f7``."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Name to short text; ignored arguments are absent."""
    now: int = 0
    """When this was looked up, epoch milliseconds: what is to come is told from here."""
    waits_for: tuple[str, ...] = ()
    """Ids of the promises that its body waits for. Only this process knows of its own: of what runs elsewhere, none."""
    is_awaited: bool = False
    """Something in this process waits for it."""
    is_ours: bool = False
    """`owner` is this process."""
    is_stopped: bool = False
    """`owner` is a living process that is stopped (SIGSTOP, a suspended job)."""

    @property
    def retry_at(self) -> int | None:
        """When the next try begins, epoch milliseconds; set exactly while it is shown as retrying."""
        return retry_at_of(self.attempts) if self.shown is Shown.RETRYING else None

    @property
    def timeout_at(self) -> int | None:
        """When a pending promise times out, epoch milliseconds; None for one without a deadline, and once settled."""
        promise = self.promise
        return None if promise.state.is_settled or promise.timeout_at >= NEVER else promise.timeout_at

    @property
    def again(self) -> tuple[str, ...]:
        """Why the next use computes all the same: ``not stored: …``, ``not replayable: …``, ``rerun``."""
        return tuple(mark for mark in self.marks if not mark.startswith((f"{DRAWS}:", f"{ACCEPTED}:")))


def retry_at_of(attempts: Sequence[Attempt]) -> int:
    """When the body runs again after its last failure, epoch milliseconds; 0 where nothing is waited for."""
    return (attempts[-1].retry_at or 0) if attempts else 0


@dataclass(frozen=True, slots=True)
class Detail:
    """What opens when a row is opened."""

    record: Record
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Name to short text; ignored arguments are absent."""
    preview: str | None = None
    """The value as short text."""
    preview_html: str | None = None
    """The value as HTML (first rows of a frame), already sanitised by whoever made it; None when there is none."""
    error: str | None = None
    """``TypeName: message`` of a rejected promise."""
    traceback: str | None = None
    output: tuple[Mapping[str, object], ...] = ()
    """Recorded display: nbformat output dicts (stream, display_data, execute_result, error), reduced."""
    why: str | None = None
    """One line: why it ran."""
    changes: tuple[Change, ...] = ()
    """Which pieces were others than those of an earlier promise."""
    unsure: tuple[str, ...] = ()
    """What its key did not see."""
    services: tuple[str, ...] = ()
    """Clients, connections and the like, which count by type and public configuration."""
    packages: tuple[str, ...] = ()
    """Differences between the versions of packages then and now that are passed over."""
    slow: tuple[str, ...] = ()
    """Data that took more than a second to fingerprint."""
