"""Which promises a query keeps, and in which order: the same answer from every store."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping

from resonate_nb.protocol import Promise

from ._port import Query


def matcher(glob: str) -> Callable[[str], bool]:
    """Whether an id matches the shell pattern as a whole; case counts, ``*`` crosses slashes."""
    compiled = re.compile(fnmatch.translate(glob))
    return lambda id: compiled.match(id) is not None


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(tags.get(name) == value for name, value in wanted.items())


def keeps(query: Query) -> Callable[[Promise], bool]:
    """The predicate of a query, without its limit."""
    matches = matcher(query.glob) if query.glob is not None else None
    states = frozenset(query.states)
    wanted = query.tags or {}

    def keep(promise: Promise) -> bool:
        return (
            (not states or promise.state in states)
            and (query.name is None or promise.param.headers.get("name") == query.name)
            and (query.since is None or promise.created_at >= query.since)
            and (query.until is None or promise.created_at < query.until)
            and (matches is None or matches(promise.id))
            and has_tags(promise.tags, wanted)
        )

    return keep


def newest_first(promise: Promise) -> tuple[int, str]:
    """Sort key: newest first by creation, then by id."""
    return (-promise.created_at, promise.id)
