"""Durable promises for notebooks: lose the kernel, press Run All, and everything that had finished is back.

The map of the house. A floor imports only floors beneath it; rooms on one floor do not import one another; across
rooms, only through the door (`__init__`). `tests/test_architecture.py` holds these rules.

    cellar     errors  clock  records  forks; and beneath them frames
    law        protocol/       what may happen: promises, their tasks, apply(view, command, now) -> Decision
               retry           when a failed attempt is followed by another, and after how long
    materials  fingerprint/    whether two calls are the same: code, and values by content
               codec/          how a value becomes bytes, and whose bytes they are
               store/          rows and files that survive; knows no rule
    runtime    runtime/        makes calls durable: engine, identity, call/ (plan, claim, attempt, settle), feed, handle
    view       view/           what a record looks like: rows, HTML, the ES module
               function        what @durable makes of a function
    faces      durable.py      @durable
               notebook/       %%durable, %durable, the inspector widget
    attic      commands.py     what the command line asks of a store
               cli.py          the command line

To follow a call from `@durable` to its row in SQLite, begin at `resonate_nb/durable.py`.

Public names are loaded at first use: importing this package costs the standard library only.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import forks as forks  # before whatever else is told of forks

if TYPE_CHECKING:
    from .durable import durable
    from .errors import (
        DriftError,
        DurableTimeoutError,
        DurableWarning,
        IdReuseError,
        InvalidOptionError,
        NotStoredError,
        PromiseBusyError,
        PromiseNotFoundError,
        ReadOnlyStoreError,
        RejectedError,
        ResonateNbError,
        SchemaError,
        StoreError,
        UnacceptableError,
        UndecoratableError,
        UnfingerprintableError,
        UnstorableError,
        UntrustedValueError,
        UnwritableStoreError,
        WaitCycleError,
        WaitTimeoutError,
    )
    from .fingerprint import fingerprint, register_fingerprint, register_service
    from .function import DurableFunction
    from .notebook import inspect, load_ipython_extension, unload_ipython_extension
    from .retry import Constant, Exponential, Linear, Never
    from .runtime import CurrentCall, Explanation, Handle, check, configure, current, forget, get, search, to_frame

__version__ = "0.1.0"

_HOME = {
    "DurableFunction": "function",
    "durable": "durable",
    "register_service": "fingerprint",
    **dict.fromkeys(
        (
            "DriftError",
            "DurableTimeoutError",
            "DurableWarning",
            "IdReuseError",
            "InvalidOptionError",
            "NotStoredError",
            "PromiseBusyError",
            "PromiseNotFoundError",
            "ReadOnlyStoreError",
            "RejectedError",
            "ResonateNbError",
            "SchemaError",
            "StoreError",
            "UnacceptableError",
            "UndecoratableError",
            "UnfingerprintableError",
            "UnstorableError",
            "UntrustedValueError",
            "UnwritableStoreError",
            "WaitCycleError",
            "WaitTimeoutError",
        ),
        "errors",
    ),
    **dict.fromkeys(("fingerprint", "register_fingerprint"), "fingerprint"),
    **dict.fromkeys(("inspect", "load_ipython_extension", "unload_ipython_extension"), "notebook"),
    **dict.fromkeys(("Constant", "Exponential", "Linear", "Never"), "retry"),
    **dict.fromkeys(
        (
            "CurrentCall",
            "Explanation",
            "Handle",
            "check",
            "configure",
            "current",
            "forget",
            "get",
            "search",
            "to_frame",
        ),
        "runtime",
    ),
}

__all__ = [
    "Constant",
    "CurrentCall",
    "DriftError",
    "DurableFunction",
    "DurableTimeoutError",
    "DurableWarning",
    "Explanation",
    "Exponential",
    "Handle",
    "IdReuseError",
    "InvalidOptionError",
    "Linear",
    "Never",
    "NotStoredError",
    "PromiseBusyError",
    "PromiseNotFoundError",
    "ReadOnlyStoreError",
    "RejectedError",
    "ResonateNbError",
    "SchemaError",
    "StoreError",
    "UnacceptableError",
    "UndecoratableError",
    "UnfingerprintableError",
    "UnstorableError",
    "UntrustedValueError",
    "UnwritableStoreError",
    "WaitCycleError",
    "WaitTimeoutError",
    "check",
    "configure",
    "current",
    "durable",
    "fingerprint",
    "forget",
    "get",
    "inspect",
    "load_ipython_extension",
    "register_fingerprint",
    "register_service",
    "search",
    "to_frame",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'resonate_nb' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"resonate_nb.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))


class _Front(ModuleType):
    """This module. Two submodules share their names with what they are for, `durable` and `fingerprint`: the names
    mean the functions."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("durable", "fingerprint") or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front
