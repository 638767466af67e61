"""The functions around durable calls: get, search, to_frame, forget, rerun by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from resonate_nb.errors import InvalidOptionError, PromiseNotFoundError
from resonate_nb.protocol import split_id
from resonate_nb.store import Query

from . import _config, _reading
from ._asked import Moment, States, checked_query
from ._engine import Engine
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
    state: States | None = None,
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    order: str = "newest",
) -> list[Handle]:
    """Handles of the promises that match, newest first. The order is the same at each call: by creation, and within a
    millisecond as they came.

    Args:
        glob: shell pattern over the whole id (``*`` crosses slashes).
        state: one or several of "pending", "resolved", "rejected", "canceled", "timed out", as of now: a deadline that
            has passed counts. As on the wire ("rejected_timedout", what `Handle.state` is) they are taken too.
        tags: those that carry all of these.
        name: of the function or cell, or a shell pattern over it.
        since: created then or later: a datetime, a date, an ISO text, seconds since 1970 (or milliseconds, as
            `Handle.created_at`), or a length of time, "2h" for the last two hours. Without a zone it is local time.
        until: created before that; a day counts whole.
        limit: at most so many.
        order: ``"newest"`` first or ``"oldest"`` first.

    Raises:
        InvalidOptionError: one of them is not of this kind.
    """
    __tracebackhide__ = True
    engine = _config.existing_engine()
    query = _asked(engine, glob, state, tags, name, since, until, limit, order)
    return [] if engine is None else [Handle(engine, id) for id in _reading.ids(engine, query)]


def to_frame(
    glob: str = "*",
    *,
    state: States | None = None,
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    order: str = "newest",
) -> pd.DataFrame:
    """The promises that `search` finds as a pandas DataFrame, one row each; times are UTC, durations seconds, sizes
    bytes."""
    __tracebackhide__ = True
    engine = _config.existing_engine()
    query = _asked(engine, glob, state, tags, name, since, until, limit, order)
    return _reading.to_frame([] if engine is None else _reading.look(engine, query))


def _asked(
    engine: Engine | None,
    glob: str,
    state: States | None,
    tags: Mapping[str, str] | None,
    name: str | None,
    since: Moment | None,
    until: Moment | None,
    limit: int | None,
    order: str,
) -> Query:
    try:
        return checked_query(
            glob,
            state=state,
            tags=tags,
            name=name,
            since=since,
            until=until,
            limit=limit,
            order=order,
            now_ms=None if engine is None else engine.clock.now_ms(),
        )
    except InvalidOptionError as refusal:
        raise refusal.with_traceback(None) from None  # which of our checks found it says nothing


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
