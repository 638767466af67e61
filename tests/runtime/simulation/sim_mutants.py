"""Faults, put in on purpose: a harness that finds none of them proves nothing by finding no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sim_town import JOBS, NAMES, named

from resonate_nb.protocol import (
    AcceptPromise,
    AcquireTask,
    Command,
    CreatePromise,
    Decision,
    Deleted,
    Delta,
    FenceTask,
    HeartbeatTask,
    Leased,
    Promise,
    ReleaseTask,
    Reply,
    Settled,
    SettlePromise,
    State,
    Status,
    TaskState,
    View,
    apply,
    join_id,
    split_id,
)
from resonate_nb.retry import Constant
from resonate_nb.runtime import Engine
from resonate_nb.runtime._memo import Entry, Memo
from resonate_nb.runtime._tasks import Tasks


class _Mapped(Engine):
    """Each command is another one."""

    def submit(self, commands: Sequence[Command], **others: Any) -> list[Reply]:
        return super().submit([self.mapped(command) for command in commands], **others)

    def mapped(self, command: Command) -> Command:
        raise NotImplementedError


class SettlesWithoutVersion(_Mapped):
    """A former owner is heard."""

    def mapped(self, command: Command) -> Command:
        return replace(command, version=None) if isinstance(command, SettlePromise) else command


class MakesChildrenWithoutFence(_Mapped):
    """A former owner goes on writing what its call does."""

    def mapped(self, command: Command) -> Command:
        return command.action if isinstance(command, FenceTask) else command


class AdoptsAfterRerun(_Mapped):
    """A rerun finds all its steps done."""

    within = MappingProxyType({"jobs": ("fan",), "faults": frozenset(("rerun", "interrupt"))})
    """What it needs to show soon."""

    def mapped(self, command: Command) -> Command:
        if not isinstance(command, CreatePromise) or command.claim is None:
            return command
        base, generation = split_id(command.id)
        before = self.peek([join_id(base, generation - 1)])[0] if generation > 1 else None
        if before is None or before.state is not State.REJECTED or "adopts" in command.param.headers:
            return command
        headers = {**command.param.headers, "adopts": before.id}
        return replace(command, param=replace(command.param, headers=headers))


class _Doubting(Tasks):
    def is_owned(self, promise: Promise) -> bool:
        is_stopped = promise.owner is not None and self._engine.store.is_stopped(promise.owner)
        return super().is_owned(promise) and not is_stopped


class TakesFromStopped(Engine):
    """An owner that stands still for a moment has lost its task."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.tasks = _Doubting(self)


class _Hasty(Tasks):
    def is_owned(self, promise: Promise) -> bool:
        is_over = promise.lease_until is not None and promise.lease_until <= self._engine.clock.now_ms()
        return super().is_owned(promise) and not is_over


class TakesWhenLeaseIsOver(Engine):
    """A lease is believed where the owner can be seen to live."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.tasks = _Hasty(self)


class OverlooksDeadlines(Engine):
    """Records are shown as they are stored."""

    def peek(self, ids: Sequence[str]) -> list[Promise | None]:
        with self.store.read() as reader:
            return [reader.get(id) for id in ids]

    def latest(self, base: str) -> tuple[Promise | None, int]:
        with self.store.read() as reader:
            return reader.latest(base), reader.invalidation


class _Keeping(Tasks):
    def release(self, command: ReleaseTask, also: Any = None) -> None:
        return


class KeepsWhatItLeaves(Engine):
    """A call that was interrupted never gives its task back."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.tasks = _Keeping(self)


class SeesNoRing(Engine):
    """Who waits for whom is not read across processes."""

    within = MappingProxyType({"jobs": ("ping", "pong")})

    def note(self, promise: str, kind: str) -> bytes | None:
        return None if kind == "waits" else super().note(promise, kind)


class _Stale(Memo):
    def get(self, base: str, word: int) -> Entry | None:
        return self._entries.get(base)


