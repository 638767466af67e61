"""What is said where there is no promise of the id or name that somebody asked for: which there are."""

from __future__ import annotations

from resonate_nb.store import Query

from ._engine import Engine

_MOST_LOOKED_AT = 1_000
_MOST_NAMED = 6


def absent_phrase(engine: Engine, asked: str) -> str:
    """That there is none, and what is meant perhaps; else the names of what was stored last."""
    from difflib import get_close_matches  # only a slip of the pen needs it

    with engine.store.read() as reader:
        found = reader.search(Query(limit=_MOST_LOOKED_AT), bare=True)
    names = list(dict.fromkeys(promise.param.headers.get("name", promise.id) for promise in found))
    told = f"there is no promise {asked!r}"
    if not names:
        return f"{told}: this store holds none at all"
    name = asked.partition("@")[0].rpartition("/")[0] or asked.partition("@")[0]
    if near := [name] if name in names else get_close_matches(name, names, 2):
        which = " or ".join(f"`{each}`" for each in near)
        return f"{told}; is {which} meant? A name stands for its newest promise"
    more = len(names) - _MOST_NAMED
    listed = ", ".join(f"`{each}`" for each in names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{told}; there are some of {listed} (a name stands for its newest promise)"
