"""What a search asks for, checked: the words of a person become a query of the store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from resonate_nb.clock import SystemClock
from resonate_nb.errors import InvalidOptionError
from resonate_nb.protocol import State
from resonate_nb.store import Order, Query

from ._look import Shown

States = str | State | Sequence[str | State]
Moment = datetime | date | timedelta | str | float
"""An instant or an ISO text of one; a length of time such as "2h", for so long ago; seconds or ms since 1970."""

_MILLISECONDS_FROM = 1e11
"""A number from here on counts milliseconds (as `Handle.created_at` does), one below seconds (as `time.time` does): it
would be the year 5138 in seconds, and 1973 in milliseconds."""


def checked_query(
    glob: str | None = None,
    *,
    state: States | None = None,
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    order: str | Order = Order.NEWEST,
    now_ms: int | None = None,
) -> Query:
    """The query, or InvalidOptionError that says what is right. `now_ms` is what lengths of time are counted from."""
    for option, pattern, example in (("glob", glob, "features/*"), ("name", name, "clean*")):
        if pattern is not None and not isinstance(pattern, str):
            raise InvalidOptionError(f"{option} takes a shell pattern such as {example!r}, not {pattern!r}")
    if tags is not None and not (
        isinstance(tags, Mapping) and all(isinstance(word, str) for pair in tags.items() for word in pair)
    ):
        raise InvalidOptionError(f"tags must be a dict of texts such as {{'team': 'growth'}}, not {tags!r}")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidOptionError(f"limit must be a positive integer, not {limit!r}")
    try:
        ordered = Order(order)
    except ValueError:
        raise InvalidOptionError(f"order {order!r} is unknown; use 'newest' or 'oldest' (first)") from None
    now = SystemClock().now_ms() if now_ms is None else now_ms
    return Query(
        glob,
        _states(state),
        tags,
        name,
        None if since is None else _instant(since, "since", now, is_end=False),
        None if until is None else _instant(until, "until", now, is_end=True),
        limit,
        ordered,
    )


def state_label(state: State) -> str:
    """The word for people, as `Shown.label`; of what is pending only that."""
    return state.value if state is State.PENDING else Shown(state.value).label


def _states(asked: States | None) -> tuple[State, ...]:
    if asked is None:
        return ()
    is_one = isinstance(asked, str) or not isinstance(asked, Iterable)
    return tuple(map(_state, (asked,) if is_one else asked))


_STATES = {word: state for state in State for word in (state.value, state_label(state))}
"""Both spellings of each: as on the wire, and as people read it."""


def _state(asked: object) -> State:
    found = _STATES.get(asked) if isinstance(asked, str) else None
    if found is None:
        known = ", ".join(map(state_label, State))
        hint = f"; some that are 'pending' are shown as {asked!r}" if asked in tuple(Shown) else ""
        raise InvalidOptionError(f"state {asked!r} is unknown; use one of {known}{hint}")
    return found


def _instant(asked: Moment, option: str, now: int, *, is_end: bool) -> int:
    """Epoch milliseconds. A day means its beginning, or its end where it ends a period; times without a zone are
    local."""
    try:
        found = _read(asked, option, now, is_end)
    except (OverflowError, OSError, ValueError):  # year 1, the day after the last one, and what is no number
        found = None
    if found is None:
        raise InvalidOptionError(
            f"{option} must be a datetime or a date, an ISO text such as '2026-11-24' or '2026-11-24T09:30', a length "
            f"of time such as '2h' or a timedelta (so long ago), or seconds or milliseconds since 1970; not {asked!r}"
        )
    return found


def _read(asked: object, option: str, now: int, is_end: bool) -> int | None:
    if isinstance(asked, str):
        text = asked.strip()
        for read in (date.fromisoformat, datetime.fromisoformat):
            try:
                return _read(read(text), option, now, is_end)
            except ValueError:
                continue
        from resonate_nb.retry import seconds_of  # slow to load, and few ask for a length of time

        try:
            return now - _milliseconds(seconds_of(text, option), is_end)
        except InvalidOptionError:
            return None
    if isinstance(asked, datetime):
        return _milliseconds(asked.timestamp(), is_end)
    if isinstance(asked, date):
        day = asked + timedelta(days=1) if is_end else asked
        return _milliseconds(datetime.combine(day, time.min).timestamp(), is_end)
    if isinstance(asked, timedelta):
        return now - _milliseconds(asked.total_seconds(), is_end)
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        return math.floor(asked) if asked >= _MILLISECONDS_FROM else _milliseconds(asked, is_end)
    return None


def _milliseconds(seconds: float, is_end: bool) -> int:
    # The end of a period stands outside of it: what came in its last, begun millisecond is inside.
    return math.ceil(seconds * 1000) if is_end else math.floor(seconds * 1000)
