"""Whether values are what they were but for cached properties that a body has filled by looking at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from ._versions import Packages
from .code._tokens import key_in, reach, services_in
from .values._filled import Filled, may_set
from .values._named import Noted
from .values._values import walked_values
from .values._walk import Attribute


def unfilled_parts(
    values: Mapping[str, object], packages: Packages, noted: Mapping[str, Noted], sources: Iterable[str]
) -> Mapping[str, str]:
    """The fingerprints of named values by themselves without what cached properties have put there; those that `noted`
    has of before the body count. Empty where there is none, or where code may have set it in another way.

    Args:
        values: those that are others than before.
        packages: as for `fingerprint_named`.
        noted: what the walk before the body noted of their parts.
        sources: of the code that ran, beside that of the classes.
    """
    before = {
        id(value): {str(step) for step, _ in noted.get(name, ()) if type(step) is Attribute}
        for name, value in values.items()
    }
    filled = Filled(before)
    found = walked_values(values, partial(reach, packages=packages), services_in, filled)
    keys = [key for owner in filled.owners if (key := key_in(owner)) is not None]
    texts = [*sources, *(text for key in keys for text in key.sources.values())]
    return {} if not filled.names or may_set(texts, filled.names) else found.parts
