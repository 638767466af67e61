"""The functions around durable calls: get, search, to_frame, forget, rerun by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from resonate_nb.errors import InvalidOptionError, PromiseNotFoundError
from resonate_nb.protocol import State, split_id

from . import _config, _reading
from ._handle import Handle

if TYPE_CHECKING:
    import pandas as pd


def get(id: str) -> Handle | None:
    """The promise of this id, or None: the exact id first, then the latest version and generation of a bare one."""
    _refuse_what_is_no_id(id)
    engine = _config.existing_engine()
    found = None if engine is None else engine.find(id)
    return None if engine is None or found is None else Handle(engine, found.id)


def search(
    glob: str = "*",
    *,
    state: str | State | Sequence[str | State] | None = None,
    tags: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> list[Handle]:
    """Handles of the promises whose id a shell pattern matches (``*`` crosses slashes), newest first.

    Raises:
        InvalidOptionError: an unknown state, or a limit that is no positive integer.
    """
    query = _reading.checked_query(glob, state=state, tags=tags, limit=limit)
    engine = _config.existing_engine()
    return [] if engine is None else [Handle(engine, promise.id) for promise in engine.search(query)]


def to_frame(
    glob: str = "*",
    *,
    state: str | State | Sequence[str | State] | None = None,
    tags: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The same promises as a pandas DataFrame, one row each; times are UTC, durations seconds, sizes bytes."""
    query = _reading.checked_query(glob, state=state, tags=tags, limit=limit)
    engine = _config.existing_engine()
    return _reading.to_frame([] if engine is None else _reading.look(engine, query))


def forget(glob: str) -> list[str]:
    """Drop the promises a shell pattern matches, or all generations of one id; the ids that were dropped.

    What runs under a living owner is skipped under a pattern, and an error by its own id.

    Raises:
        PromiseNotFoundError: there is no promise of this id.
        PromiseBusyError: the promise runs.
    """
    _refuse_what_is_no_id(glob)
    engine = _config.existing_engine()
    if engine is None:
        raise PromiseNotFoundError(f"there is no store yet, so there is no promise {glob!r}")
    return _reading.forget(engine, glob)


def mark_rerun(id: str) -> str:
    """Mark a promise: its next use runs the next generation. The id that was marked, of the latest generation.

    Raises:
        PromiseNotFoundError: there is no promise of this id.
    """
    engine = _config.existing_engine()
    found = None if engine is None else engine.find(id)
    if engine is None or found is None:
        raise PromiseNotFoundError(f"there is no promise {id!r}; `rnb.search('*')` lists what there is")
    latest = engine.latest(split_id(found.id)[0])[0] or found
    engine.mark_rerun(latest.id)
    return latest.id


def _refuse_what_is_no_id(id: object) -> None:
    if not isinstance(id, str):
        raise InvalidOptionError(f"an id is a string such as 'features/2026-11-24@2', not {id!r}")


def source(present: _reading.Present = lambda value: None) -> _reading.Source:
    """What a widget or a table looks through: the store of this process. `present` is asked first for values' texts."""
    return _reading.Source(_config.engine() if _config.is_enabled() else _config.existing_engine(), present)
