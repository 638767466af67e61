"""Fingerprint: says whether two calls are the same, by their code and all it reaches, and by content of their data.

    code/       a function or cell, and everything of the user's that it reaches, read from loaded syntax trees
    values/     one walk over builtin values and instances; what no rule knows counts by what it is reduced to
    families/   values of well-known packages, a file each, loaded with the first value of it
    services/   clients, connections and the like: type and settings, never credentials
    memory/     what was hashed is not hashed again while nobody can have changed it

Beside them: what an object is by its type alone (`_kinds`), whose code it is (`_package`), versions (`_versions`), what
a user declares (`_outside`), and what differs between two values, in words (`_explain`, `_differences`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import UnfingerprintableError
from ._outside import Declared, Outside
from ._package import is_drawing, version_of
from ._versions import Packages, counted, declare_versions, minor, version_change
from .code._code import CodeKey, Subject, forget_keys, package_digest
from .code._doing import NOT_REPLAYED
from .code._parse import parse
from .code._tokens import reach, services_in
from .services._secrets import without_keys
from .services._services import is_service, service_text
from .values._named import Digests, Noted, joint_of_scalars
from .values._values import fingerprint_value, fingerprint_values, register_service_type, register_type

if TYPE_CHECKING:
    from ._explain import Summary


def fingerprint(value: object) -> str:
    """The 128-bit fingerprint of a value's content, as 32 hex digits: equal for equal values, in every session.

    Raises:
        UnfingerprintableError: something in it is not covered; its path says what.
    """
    try:
        return fingerprint_value(value, reach)
    except UnfingerprintableError as error:
        error.can_be_ignored = False
        raise error.with_traceback(None)  # the frames beneath are of no help to whoever asks


def fingerprint_named(values: Mapping[str, object], packages: Packages = "minor") -> Digests:
    """The fingerprints of named values, each by itself and all in one walk, which sees what they share.

    `packages` says how far the versions of packages count that functions and classes in them come from.

    Raises:
        UnfingerprintableError: as for `fingerprint`; the path starts with the name.
    """
    unsure: dict[str, None] = {}
    found = fingerprint_values(values, partial(reach, packages=packages, unsure=unsure), services_in)
    return found._replace(unsure=(*found.unsure, *unsure)) if unsure else found


def unfilled_parts(
    values: Mapping[str, object], packages: Packages, noted: Mapping[str, Noted], sources: Collection[str]
) -> Mapping[str, str]:
    """The fingerprints of named values by themselves, but for what cached properties have put there since.

    Args:
        values: those that are others than they were before a body.
        packages: as for `fingerprint_named`.
        noted: what the walk before the body noted of their parts (`Digests.noted`): what was there then counts.
        sources: of the code that ran, beside that of the classes. Where it may have set such an attribute in another
            way than by asking for it, nothing is given, nor where there is nothing of that kind.

    Raises:
        UnfingerprintableError: as for `fingerprint_named`.
    """
    from ._unfilled import unfilled_parts  # only where something has changed

    return unfilled_parts(values, packages, noted, sources)


def register_fingerprint(type: type | str, fingerprint: Callable[[Any], object]) -> None:
    """Values of this type, and of its subclasses, count from now on by what a function gives for them.

    A method `__durable_fingerprint__(self)` of a class says the same of its objects. Of two that fit the one nearest
    to the value's class counts, and what is registered goes before a method of the same class.

    Args:
        type: a class, or its full name (``"torch.Tensor"``), which may be loaded later. Builtin types always count
            by their content.
        fingerprint: a function of the value. What it returns may be anything that has a fingerprint, and stands for
            all that counts of the value; it goes before every rule of this package. The class of the value counts
            beside it, with its code where it is of the notebook or of a local module.

    Raises:
        InvalidOptionError: the type is a builtin one, or one of the two is not what it should be.
    """
    register_type(type, fingerprint)
    forget_keys()


def register_service(type: type | str, identity: Callable[[Any], object] | None = None) -> None:
    """Values of this type count from here on as services: by their type and by what `identity` says of them.

    Like a client or a connection, such a value may stand in a global or an argument of a durable function: it is
    neither stored nor previewed, its state does not count, and ``why()`` lists it.

    Args:
        type: a class, or its full name such as ``"acme.api.Client"``, which need not be loaded yet. Classes derived
            from it count as well; of one that is your own, the code counts too.
        identity: what tells two of them apart, from the instance: a text, or a dict of plain values (a base URL, a
            database path, a region; no credentials). None: the type says all. Where it raises, it counts as absent,
            and ``why()`` says so.

    Raises:
        InvalidOptionError: `type` is neither a class nor such a name, or `identity` cannot be called.
    """
    register_service_type(type, identity)
    forget_keys()


def describe(value: object, noted: Noted = (), name: str = "") -> Summary:
    """What `differences` compares: a summary of a value, of at most 4 KB as JSON; never a secret.

    Args:
        value: anything that has a fingerprint.
        noted: what the walk that gave it its fingerprint noted of its parts (`Digests.noted`).
        name: what it is called, which may say that it is a secret.
    """
    from ._explain import describe  # a hit needs nothing of it
    from ._held import code_in

    return describe(value, noted, name) | code_in(value)


def sources_in(value: object) -> Mapping[str, Mapping[str, str]]:
    """The user's code in a value that was just given its fingerprint: key, as in ``keys`` of `describe` -> name of a
    part -> its canonical source."""
    from ._held import sources_in

    return sources_in(value)


def changed_attributes(before: Noted, after: Noted) -> tuple[str, ...]:
    """The attributes of an object that came to something else between two walks over it (`Digests.noted`)."""
    from ._explain import changed_attributes

    return changed_attributes(before, after)


def differences(before: Summary | None, after: Summary | None) -> tuple[str, ...]:
    """Phrases such as ``column `dep_delay` renamed to `delay```, ``rows 336,776 → 336,770``, ``3 → 4``; at least one.

    Args:
        before: what `describe` gave of the value as it was; None where nothing was kept.
        after: and of the value as it is, which has another fingerprint.
    """
    from ._differences import differences

    return differences(before, after)


__all__ = [
    "NOT_REPLAYED",
    "CodeKey",
    "Declared",
    "Digests",
    "Noted",
    "Outside",
    "Packages",
    "Subject",
    "changed_attributes",
    "counted",
    "declare_versions",
    "describe",
    "differences",
    "fingerprint",
    "fingerprint_named",
    "is_drawing",
    "is_service",
    "joint_of_scalars",
    "minor",
    "package_digest",
    "parse",
    "register_fingerprint",
    "register_service",
    "service_text",
    "sources_in",
    "unfilled_parts",
    "version_change",
    "version_of",
    "without_keys",
]
