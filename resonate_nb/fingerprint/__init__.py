"""Fingerprint: says whether two calls are the same, by their code and all it reaches, and by content of their data."""

from __future__ import annotations

from collections.abc import Mapping

from ._code import CodeKey, Subject, reach
from ._named import Digests, joint_of_scalars
from ._values import fingerprint_value, fingerprint_values


def fingerprint(value: object) -> str:
    """The 128-bit fingerprint of a value's content, as 32 hex digits: equal for equal values, in every session.

    Raises:
        UnfingerprintableError: something in it is not covered; its path says what.
    """
    return fingerprint_value(value, reach)


def fingerprint_named(values: Mapping[str, object]) -> Digests:
    """The fingerprints of named values, each by itself and all in one walk, which sees what they share.

    Raises:
        UnfingerprintableError: as for `fingerprint`; the path starts with the name.
    """
    return fingerprint_values(values, reach)


__all__ = ["CodeKey", "Digests", "Subject", "fingerprint", "fingerprint_named", "joint_of_scalars"]
