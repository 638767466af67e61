"""Why: whether a call would be a hit, and in one line why; which pieces differ; and what its key does not see.

It looks and nothing else: no body runs, nothing is stored, said or waited for. What a call would do is decided by the
very function that decides it for a call (`call.plan`), so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from resonate_nb.errors import DriftError, IdReuseError, UnfingerprintableError
from resonate_nb.protocol import Promise, State, split_id
from resonate_nb.records import dataclass

from . import _config, _identity
from ._changes import Change
from ._earlier import FIRST, before_the_edit
from ._engine import Engine
from ._identity import Identity, Undurable
from ._look import Record, Shown
from ._news import news_of, slow_phrases, why_it_ran
from ._packages import recorded
from ._reading import record_of
from ._registry import Work
from ._say import duration, unsaid
from .call import Hit, Refuse, Run, Wait, ended_how, origin_of, plan, steps_not_used


class Verdict(StrEnum):
    """What becomes of a call, or became of it; the value is how it is put after the call's name."""

    HIT = "would be a hit"
    RUN = "would run"
    WAIT = "would wait"
    REFUSED = "is refused"
    PLAIN = "would run plainly"
    RAN = "ran"
    RUNS = "runs"
    KEPT = "was not run"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a call would be a hit or not, or why a promise ran; `print` shows it, and a notebook draws it.

    True exactly when the call would be a hit.
    """

    title: str
    """How messages call the function or cell."""
    verdict: Verdict
    reason: str
    """In one line: what the call's own line says when it runs."""
    id: str | None = None
    """Of the promise that there is, else of the one that the call would make; None for a call without a key."""
    state: str | None = None
    """How that promise is shown (``resolved``, ``interrupted``, …); None where there is none."""
    changes: tuple[Change, ...] = ()
    """The pieces that differ from `compared_with`: each has a `kind`, a `name`, a `text`, and a `diff` where it is
    code."""
    compared_with: str | None = None
    """Id of the earlier promise that is nearest to the call."""
    details: tuple[str, ...] = ()
    """What else there is to say of the promise that was found."""
    unsure: tuple[str, ...] = ()
    """What the key does not see: an edit of that would not be noticed."""
    services: tuple[str, ...] = ()
    """Clients, connections and the like, which count by type and public configuration."""
    packages: tuple[str, ...] = ()
    """Differences between versions of packages that are passed over."""
    slow: tuple[str, ...] = ()
    """Data that takes more than a second to fingerprint."""
    would_hit: bool = False
    """Whether a call would get what is stored, a stored failure included, so that no body runs."""

    @property
    def diff(self) -> str:
        """The diffs of all code that changed, as one text; "" where there is none."""
        return "\n".join(change.diff for change in self.changes if change.diff)

    def __bool__(self) -> bool:
        return self.would_hit

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        lines = [f"{self.title} {self.verdict}: {self.reason}"]
        if self.id is not None:
            lines.append(f"  promise {self.id}" + (f" ({self.state})" if self.state else ""))
        lines += [f"  {detail}" for detail in self.details]
        if self.compared_with is not None and self.compared_with != self.id:
            lines.append(f"  compared with {self.compared_with}")
        for change in self.changes:
            lines.append(f"  {change.text}")
            lines += [f"    {line}" for line in change.diff.splitlines()]
        for heading, texts in sections(self):
            lines.append(f"  {heading}:")
            lines += [f"    {text}" for text in texts]
        return lines


def sections(explanation: Explanation) -> list[tuple[str, tuple[str, ...]]]:
    """What is to be known beside the changes, under its headings."""
    found = [
        ("unsure", explanation.unsure),
        ("services", explanation.services),
        ("packages passed over", explanation.packages),
        ("slow to fingerprint", explanation.slow),
    ]
    return [(heading, texts) for heading, texts in found if texts]


def explain_call(work: Work, arguments: Mapping[str, object]) -> Explanation:
    """Why a call made now would be a hit or not.

    Args:
        work: the function or cell.
        arguments: bound and complete, in the order of the signature, ignored ones left out.

    Raises:
        InvalidOptionError: the id template cannot be filled.
    """
    try:
        identity = _identity.identify(work, arguments)
    except UnfingerprintableError as error:
        return Explanation(work.title, Verdict.REFUSED, str(error))
    if isinstance(identity, Undurable):
        return Explanation(work.title, Verdict.PLAIN, "; ".join(identity.reasons))
    engine = _config.existing_engine()
    if engine is None:
        found = Explanation(work.title, Verdict.RUN, FIRST, identity.base, details=("there is no store here yet",))
    else:
        found = _judged(engine, work, identity, arguments)
    if work.options.keyed_by == "call":
        place = "inside a durable call it is a step, and counts by its place there"
        found = replace(found, details=(*found.details, place))
    found = replace(found, unsure=identity.unsure, services=identity.services, slow=slow_phrases(identity.key.slow))
    if not _config.is_enabled():
        reason = f"everything is switched off; else it {found.verdict}: {found.reason}"
        return replace(found, verdict=Verdict.PLAIN, would_hit=False, reason=reason)
    return found


