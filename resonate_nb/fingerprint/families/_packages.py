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
    "sqlalchemy": "_tables",
    "torch": "_torch",
    "xarray": "_xarray",
}
_BASES = ("numpy", "pandas", "torch", "networkx", "sqlalchemy")
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
    if "sqlalchemy" in sys.modules and any("_sa_class_manager" in vars(base) for base in cls.__mro__):
        found = _home("sqlalchemy").subclass_of(cls)  # mapped without a base of its own
        return found
    return None


def declared_members(cls: type, members: dict[str, Any]) -> dict[str, Any]:
    """The members of a class without what a mapper of SQLAlchemy made, and with what it was told."""
    found: dict[str, Any] = _home("sqlalchemy").declared_members(cls, members) if _has_mappers() else members
    return found


def is_made_by_mapper(value: object) -> bool:
    """Whether it is an attribute that a mapper of SQLAlchemy puts into a class, when it likes to."""
    return _has_mappers() and bool(_home("sqlalchemy").is_made(value))


def asked_for(value: object, name: str) -> object | None:
    """The tables that code comes to by an attribute of a mapped class or of a table; None for anything else."""
    is_any = name in ("metadata", "registry") and _has_mappers()
    return _home("sqlalchemy").asked_for(value, name) if is_any else None


def _has_mappers() -> bool:
    return "sqlalchemy" in sys.modules


def _home(package: str) -> Any:
    return importlib.import_module(f".{_HOME[package]}", __package__)
