"""A handle: a promise held by its id, looked at, waited for and read, without running anything."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from resonate_nb.codec import decode
from resonate_nb.errors import PromiseNotFoundError, WaitTimeoutError
from resonate_nb.protocol import Promise, State
from resonate_nb.store import Attempt, OwnerInfo

from . import _context
from ._engine import Engine
from ._held import cancel_on_interrupt
from ._look import Record
from ._reading import record_of
from ._say import duration
from ._whom import Telling, whom
from .call import load, stored_error

if TYPE_CHECKING:
    from ._why import Explanation

_LIVENESS_SECONDS = 0.25


class Handle:
    """One promise. Every attribute is read from the store at the moment it is asked for."""

    __slots__ = ("_engine", "id")

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self.id = id

    def _promise(self) -> Promise:
        found = self._engine.peek([self.id])[0]
        if found is None:
            raise PromiseNotFoundError(f"promise {self.id!r} is not in the store any more; it was forgotten")
        return found

    @property
    def state(self) -> State:
        return self._promise().state

    @property
    def tags(self) -> Mapping[str, str]:
        return self._promise().tags

    @property
    def attempts(self) -> list[Attempt]:
        """The tries so far, in order."""
        return list(self._engine.attempts(self.id))

    @property
    def owner(self) -> OwnerInfo | None:
        """The process that runs it now; None when nobody does."""
        promise = self._promise()
        return self._engine.describe(promise) if self._engine.tasks.is_owned(promise) else None

    @property
    def created_at(self) -> int:
        """Epoch milliseconds."""
        return self._promise().created_at

    @property
    def settled_at(self) -> int | None:
        """Epoch milliseconds; None while pending."""
        return self._promise().settled_at

    @property
    def record(self) -> Record:
        """The promise with what is known around it, for whoever draws it."""
        return record_of(self._engine, self._promise())

    def why(self) -> Explanation:
        """Why its body ran: in one line, with the pieces of code and data that had changed; and what its key does not
        see."""
        from ._why import explain_promise  # which looks at promises as this module does, and more

        return explain_promise(self._engine, self._promise())

    def done(self) -> bool:
        """Whether it has settled, in whatever way."""
        return self.state.is_settled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has settled, at most `timeout` seconds; whether it has.

        Raises:
            WaitCycleError: called from inside a call that the promise waits for.
        """
        if self.done():
            return True
        _context.refuse_recursion(self.id)
        clock = self._engine.clock
        end = None if timeout is None else clock.monotonic() + timeout
        held = self._engine.tasks.held_here()
        with _context.waiting(self.id, held), closing(self._looks()) as looks:
            for seen in looks:
                now = clock.monotonic()
                if end is not None and now >= end:
                    return False
                pause = _LIVENESS_SECONDS if end is None else min(_LIVENESS_SECONDS, end - now)
                self._engine.feed.wait(seen, pause)
        return True

    def _looks(self) -> Generator[int]:
        """One look after another until it has settled; from the first second on, tells on whom one waits. Yields what
        to wait past in the feed."""
        telling = Telling(self._engine, self.id)
        try:
            while True:
                seen = self._engine.feed.now()
                promise = self._promise()
                if promise.state.is_settled:
                    return
                telling.look(promise)
                yield seen
        finally:
            telling.end()

    def result(self, timeout: float | None = None) -> Any:
        """The value (of a cell: its names and their values), fresh for this caller, waiting at most `timeout` seconds.

        Raises:
            WaitTimeoutError: it has not settled in time.
            RejectedError: it settled otherwise than resolved (an exception whose type is loaded comes back as its own,
                with this one as its cause).
            NotStoredError: it resolved, but its value was not stored.
            UntrustedValueError: its signature is not ours.
        """
        if not self.wait(timeout):
            raise WaitTimeoutError(
                f"promise {self.id!r} is still pending after {timeout} s: {whom(self._engine, self._promise())}"
            )
        return self._value()

    def exception(self, timeout: float | None = None) -> Exception | None:
        """What `result` would raise for a promise that was not resolved; None for one that was."""
        if not self.wait(timeout):
            raise WaitTimeoutError(f"promise {self.id!r} is still pending after {timeout} s")
        promise = self._promise()
        return None if promise.state is State.RESOLVED else stored_error(promise)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait_async().__await__()

    async def _wait_async(self) -> Any:
        _context.refuse_recursion(self.id)
        if not self.done():
            import asyncio  # slow to load, and not needed where nothing is awaited

            loop = asyncio.get_running_loop()
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            with (
                _context.waiting(self.id),
                cancel_on_interrupt(loop, task),
                closing(self._looks()) as looks,
            ):
                for seen in looks:
                    await self._engine.feed.wait_async(seen, _LIVENESS_SECONDS)
        return self._value()

    def _value(self) -> Any:
        promise = self._promise()
        if promise.state is not State.RESOLVED:
            raise stored_error(promise)
        with self._engine.store.read() as reader:
            counter = reader.invalidation
        entry = load(self._engine, promise, counter)
        value: Any = decode(entry.codec, entry.data)
        # What a cell stores is more than its result: to whoever asks, it came to the names that it bound.
        return value["names"] if promise.param.headers.get("kind") == "cell" else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and (self.id, self._engine) == (other.id, other._engine)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        found = self._engine.peek([self.id])[0]
        if found is None:
            return f"<Handle {self.id!r} forgotten>"
        record = record_of(self._engine, found)
        facts = [record.shown.label]
        if record.waits_for:
            facts[0] += f" for {record.waits_for[0]!r}"
        if record.retry_at is not None:
            facts[0] += f" in {duration(record.retry_at - record.now)}"
        # Without the reason: ``not stored``, ``not replayable``, ``rerun``.
        facts += [mark.partition(":")[0] for mark in record.again]
        if len(record.attempts) > 1:
            facts.append(f"attempt {len(record.attempts)}")
        if record.timeout_at is not None:
            facts.append(f"times out in {duration(max(0, record.timeout_at - record.now))}")
        facts += [f"{name}={text}" for name, text in found.tags.items()]
        return f"<Handle {self.id!r} {', '.join(facts)}>"
