"""Which versions of packages were met in a store, and which of them were declared equal to an earlier one.

Two notes about the whole store. ``seen``: per package its versions in the order in which they came, with the instant.
``declared``: what was declared equal, by whom and when; nothing is ever taken out of it, and what was undone says when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resonate_nb.fingerprint import minor
from resonate_nb.records import dataclass
from resonate_nb.store import Reader, Transaction

_STORE = "packages:"
"""The key of both notes; no promise id of ours has this form."""
_NEW_MS = 24 * 3_600_000
"""A version that came later than this ago belongs to the upgrade that somebody is in the middle of."""


@dataclass(frozen=True, slots=True)
class Equal:
    """One version that counts as another in one store."""

    package: str
    now: str
    then: str
    at: int
    """Epoch milliseconds of the declaration."""
    by: str
    """Who declared it."""
    undone_at: int | None = None

    def __str__(self) -> str:
        return f"{self.package} {self.now} counts as {self.then}"


def declarations(reader: Reader) -> list[Equal]:
    """All that ever was declared here, oldest first."""
    raw = reader.note(_STORE, "declared")
    return [] if raw is None else [Equal(**fields) for fields in json.loads(raw)]


def standing(reader: Reader) -> Mapping[str, Mapping[str, str]]:
    """What counts as what: name -> version -> what it counts as."""
    found: dict[str, dict[str, str]] = {}
    for each in declarations(reader):
        if each.undone_at is None:
            found.setdefault(each.package, {})[each.now] = each.then
    return found


def put_declarations(transaction: Transaction, declared: list[Equal]) -> None:
    """These are all that ever was declared."""
    fields = [{name: getattr(each, name) for name in Equal.__slots__} for each in declared]
    transaction.put_note(_STORE, "declared", compact(fields))


def see(transaction: Transaction, versions: Mapping[str, str], now: int) -> None:
    """These versions are at work here, as of this instant."""
    known = _seen(transaction)
    for name, version in versions.items():
        earlier = known.get(name, [])
        if not earlier or earlier[-1][0] != version:
            known[name] = [*(each for each in earlier if each[0] != version), [version, now]]
    transaction.put_note(_STORE, "seen", compact(known))


def packages_met(reader: Reader) -> list[str]:
    """The packages that code with results here uses."""
    return sorted(_seen(reader))


def version_before(reader: Reader, package: str, version: str, now: int, *, asked_for: bool) -> str | None:
    """Which version this one is to count as: the last that was at work here before the upgrade. None where there is
    none, or no upgrade: this version has been at work for long, and nobody has asked for it by the package's name."""
    seen = _seen(reader).get(package, [])
    at = next((at for known, at in seen if known == version), now)
    if not asked_for and at < now - _NEW_MS:
        return None
    others = [each for each in seen if each[0] != version]
    settled = [each for each in others if each[1] < now - _NEW_MS]
    # Of those that came within the upgrade, only one that is no mere patch of the present version can be meant.
    passing = [each for each in others if minor(each[0]) != minor(version)]
    chosen = (settled or passing or others)[-1:]
    return chosen[0][0] if chosen else None


def _seen(reader: Reader) -> dict[str, list[Any]]:
    raw = reader.note(_STORE, "seen")
    return {} if raw is None else dict(json.loads(raw))


def compact(data: object) -> bytes:
    """JSON without spaces, as notes hold it."""
    return json.dumps(data, separators=(",", ":")).encode()
