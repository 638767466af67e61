"""Patience: a waiter looks whether waiting still makes sense, says on whom it waits, and refuses a ring of processes.

Within one process `runtime._context` knows who waits for whom and refuses a cycle before the wait. Across processes
only the store is shared: after a second each waiting call leaves a note on the promises it runs inside of, and a
waiter follows these notes. A note names the task version it was written under, so that what a dead owner left behind
counts for nothing.
"""

from __future__ import annotations

from resonate_nb.errors import UnwritableStoreError, WaitCycleError
from resonate_nb.protocol import Promise, Reply
from resonate_nb.store import Transaction

from .. import _context
from .._engine import Engine
from .._say import DEBUG, is_logged, log_call
from .._tasks import Also

LIVENESS_SECONDS = 0.1
"""How often a waiter looks whether the owner still lives; changes wake it at once."""
_NOTE = "waits"


class Patience:
    """One wait for one promise."""

    def __init__(self, engine: Engine, title: str, id: str) -> None:
        self._engine = engine
        self._title = title
        self._id = id
        call = _context.current()
        self._lineage = [] if call is None else list(call.lineage())
        from .._whom import Telling  # most calls never wait

        self._telling = Telling(engine, id, title)
        self._has_declared = False

    def look(self) -> Promise | None:
        """The promise if it is still worth waiting for; None otherwise.

        Raises:
            WaitCycleError: it waits, through other processes, for a call that this one is inside of.
        """
        found = self._engine.peek([self._id])[0]
        if found is None or found.state.is_settled or not self._engine.tasks.is_owned(found):
            return None
        if self._telling.look(found):
            if not self._has_declared:
                self._has_declared = self._declare()
            self._refuse_ring()
        return found

    def end(self) -> None:
        """The wait is over, one way or the other: take the notes back."""
        self._telling.end()
        if is_logged(DEBUG):
            log_call(self._title, self._id, f"waited for {self._telling.who}", ms=self._telling.waited_ms)
        if not (self._has_declared and self._lineage):
            return

        def also(transaction: Transaction, replies: list[Reply]) -> None:
            for waiter in self._lineage:
                transaction.put_note(waiter, _NOTE, None)

        # On a full disk it stays, and counts for nothing as soon as its task has another version or is over.
        self._write(also)

    def _declare(self) -> bool:
        """Whether it is written down; where it is not, a ring cannot be seen from here, and each look tries again."""
        if not self._lineage:
            return True

        def also(transaction: Transaction, replies: list[Reply]) -> None:
            for waiter in self._lineage:
                if (promise := transaction.get(waiter)) is not None:
                    transaction.put_note(waiter, _NOTE, f"{promise.version}:{self._id}".encode())

        return self._write(also)

    def _write(self, also: Also) -> bool:
        try:
            self._engine.submit([], also=also, synced=False)
        except UnwritableStoreError:
            return False  # whoever waits is only to be told of what stands in the way of the wait
        return True

    def _refuse_ring(self) -> None:
        path = [self._id]
        while self._lineage:
            promise = self._engine.peek([path[-1]])[0]
            note = self._engine.note(path[-1], _NOTE)
            if promise is None or promise.state.is_settled or note is None or not self._engine.tasks.is_owned(promise):
                return
            version, _, awaited = note.decode().partition(":")
            if int(version) != promise.version or awaited in path:
                return
            path.append(awaited)
            if awaited in self._lineage:
                raise WaitCycleError((awaited, *path))
