"""The change feed: wakes threads, event loops and watchers when any process has committed to the store.

Commits of this process wake at once. Those of others are seen by one thread that compares the store's mapped change
word (tens of nanoseconds a look), and only while somebody waits or watches: an idle process runs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from resonate_nb.errors import StoreError
from resonate_nb.store import Store

from ._held import hold_interrupt
from ._threads import started

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited

WAITING_SECONDS = 0.004
"""How often the word is compared while somebody waits for a promise."""
WATCHING_SECONDS = 0.05
"""How often while only watchers (a widget) listen."""


class Feed:
    """Tells whoever asks that something has changed. What has changed, they read from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Taken by itself, not through the condition, whose `with` an interrupt can leave locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._generation = 0
        self._word: int | None = None
        self._waiters = 0
        self._sleepers: set[threading.Lock] = set()
        """Each is taken; whoever waits for it is woken by its release."""
        self._watchers: dict[int, Callable[[], None]] = {}
        self._futures: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        self._next_key = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def follow(self, store: Store) -> None:
        """The words are read from this store from here on: the same directory, opened anew."""
        self._store = store
        self.publish()

    def now(self) -> int:
        """A number that moves with every change seen; take it before looking, and wait for it to move.

        The store's word is noted here, before the look, not when the thread begins: what another process commits
        between a look and the wait must end that wait.
        """
        word = self._store.change_word()
        with self._lock:
            is_news, self._word = word != self._word, word
        if is_news:
            # All of it is told here: the thread finds the word as it expects it, and would wake nobody.
            self.publish()
        return self._generation

    def publish(self) -> None:
        """This process has committed."""
        with self._lock:
            self._generation += 1
            if not (self._waiters or self._watchers):
                return  # nobody hears it, and most commits are made so
            self._changed.notify_all()
            futures, self._futures = self._futures, set()
            sleepers, self._sleepers = self._sleepers, set()
            watchers = list(self._watchers.values())
        for sleep in sleepers:
            sleep.release()
        for loop, future in futures:
            wake(loop, future)
        for watcher in watchers:
            watcher()

    def nudge(self) -> None:
        """Something to be seen has changed in this process that no commit tells of (a hit). Cheap when none watch."""
        if self._watchers:
            self.publish()

    def wait(self, seen: int, timeout: float) -> None:
        """Return when the number has moved past `seen`, or after `timeout` seconds."""
        # A lock, not the condition: an interrupt in the middle of that would come out as an error of `threading`.
        sleep = threading.Lock()
        sleep.acquire()
        with hold_interrupt() as hold:
            with self._lock:
                if self._generation != seen:
                    return
                self._waiters += 1
                self._sleepers.add(sleep)
            try:
                with self._lock:
                    self._look_out()
                with hold.let_through():
                    sleep.acquire(timeout=max(0.0, timeout))
            finally:
                # One that was let through has ended the hold, and another may follow.
                with hold_interrupt(), self._lock:
                    self._waiters -= 1
                    self._sleepers.discard(sleep)

    async def wait_async(self, seen: int, timeout: float) -> None:
        """The same for an event loop, which stays free."""
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        is_waiting = False
        try:
            with self._lock:
                if self._generation != seen:
                    return
                self._futures.add((loop, future))
                self._waiters += 1
                is_waiting = True
                self._look_out()
            await asyncio.wait((future,), timeout=timeout)
        finally:
            if is_waiting:
                with self._lock:
                    self._waiters -= 1
                    self._futures.discard((loop, future))

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` (quick, thread-safe, raises nothing) after every change; returns what ends it."""
        with self._lock:
            key = self._next_key
            self._next_key += 1
            self._watchers[key] = callback
            self._look_out()

        def unsubscribe() -> None:
            with self._lock:
                self._watchers.pop(key, None)

        return unsubscribe

    def close(self) -> None:
        """Wake everybody and look no more; whoever still waits meets the closed store when it looks."""
        with self._lock:
            self._closed = True
        self.publish()

    def renew_in_child(self) -> None:
        """After a fork: whoever waits or watches is the parent's, and so are the thread and the lock."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiters = 0
        self._sleepers = set()
        self._watchers = {}
        self._futures = set()
        self._thread = None

    def _look_out(self) -> None:
        # Called with the lock held.
        if self._thread is not None and self._thread.is_alive():
            return
        # In the middle of starting a thread an interrupt would come out as an error of `threading`.
        with hold_interrupt():
            self._thread = started(self._compare, "feed", otherwise="who waits looks ten times a second")

    def _compare(self) -> None:
        try:
            while self._pause():
                latest = self._store.change_word()
                with self._lock:
                    is_news, self._word = latest != self._word, latest
                if is_news:
                    self.publish()
        except StoreError:
            # Closed or deleted: whoever waits is woken, looks, and is told by what the look raises.
            with self._lock:
                self._thread = None
            self.publish()

    def _pause(self) -> bool:
        """Wait for the next look; False when nobody needs one any more, and then the thread is no longer ours."""
        with self._lock:
            if not self._closed and (self._waiters or self._watchers):
                # A commit of ours ends the pause early; another process can only be seen by looking.
                self._changed.wait(WAITING_SECONDS if self._waiters else WATCHING_SECONDS)
                if not self._closed:
                    return True
            self._thread = None
            return False


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Whoever awaits the future on that loop goes on; callable from any thread."""

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    with suppress(RuntimeError):  # the loop was closed before its tasks had ended: nobody is left to be woken
        loop.call_soon_threadsafe(resolve)
