"""What parameters had by default under a code: an edited default counts as an argument, and is an edit all the same.

Per fingerprint of code there is the note ``defaults``: parameter -> digests of the values that a call was left to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from resonate_nb.protocol import Promise
from resonate_nb.store import Reader, Transaction

from ._declared import compact
from ._identity import Identity, about_of, loaded
from ._packages import made_by
from ._registry import Work

_KIND = "defaults"
_MOST_KEPT = 16
_ABSENT = object()


def untold_defaults(
    work: Work, identity: Identity, arguments: Mapping[str, object], told: Collection[str]
) -> Mapping[str, str]:
    """Of those defaults the ones that are not among the `told`: a text that no other default has -> the parameter."""
    found: dict[str, str] = {}
    parts = identity.argument_parts
    for name, value in work.defaults.items():
        is_left = arguments.get(name, _ABSENT) is value
        if is_left and (mark := f"{identity.code} {name} {parts[name]}") not in told:
            found[mark] = name
    return found


def put_defaults(transaction: Transaction, code: str, left: Mapping[str, str]) -> None:
    """Calls of this code were left to these defaults, too."""
    place = f"code:{code}"
    kept = loaded(transaction.note(place, _KIND), dict)
    new = {name: digest for name, digest in left.items() if digest not in kept.get(name, ())}
    if new:
        kept |= {name: [*kept.get(name, ()), digest][-_MOST_KEPT:] for name, digest in new.items()}
        transaction.put_note(place, _KIND, compact(kept))


def edited_defaults(
    reader: Reader, earlier: Promise, work: Work, identity: Identity, arguments: Mapping[str, object]
) -> Collection[str]:
    """The parameters whose default was edited: an earlier call had the former one, and this one is left to another."""
    now, then = identity.argument_parts, about_of(earlier).get("arguments", {})
    left = [name for name, value in work.defaults.items() if arguments.get(name, _ABSENT) is value]
    differing = [name for name in left if then.get(name, now[name]) != now[name]]
    if not differing:
        return ()
    kept = loaded(reader.note(f"code:{made_by(earlier)}", _KIND), dict)
    return [name for name in differing if then[name] in kept.get(name, ())]
