"""Fingerprint: says whether two calls are the same, by their code and all it reaches, and by content of their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ._code import CodeKey, Subject, reach
from ._named import Digests, joint_of_scalars
from ._package import version_of
from ._values import fingerprint_value, fingerprint_values
from ._versions import Packages, counted, declare_versions, minor, version_change


def fingerprint(value: object) -> str:
    """The 128-bit fingerprint of a value's content, as 32 hex digits: equal for equal values, in every session.

    Raises:
        UnfingerprintableError: something in it is not covered; its path says what.
    """
    return fingerprint_value(value, reach)


_REACHES: dict[Packages, Callable[[object], bytes]] = {
    "minor": reach,
    "exact": partial(reach, packages="exact"),
    "ignore": partial(reach, packages="ignore"),
}


def fingerprint_named(values: Mapping[str, object], packages: Packages = "minor") -> Digests:
    """The fingerprints of named values, each by itself and all in one walk, which sees what they share.

    `packages` says how far the versions of packages count that functions and classes in them come from.

    Raises:
        UnfingerprintableError: as for `fingerprint`; the path starts with the name.
    """
    return fingerprint_values(values, _REACHES[packages])


__all__ = [
    "CodeKey",
    "Digests",
    "Packages",
    "Subject",
    "counted",
    "declare_versions",
    "fingerprint",
    "fingerprint_named",
    "joint_of_scalars",
    "minor",
    "version_change",
    "version_of",
]
