"""The versions of installed packages that results were computed with: recorded, and compared at hits.

Where they lie: per fingerprint of code the note ``packages``, a list of the sets of exact versions that it was run
with; the first is that of every promise of this code that has no note ``packages`` of its own. Of the store as a whole
`_declared` tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from resonate_nb.clock import Clock
from resonate_nb.fingerprint import counted, declare_versions, minor
from resonate_nb.protocol import Promise
from resonate_nb.store import Reader, Store, Transaction

from ._declared import compact, see, standing
from ._registry import Work
from ._say import say

_KIND = "packages"

Versions = Mapping[str, str]
"""Import name -> exact version."""


class Ledger:
    """What this process knows of the versions behind one store's results."""

    __slots__ = ("_clock", "_told", "_word", "odd")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.odd: set[str] = set()
        """Fingerprints of code whose first results were computed with other versions than this process has: each
        promise of them says which were its own."""
        self._told: set[str] = set()
        """Fingerprints of code about whose results there is nothing more to say."""
        self._word = -1

    def follow(self, store: Store) -> bool:
        """What was declared equal in this store, by any process, holds in this one; True where that is news, and keys
        that were made before do not count. One comparison where nothing was invalidated meanwhile."""
        word = store.invalidation_word()
        if word == self._word:
            return False
        with store.read() as reader:
            is_new = declare_versions(standing(reader))
        self._word = word
        if is_new:
            self._told.clear()
        return is_new

    def note(
        self, transaction: Transaction, id: str, code: str, versions: Versions, *, is_taken_over: bool = False
    ) -> None:
        """The versions that the body of this promise runs with are written beside it."""
        mine = dict(versions)
        if not mine:
            return
        place = f"code:{code}"
        sets = _sets(transaction.note(place, _KIND))
        if mine not in sets:
            sets.append(mine)
            transaction.put_note(place, _KIND, compact(sets))
            see(transaction, mine, self._clock.now_ms())
        if sets[0] != mine:
            self.odd.add(code)
            transaction.put_note(id, _KIND, compact(mine))
        elif is_taken_over:
            transaction.put_note(id, _KIND, None)

    def tell(self, store: Store, work: Work, now: Versions, promise: Promise) -> None:
        """Say in one line, once in a process and for all promises of this code, in which packages a replayed result
        differs from what is loaded now."""
        code = made_by(promise)
        if code in self._told:
            return
        with store.read() as reader:
            sets, then = _sets(reader.note(f"code:{code}", _KIND)), recorded(reader, promise)
        differing = {name: version for name, version in then.items() if now.get(name, version) != version}
        if differing or len(sets) < 2:
            self._told.add(code)
        if differing:
            say(
                f"{work.title}: {_changes(differing, now)} since it was computed; passed over because "
                f"{_because(work, now, differing)}",
                once=True,
                about=code,
            )


def made_by(promise: Promise) -> str:
    """The fingerprint of the code that made a promise's value, or is to make it; "" for a promise that is not ours."""
    return promise.value.headers.get("code") or promise.param.headers.get("code", "")


def recorded(reader: Reader, promise: Promise) -> Versions:
    """The exact versions that a promise was computed with; none where its code uses no package, or is of a release
    that did not keep them."""
    own = reader.note(promise.id, _KIND)
    if own is not None:
        return dict(json.loads(own))
    sets = _sets(reader.note(f"code:{made_by(promise)}", _KIND))
    return sets[0] if sets else {}


def _changes(before: Versions, now: Versions) -> str:
    return ", ".join(f"{name} {version} → {now[name]}" for name, version in before.items())


def _because(work: Work, now: Versions, differing: Versions) -> str:
    how = work.options.packages
    if how != "ignore" and any(counted(name, now[name], how) != _plainly(how, now[name]) for name in differing):
        return "it was declared equal (%durable accept --packages)"
    if how == "minor" and any(minor(version) != minor(now[name]) for name, version in differing.items()):
        return "the version of the code is fixed"
    return f"--packages {how} says so" if work.is_cell else f'packages="{how}"'


def _plainly(how: str, version: str) -> str:
    return minor(version) if how == "minor" else version


def _sets(raw: bytes | None) -> list[Versions]:
    return [] if raw is None else list(json.loads(raw))
