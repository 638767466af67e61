"""Which file of this room knows the types of which package; it is loaded when a value of one is met.

No package is imported: a value of its types shows that it is loaded.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ..values._walk import Handler

_HOME = {
    "PIL": "_images",
    "attr": "_attrs",
    "dateutil": "_zones",
    "geopandas": "_geometry",
    "jax": "_jax",
    "jaxlib": "_jax",
    "matplotlib": "_drawings",
    "networkx": "_graphs",
    "numba": "_compiled",
    "numpy": "_arrays",
    "pandas": "_frames",
    "polars": "_polars",
    "pyarrow": "_arrow",
    "pydantic": "_models",
    "pytz": "_zones",
    "scipy": "_sparse",
    "sklearn": "_estimators",
    "torch": "_torch",
    "xarray": "_xarray",
}
_BASES = ("numpy", "pandas", "torch", "networkx")
"""People make classes of their own out of classes of these."""


def handler_of(cls: type) -> Handler | None:
    """The handler for values of a class of a package, or made out of one of its classes; None for all others.

    Raises:
        Refusal: the class is not covered.
    """
    root = cls.__module__.partition(".")[0]
    if root in _HOME and root in sys.modules:
        found: Handler = _home(root).handler_of(cls)
        return found
    for name in _BASES:
        if name in sys.modules and any(base.__module__.partition(".")[0] == name for base in cls.__mro__):
            made: Handler | None = _home(name).subclass_of(cls)
            if made is not None:
                return made
    return None


def _home(package: str) -> Any:
    return importlib.import_module(f".{_HOME[package]}", __package__)
