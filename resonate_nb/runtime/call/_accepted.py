"""A result that counts for another version by the user's leave: the row that names it, and the way to its value.

Such a row holds no value. Its data name the promise that does, and the signature of that value: both are signed for the
row itself, so that nobody but the user can make one result stand for another.
"""

from __future__ import annotations

import json

from resonate_nb.codec import Signer
from resonate_nb.errors import NotStoredError
from resonate_nb.protocol import Promise, Value

ACCEPTED = "accepted"
"""Stands where other values name their codec."""
FROM = "accepts"
"""The header of a param that names the promise that was accepted: whose value this one has, or whose steps."""
BY = "accepted_by"
"""The one that names the process in which the user accepted it."""
_KEPT = ("elapsed_us", "cpu_us", "files", "draws")
"""What is known of the run that made the value, and decides whether it may be used."""


def signed_as(id: str, codec: str) -> str:
    """What a signature names beside the bytes."""
    return f"{id}|{codec}"


def origin_of(promise: Promise) -> str:
    """The id of the promise that holds the value and the output of this one: its own, unless it was accepted."""
    if promise.value.headers.get("codec") != ACCEPTED:
        return promise.id
    return promise.param.headers.get(FROM, promise.id)


def made_at(promise: Promise) -> int | None:
    """When the value was computed, epoch milliseconds, however often it was accepted since."""
    text = promise.value.headers.get("made_at", "")
    return int(text) if text.isdecimal() else promise.settled_at


def value_of(id: str, origin: Promise, known: Promise, signer: Signer, files: str | None) -> Value:
    """What is stored for `id`, which is to have the value of `origin`.

    Args:
        id: of the promise that has it by the user's leave.
        origin: the promise that holds it.
        known: the one that says what is known of it: `origin`, or one that was accepted from that before.
        signer: the user's.
        files: as they count from now on, if not as `known` has them.
    """
    data = json.dumps([origin.id, origin.value.headers.get("signature", "")]).encode()
    headers = {name: text for name, text in known.value.headers.items() if name in _KEPT}
    if files is not None:
        headers["files"] = files
    headers |= {
        "codec": ACCEPTED,
        # It has no task, so no version of one.
        "signature": signer.sign(data, promise=signed_as(id, ACCEPTED), version=0),
        "made_at": str(made_at(known) or 0),
    }
    return Value(headers, data, None, len(data))


def named_in(promise: Promise, data: bytes) -> tuple[str, str]:
    """The id and the signature that verified data name."""
    try:
        id, signature = json.loads(data)
    except ValueError:
        raise NotStoredError(f"promise {promise.id!r} was accepted in a form that is not known here") from None
    return str(id), str(signature)


def holds(origin: Promise | None, signature: str) -> bool:
    """Whether this is still the promise with the value that was accepted."""
    return origin is not None and origin.value.headers.get("signature") == signature
