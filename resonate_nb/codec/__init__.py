"""How a value becomes bytes and comes back; what cannot come back is refused at once, with its place and the reason.

- `encode` / `decode`: scalars as JSON, everything else as a pickle that is read only after its signature verified.
- `Signer`, `load_key`: whose pickles are ours.
- `failure_of`, `in_words`: an exception as data that anybody may read, and as one line.
- `raised_again`: that exception, of its own type.
- `preview`, `describe`: a value as text for people; they never raise.
- `know_services`: which values are never stored, nor printed.
"""

from __future__ import annotations

from ._again import raised_again
from ._failure import failure_from_bytes, failure_of, failure_to_bytes, in_words
from ._port import Encoded, Failure
from ._preview import describe, preview
from ._services import know_services
from ._sign import Signer, load_key
from ._value import decode, encode

__all__ = [
    "Encoded",
    "Failure",
    "Signer",
    "decode",
    "describe",
    "encode",
    "failure_from_bytes",
    "failure_of",
    "failure_to_bytes",
    "in_words",
    "know_services",
    "load_key",
    "preview",
    "raised_again",
]