class RemembersTooLong(Engine):
    """The memory layer does not look whether anything was forgotten."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.memo = _Stale()


class _Transaction:
    """Writes other deltas than it is given, and reads other tries."""

    def __init__(self, inner: Any, mutate: Callable[[Delta], Delta | None]) -> None:
        self._inner = inner
        self._mutate = mutate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def apply(self, deltas: Iterable[Delta]) -> None:
        self._inner.apply([mutated for delta in deltas if (mutated := self._mutate(delta)) is not None])


class _Rewritten(Engine):
    """What is written is not what was decided."""

    def __init__(self, store: Any, *given: Any, **named: Any) -> None:
        write, mutate = store.write, self.mutated

        class Writing:
            def __init__(self, *given: Any, **named: Any) -> None:
                self._outer = write(*given, **named)

            def __enter__(self) -> Any:
                return _Transaction(self._outer.__enter__(), mutate)

            def __exit__(self, *error: Any) -> None:
                self._outer.__exit__(*error)

        store.write = Writing
        super().__init__(store, *given, **named)

    @staticmethod
    def mutated(delta: Delta) -> Delta | None:
        raise NotImplementedError


class TakesUnderTheOldVersion(_Rewritten):
    """A new owner cannot be told from the former one."""

    @staticmethod
    def mutated(delta: Delta) -> Delta | None:
        if isinstance(delta, Leased) and delta.task is TaskState.ACQUIRED and delta.version > 1:
            return replace(delta, version=delta.version - 1)
        return delta


class LosesSettlements(_Rewritten):
    """One in some is told to be stored and is not."""

    @staticmethod
    def mutated(delta: Delta) -> Delta | None:
        return None if isinstance(delta, Settled) and delta.settled_at % 3 == 0 else delta


class ForgetsFences(_Rewritten):
    """A forgotten task begins anew with version 1."""

    @staticmethod
    def mutated(delta: Delta) -> Delta | None:
        return replace(delta, version=0) if isinstance(delta, Deleted) else delta


ENGINES = (
    SettlesWithoutVersion,
    MakesChildrenWithoutFence,
    AdoptsAfterRerun,
    TakesFromStopped,
    TakesWhenLeaseIsOver,
    OverlooksDeadlines,
    KeepsWhatItLeaves,
    SeesNoRing,
    RemembersTooLong,
    TakesUnderTheOldVersion,
    LosesSettlements,
    ForgetsFences,
)


class Generous(Constant):
    """A policy that allows one try more than it says."""

    def wait_before(self, attempt: int, error: BaseException, now_ms: int, random: Any) -> float | None:
        return super().wait_before(max(2, attempt - 1), error, now_ms, random)


def _generous() -> dict[tuple[str, int], Any]:
    jobs = {
        name: replace(job, options=replace(job.options, retry=Generous(2, delay=1))) if job.options.retry else job
        for name, job in JOBS.items()
    }
    return {(name, argument): named(jobs[name], argument) for name, argument in NAMES}


TOO_MANY_TRIES = _generous()


# The law.


def settles_at_any_version(view: View, command: Command, now: int) -> Decision:
    return apply(view, replace(command, version=None) if isinstance(command, SettlePromise) else command, now)


def beats_for_others(view: View, command: Command, now: int) -> Decision:
    if isinstance(command, HeartbeatTask) and (found := view.get(command.id)) is not None:
        command = replace(command, version=found.version)
    return apply(view, command, now)


def takes_without_a_new_version(view: View, command: Command, now: int) -> Decision:
    decision = apply(view, command, now)
    if not (isinstance(command, AcquireTask) and decision.reply.status is Status.DONE and decision.reply.promise):
        return decision
    promise = replace(decision.reply.promise, version=command.version)
    deltas = tuple(replace(d, version=command.version) if isinstance(d, Leased) else d for d in decision.deltas)
    return Decision(replace(decision.reply, promise=promise), deltas)


def fences_nothing(view: View, command: Command, now: int) -> Decision:
    return apply(view, command.action if isinstance(command, FenceTask) else command, now)


def forgets_the_fence(view: View, command: Command, now: int) -> Decision:
    decision = apply(view, command, now)
    deltas = tuple(replace(delta, version=0) if isinstance(delta, Deleted) else delta for delta in decision.deltas)
    return Decision(decision.reply, deltas)


def overlooks_the_deadline(view: View, command: Command, now: int) -> Decision:
    found = view.get(command.id)
    return apply(view, command, now if found is None else min(now, found.timeout_at - 1))


def settles_again(view: View, command: Command, now: int) -> Decision:
    decision = apply(view, command, now)
    if isinstance(command, SettlePromise) and decision.reply.status is Status.SETTLED:
        return Decision(decision.reply, (*decision.deltas, Settled(command.id, command.state, command.value, now)))
    return decision


def gives_back_for_others(view: View, command: Command, now: int) -> Decision:
    if isinstance(command, ReleaseTask) and (found := view.get(command.id)) is not None:
        command = replace(command, version=found.version)
    return apply(view, command, now)


def accepts_any_version(view: View, command: Command, now: int) -> Decision:
    if isinstance(command, AcceptPromise) and (found := view.get(command.source)) is not None:
        command = replace(command, version=found.version)
    return apply(view, command, now)


def leaves_what_was_accepted(view: View, command: Command, now: int) -> Decision:
    decision = apply(view, command, now)
    if isinstance(command, AcceptPromise) and decision.reply.status is Status.DONE:
        kept = tuple(d for d in decision.deltas if not (isinstance(d, Settled) and d.state is State.CANCELED))
        return Decision(decision.reply, kept)
    return decision


LAWS = (
    accepts_any_version,
    leaves_what_was_accepted,
    settles_at_any_version,
    beats_for_others,
    takes_without_a_new_version,
    fences_nothing,
    forgets_the_fence,
    overlooks_the_deadline,
    settles_again,
    gives_back_for_others,
)