def explain_promise(engine: Engine, promise: Promise) -> Explanation:
    """Why the body of a promise ran, as it was stored then, and whether its next use would run it again."""
    with engine.store.read() as reader:
        ran = why_it_ran(reader, promise)
    record = record_of(engine, promise)
    name = promise.param.headers.get("name", "")
    return Explanation(
        promise.id if name in ("", "cell") else name,
        _became(promise),
        ran.reason,
        promise.id,
        record.shown.label,
        ran.changes,
        details=_details(record, ran.reason),
        unsure=ran.unsure,
        services=ran.services,
        packages=ran.packages,
        slow=ran.slow,
        would_hit=promise.state is State.RESOLVED and not record.again,
    )


def _became(promise: Promise) -> Verdict:
    if promise.state is State.PENDING:
        return Verdict.RUNS
    return Verdict.RAN if origin_of(promise) == promise.id else Verdict.KEPT


def _judged(engine: Engine, work: Work, identity: Identity, arguments: Mapping[str, object]) -> Explanation:
    """What a call would do now, and why."""
    try:
        with unsaid():
            step, identity = plan(engine, work, identity, rerun=False)
    except (IdReuseError, DriftError) as refusal:
        promise = engine.peek([refusal.id])[0]
        found = Explanation(work.title, Verdict.REFUSED, str(refusal).partition("\n")[0])
        return _compared(engine, work, identity, arguments, promise, found)
    match step:
        case Hit():
            promise = engine.peek([step.entry.promise.id])[0] or step.entry.promise
            is_own = (origin := origin_of(promise)) == promise.id
            reason = "same code, same arguments" if is_own else f"its result was accepted from {origin}"
            found = Explanation(work.title, Verdict.HIT, reason, would_hit=True)
            with engine.store.read() as reader:
                passed_over = _identity.version_changes(identity, recorded(reader, promise))
            found = replace(found, packages=tuple(passed_over))
            compared = _compared(engine, work, identity, arguments, promise, found)
            if any(change.kind != "package" for change in compared.changes):
                return replace(compared, reason="its id is that of a stored result, which is used although it differs")
            return compared
        case Refuse():
            reason = f'its failure is stored, and on_rejected="raise": {ended_how(step.promise)}'
            found = Explanation(work.title, Verdict.HIT, reason, would_hit=True)
            return _compared(engine, work, identity, arguments, step.promise, found)
        case Wait():
            record = record_of(engine, step.promise)
            who = "" if record.owner is None else f" in process {record.owner.pid} on {record.owner.host}"
            reason = f"it is {record.shown.label}{who}"
            return _compared(
                engine, work, identity, arguments, step.promise, Explanation(work.title, Verdict.WAIT, reason)
            )
        case Run():
            return _running(engine, work, identity, arguments, step)
        case never:
            assert_never(never)


def _running(engine: Engine, work: Work, identity: Identity, arguments: Mapping[str, object], run: Run) -> Explanation:
    before = run.superseded or run.taken_over
    with engine.store.read() as reader:
        news = news_of(reader, work, identity, arguments, before)
        if engine.is_new_code(identity.code):
            news = news.adding(steps_not_used(reader, identity, run))
        earlier = before_the_edit(reader, work, identity) if before is None else None
    kept = () if earlier is None or not _has_result(earlier) else (f"accept would keep what {earlier.id} came to",)
    found = Explanation(work.title, Verdict.RUN, run.reason or news.reason, run.id, None, news.changes, news.earlier)
    return replace(found, details=kept) if before is None else _about(engine, before, found)


def _compared(
    engine: Engine,
    work: Work,
    identity: Identity,
    arguments: Mapping[str, object],
    promise: Promise | None,
    found: Explanation,
) -> Explanation:
    """With what differs from the promise that is there."""
    if promise is None:
        return replace(found, id=identity.base)
    with engine.store.read() as reader:
        news = news_of(reader, work, identity, arguments, promise)
    return _about(engine, promise, replace(found, changes=news.changes, compared_with=promise.id))


def _about(engine: Engine, promise: Promise, found: Explanation) -> Explanation:
    """With what is known of the promise that is there."""
    record = record_of(engine, promise)
    return replace(found, id=promise.id, state=record.shown.label, details=_details(record, found.reason))


def _has_result(promise: Promise) -> bool:
    """Whether there is a value of it that a hit would hand out, as far as the record itself tells."""
    is_kept = not {"not_stored", "not_replayable"} & promise.value.headers.keys()
    return promise.state is State.RESOLVED and is_kept


def _details(record: Record, reason: str) -> tuple[str, ...]:
    """What there is to say of a promise beside the reason."""
    promise = record.promise
    details = [mark for mark in record.marks if (mark.partition(": ")[2] or mark).partition(". ")[0] not in reason]
    if promise.state in (State.REJECTED, State.CANCELED, State.TIMEDOUT):
        details.insert(0, ended_how(promise))
    elapsed = next((each.elapsed_us for each in reversed(record.attempts) if each.elapsed_us is not None), None)
    if promise.settled_at is not None:
        took = "" if elapsed is None else f", after running for {duration(elapsed / 1_000)}"
        details.append(f"settled {duration(max(0, record.now - promise.settled_at))} ago{took}")
    if record.shown in (Shown.RUNNING, Shown.RETRYING, Shown.INTERRUPTED) and record.owner is not None:
        details.append(f"owner: process {record.owner.pid} on {record.owner.host}")
    base, generation = split_id(promise.id)
    if generation > 1:
        details.append(f"generation {generation} of {base}")
    return tuple(details)
