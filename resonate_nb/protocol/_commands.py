"""One frozen class per request that the protocol understands, and the reply it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from resonate_nb.records import dataclass

from ._records import EMPTY, NEVER, Delta, Promise, State, Value


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes a task, and for how long (milliseconds) without a heartbeat."""

    owner: str
    lease_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a promise has come to before it was made: resolved, rejected or canceled, and the value."""

    state: State
    value: Value = EMPTY


@dataclass(frozen=True, slots=True)
class CreatePromise:
    """Make the promise, or get the one that is there: the id is the idempotency key, first write wins.

    With `claim` it has a task, acquired by the claimant in the same step if the promise was absent. With `outcome`
    it has no task and is settled in the same step if it was absent: one write for work that is done already. At
    most one of the two.
    """

    id: str
    timeout_at: int = NEVER
    param: Value = EMPTY
    tags: Mapping[str, str] = field(default_factory=dict)
    claim: Claim | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class SettlePromise:
    """Resolve, reject or cancel. With `version` it is the task holder's fulfilment and must carry the current one."""

    id: str
    state: State
    value: Value = EMPTY
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AcquireTask:
    """Take a pending task whose version is `version`; the new holder's version is one higher."""

    id: str
    version: int
    claim: Claim


@dataclass(frozen=True, slots=True)
class HeartbeatTask:
    """Extend the lease of an acquired task to now plus its length."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class ReleaseTask:
    """Give an acquired task back; the version stays."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class FenceTask:
    """Do `action`, on another promise, if the task of `id` is acquired at `version`: only its holder has children.

    The reply is that of the action. When the fence refuses, the action is not looked at, and the reply is of `id`:
    the id of the promise in the reply tells which of the two has spoken.
    """

    id: str
    version: int
    action: CreatePromise | SettlePromise


@dataclass(frozen=True, slots=True)
class ExpirePromise:
    """Write down what the deadline has already decided; nothing if it has not passed."""

    id: str


@dataclass(frozen=True, slots=True)
class AcceptPromise:
    """What `source` has come to, or has got to, counts for `id` as well, which is absent.

    Where `source` has resolved, `id` is made resolved, with `value`, and has no task. Else `id` is made pending, with a
    task that nobody has taken yet; a pending source is canceled in the same step, and leaves its deadline to `id`. A
    pending source whose task is acquired, or that has none, is refused.

    `version` is that of the task of `source`: the promise that was looked at is the one that is meant. The reply is of
    `id`, or of `source` where that stands in the way: the id of the promise in the reply tells which.
    """

    id: str
    source: str
    version: int
    param: Value = EMPTY
    value: Value = EMPTY
    tags: Mapping[str, str] = field(default_factory=dict)
    timeout_at: int = NEVER
    """Deadline of `id`, where `source` has settled otherwise than resolved."""


@dataclass(frozen=True, slots=True)
class ForgetPromise:
    """Drop the promise; refused while its task is acquired. Its task's version lives on as the fence of the id."""

    id: str


Command = (
    CreatePromise
    | SettlePromise
    | AcquireTask
    | HeartbeatTask
    | ReleaseTask
    | FenceTask
    | ExpirePromise
    | AcceptPromise
    | ForgetPromise
)


class Status(StrEnum):
    """What became of a command."""

    DONE = "done"
    """The command took effect; the reply carries the record as it is now (as it was, for a forgotten one)."""
    EXISTS = "exists"
    """Create found the promise; the reply carries it unchanged (or as its deadline has left it)."""
    SETTLED = "settled"
    """The promise had settled before; the reply carries it. For a settle: somebody else won, compare."""
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    """The task is not in a state, or not of the version, that the command needs. A former owner is told so."""
    INVALID = "invalid"
    """The command asks for what no client may: settle into pending or timed out, claim what it says is settled, fence
    an action on the very promise that is the fence, accept a promise for itself. Nothing that is stored could make it
    right."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command; `promise` is None exactly when there is none of that id."""

    status: Status
    promise: Promise | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command comes to: the answer, and the deltas that make it true. A refusal has no deltas
    (except those of a deadline that was found to have passed)."""

    reply: Reply
    deltas: tuple[Delta, ...] = ()
