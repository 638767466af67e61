"""Which promises a query keeps: the same answer from every store."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping

from resonate_nb.protocol import Promise, project

from ._port import Query


def matcher(glob: str) -> Callable[[str], bool]:
    """Whether a text matches the shell pattern as a whole; case counts, ``*`` crosses slashes."""
    compiled = re.compile(fnmatch.translate(glob))
    return lambda text: compiled.match(text) is not None


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(tags.get(name) == value for name, value in wanted.items())


def keeps(query: Query) -> Callable[[Promise], bool]:
    """The predicate of a query, without its limit."""
    matches = matcher(query.glob) if query.glob is not None else None
    is_named = matcher(query.name) if query.name is not None else None
    states = frozenset(query.states)
    wanted = query.tags or {}

    def keep(promise: Promise) -> bool:
        state = promise.state if query.now is None else project(promise, query.now).state
        return (
            (not states or state in states)
            and (query.since is None or promise.created_at >= query.since)
            and (query.until is None or promise.created_at < query.until)
            and (matches is None or matches(promise.id))
            and (is_named is None or ("name" in promise.param.headers and is_named(promise.param.headers["name"])))
            and has_tags(promise.tags, wanted)
        )

    return keep
