"""`@durable`: a function whose calls are durable promises.

Follow it on: `resonate_nb/function.py` has what comes out, `DurableFunction`, and tells the way of a call from there to
its row in SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from resonate_nb.errors import ResonateNbError

if TYPE_CHECKING:
    from resonate_nb.function import DurableFunction
    from resonate_nb.retry import Duration, Policy

P = ParamSpec("P")
R = TypeVar("R")


@overload
def durable(function: Callable[P, Awaitable[R]], /) -> DurableFunction[P, Awaitable[R]]: ...
@overload
def durable(function: Callable[P, R], /) -> DurableFunction[P, R]: ...
@overload
def durable(
    *,
    id: str | None = None,
    version: str | int | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    ignore: tuple[str, ...] = (),
    keyed_by: Literal["args", "call"] = "args",
    retry: Policy | int | None = None,
    timeout: Duration | None = None,
    attempt_timeout: Duration | None = None,
    max_age: Duration | None = None,
    on_reuse: Literal["raise", "rerun", "warn", "ignore"] = "raise",
    on_drift: Literal["warn", "raise", "rerun", "ignore"] | None = None,
    on_rejected: Literal["rerun", "raise"] = "rerun",
    packages: Literal["minor", "exact", "ignore"] = "minor",
    files: Sequence[str | os.PathLike[str]] = (),
    env: Sequence[str] = (),
    depends: Sequence[object] = (),
) -> Callable[[Callable[P, R]], DurableFunction[P, R]]: ...
def durable(function: Any = None, /, **options: Any) -> Any:
    """Make a function durable: each call is a promise that outlives the process, run once and replayed ever after.

    Args:
        id: template over the arguments, e.g. ``"features/{day:%Y-%m-%d}/{region}"``; None for an automatic one.
        version: the user's word for the code; None for a fingerprint of it and all it reaches.
        name: first part of an automatic id; None for the qualified name.
        tags: strings by which the promise is found.
        ignore: names of arguments, globals and closure variables left out of the key, and never stored.
        keyed_by: ``"args"``: the same arguments are the same promise, wherever it is called. ``"call"``: the promise
            belongs to its place in the durable call around it, as a step with effects on the outside should.
        retry: how a call that fails is tried again: `Exponential`, `Linear`, `Constant`, `Never` (the default), or the
            number of attempts. Attempts are counted over restarts.
        timeout: from the promise's creation to its deadline, across restarts, in seconds, as a timedelta, or as text
            such as ``"90s"``, ``"2h"``, ``"3d"``. Then it is timed out, and the call raises DurableTimeoutError.
        attempt_timeout: how long one attempt may take; `retry` decides what comes after one that took longer.
        max_age: an older result is computed again, as the next generation.
        on_reuse: what becomes of a call whose id was used with other arguments: ``"raise"`` (IdReuseError),
            ``"rerun"`` (the next generation), ``"warn"`` or ``"ignore"`` (the stored result).
        on_drift: what becomes of a call whose code has changed under a fixed version: ``"warn"`` (with the diff; the
            default), ``"raise"`` (DriftError), ``"rerun"`` or ``"ignore"``. By default a promise that was begun with
            other code and is not finished is not taken over: DriftError.
        on_rejected: ``"rerun"`` (the next generation), or ``"raise"`` what was raised before.
        packages: how far the versions of the installed packages count that the code uses: ``"minor"`` (major and minor
            version, the default), ``"exact"``, or ``"ignore"``. A difference that is passed over is said at the first
            hit.
        files: names of arguments that are paths (or lists of paths), and literal paths and patterns such as
            ``"data/*.csv"``: what the files and folders hold counts. An unchanged file is not read again.
        env: names of environment variables that count; their values are stored nowhere.
        depends: further values that count by content, and functions, classes and modules that count by code.

    Raises:
        InvalidOptionError: an unknown option, or a wrong value.
        UndecoratableError: a class, a generator function, or a function whose source cannot be had.
    """
    __tracebackhide__ = True
    # Loaded with the first function that is decorated: importing this package is not to be felt.
    from resonate_nb.function import checked, decorated

    def decorate(given: Any) -> DurableFunction[Any, Any]:
        __tracebackhide__ = True
        try:
            return decorated(given, known)
        except ResonateNbError as refusal:
            raise refusal.with_traceback(None)

    try:
        known = checked(options)
    except ResonateNbError as refusal:
        raise refusal.with_traceback(None)
    return decorate if function is None else decorate(function)


__all__ = ["durable"]
